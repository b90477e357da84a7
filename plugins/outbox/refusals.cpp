#include "refusals.hpp"

#include <algorithm>
#include <string_view>

#include "row.hpp"

namespace summa::outbox {
namespace {

// Of the SQLSTATEs: transaction states, cursors and roles, connections, serialization, resources,
// locks, stops, the system and defects. The whole statement fails with these, whatever its rows
// are.
constexpr std::string_view kNotOfRows[] = {"08", "0A", "25", "26", "28", "34", "3D", "3F",
                                           "40", "53", "55", "57", "58", "F0", "HV", "XX"};
// Rights and names: of the statement, or of a trigger or policy that only some rows come to.
constexpr std::string_view kOfStatementOrTrigger = "42";

constexpr std::size_t kListed = 3;

// False: refused because of the rows.
bool WriteTogether(Session& session, std::span<const Uuid> ids, const WriteRows& write,
                   std::string& error) {
  try {
    session.Begin();
    write(ids);
    session.Commit();
    return true;
  } catch (const Error& refused) {
    if (!RefusesRows(session, refused, write)) throw;
    error = refused.what();
    return false;
  }
}

bool WorksWithoutRows(Session& session, const WriteRows& write) {
  bool works = false;
  try {
    session.Begin();
    write({});
    works = true;
  } catch (const Error&) {
    // It reports the same as before.
  }
  session.Rollback();
  return works;
}

}  // namespace

bool RefusesRows(Session& session, const Error& error, const WriteRows& write) {
  const std::string_view state = error.sqlstate();
  if (state.size() != 5) return false;
  for (const std::string_view group : kNotOfRows) {
    if (state.starts_with(group)) return false;
  }
  session.Rollback();
  return !state.starts_with(kOfStatementOrTrigger) || WorksWithoutRows(session, write);
}

std::vector<Refusal> WriteApart(Session& session, std::span<const Uuid> ids,
                                const WriteRows& write) {
  std::vector<Refusal> refused;
  std::vector<std::span<const Uuid>> parts;
  if (!ids.empty()) parts.push_back(ids);
  while (!parts.empty()) {
    const std::span<const Uuid> part = parts.back();
    parts.pop_back();
    std::string error;
    if (WriteTogether(session, part, write, error)) continue;
    if (part.size() > 1) {
      parts.push_back(part.subspan(part.size() / 2));
      parts.push_back(part.first(part.size() / 2));
      continue;
    }
    refused.push_back({part.front(), error});
    CheckNumber(refused);
  }
  return refused;
}

void CheckNumber(std::span<const Refusal> refused) {
  if (refused.size() <= kMaxRefusals) return;
  throw Error(
      SUMMA_E_DATA, "SH-0511",
      "the ledger refuses more than " + std::to_string(kMaxRefusals) + " rows: " + Listed(refused),
      "repair the trigger or constraint that refuses them");
}

std::string Listed(std::span<const Refusal> refusals) {
  std::string text;
  for (const Refusal& refusal : refusals.first(std::min(kListed, refusals.size()))) {
    if (!text.empty()) text += ", ";
    text += ToText(refusal.id) + " (" + refusal.error + ")";
  }
  if (refusals.size() > kListed) {
    text += " and " + std::to_string(refusals.size() - kListed) + " more";
  }
  return text;
}

bool RefusedRows::Set(std::vector<Refusal> refusals, BootTime now) {
  const auto by_id = [](const Refusal& a, const Refusal& b) { return a.id < b.id; };
  std::sort(refusals.begin(), refusals.end(), by_id);
  const MutexLock lock(mutex_);
  const bool grown =
      !std::includes(refusals_.begin(), refusals_.end(), refusals.begin(), refusals.end(), by_id);
  refusals_ = std::move(refusals);
  seen_ = now;
  return grown;
}

void RefusedRows::Refresh(BootTime now) {
  const MutexLock lock(mutex_);
  seen_ = now;
}

std::vector<Refusal> RefusedRows::Get() const {
  const MutexLock lock(mutex_);
  return refusals_;
}

bool RefusedRows::empty() const {
  const MutexLock lock(mutex_);
  return refusals_.empty();
}

std::vector<Finding> RefusedRows::Failing(BootTime now, Microseconds known_for,
                                          const std::string& what, const std::string& why) const {
  const MutexLock lock(mutex_);
  if (refusals_.empty() || now > seen_ + known_for) return {};
  return {
      {Severity::kWarning, what,
       "SH-0511 " + why + ": " + std::to_string(refusals_.size()) + ", " + Listed(refusals_), "",
       "repair the trigger or constraint that refuses them; everything else happens by itself"}};
}

}  // namespace summa::outbox
