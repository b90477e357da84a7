// Rows that the ledger itself refuses to change: a trigger, a constraint or a policy of its owner
// says no. Each is found and named; the others are written as if it were not there.
#pragma once

#include <summa/error.hpp>
#include <summa/health.hpp>
#include <summa/mutex.hpp>
#include <summa/sql.hpp>
#include <summa/time.hpp>
#include <summa/uuid.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace summa {

struct Refusal {
  std::string row;    // its key, as text
  std::string error;  // what the server said
};

// More than this many refused rows are no exception any more: the work stops until a person has
// looked.
inline constexpr std::size_t kMaxRefusals = 500;

namespace detail {

inline std::string RowText(const Uuid& key) { return ToText(key); }
inline std::string RowText(const std::string& key) { return key; }

// Of the SQLSTATEs: transaction states, cursors and roles, connections, serialization, resources,
// locks, stops, the system and defects. The whole statement fails with these, whatever its rows
// are.
inline constexpr std::string_view kNotOfRows[] = {"08", "0A", "25", "26", "28", "34", "3D", "3F",
                                                  "40", "53", "55", "57", "58", "F0", "HV", "XX"};
// Rights and names: of the statement, or of a trigger or policy that only some rows come to.
inline constexpr std::string_view kOfStatementOrTrigger = "42";

inline bool WorksWithoutRows(Session& session, const std::function<void()>& write_nothing) {
  bool works = false;
  try {
    session.Begin();
    write_nothing();
    works = true;
  } catch (const Error&) {
    // It reports the same as before.
  }
  session.Rollback();
  return works;
}

}  // namespace detail

// What the server refused because of the rows: not because it was away, full, locked or too slow,
// and not because the role or the lease does not allow it: the statement then works without any
// row. Ends the transaction that failed.
inline bool RefusesRows(Session& session, const Error& error,
                        const std::function<void()>& write_nothing) {
  const std::string_view state = error.sqlstate();
  if (state.size() != 5) return false;
  for (const std::string_view group : detail::kNotOfRows) {
    if (state.starts_with(group)) return false;
  }
  session.Rollback();
  return !state.starts_with(detail::kOfStatementOrTrigger) ||
         detail::WorksWithoutRows(session, write_nothing);
}

// "ID (what the server said), ID (...) and 3 more".
inline std::string Listed(std::span<const Refusal> refusals) {
  constexpr std::size_t kListed = 3;
  std::string text;
  for (const Refusal& refusal : refusals.first(std::min(kListed, refusals.size()))) {
    if (!text.empty()) text += ", ";
    text += refusal.row + " (" + refusal.error + ")";
  }
  if (refusals.size() > kListed) {
    text += " and " + std::to_string(refusals.size() - kListed) + " more";
  }
  return text;
}

// Throws `code` when there are more than kMaxRefusals.
inline void CheckNumber(std::span<const Refusal> refused, const std::string& code) {
  if (refused.size() <= kMaxRefusals) return;
  throw Error(
      SUMMA_E_DATA, code,
      "the ledger refuses more than " + std::to_string(kMaxRefusals) + " rows: " + Listed(refused),
      "repair the trigger or constraint that refuses them");
}

struct WrittenApart {
  std::int64_t rows = 0;  // committed, as `write` returned them
  std::vector<Refusal> refused;
};

// Writes the rows with these keys (Uuid or std::string) in a transaction; when that is refused, in
// halves, until only rows are left that are refused alone. `write` takes a std::span<const Key>,
// which may be empty, and returns the number of rows that it has changed. Throws what RefusesRows()
// does not explain, and `code` for more than kMaxRefusals.
template <typename Key, typename Write>
WrittenApart WriteApart(Session& session, const std::vector<Key>& keys, const std::string& code,
                        const Write& write) {
  WrittenApart written;
  std::vector<std::span<const Key>> parts;
  if (!keys.empty()) parts.emplace_back(keys);
  while (!parts.empty()) {
    const std::span<const Key> part = parts.back();
    parts.pop_back();
    try {
      session.Begin();
      const std::int64_t rows = write(part);
      session.Commit();
      written.rows += rows;
      continue;
    } catch (const Error& error) {
      if (!RefusesRows(session, error, [&] { write(std::span<const Key>()); })) throw;
      if (part.size() == 1) {
        written.refused.push_back({detail::RowText(part.front()), error.what()});
      }
    }
    CheckNumber(written.refused, code);
    if (part.size() == 1) continue;
    parts.push_back(part.subspan(part.size() / 2));
    parts.push_back(part.first(part.size() / 2));
  }
  return written;
}

// What is known of refused rows, for /readyz. One thread writes, any thread reads.
class RefusedRows {
 public:
  explicit RefusedRows(std::string code) : code_(std::move(code)) {}

  // True when a row is among them that was not before.
  bool Set(std::vector<Refusal> refusals, BootTime now) {
    const auto by_row = [](const Refusal& a, const Refusal& b) { return a.row < b.row; };
    std::sort(refusals.begin(), refusals.end(), by_row);
    const MutexLock lock(mutex_);
    const bool grown = !std::includes(refusals_.begin(), refusals_.end(), refusals.begin(),
                                      refusals.end(), by_row);
    refusals_ = std::move(refusals);
    seen_ = now;
    return grown;
  }
  // They are still refused as far as is known.
  void Refresh(BootTime now) {
    const MutexLock lock(mutex_);
    seen_ = now;
  }
  std::vector<Refusal> Get() const {
    const MutexLock lock(mutex_);
    return refusals_;
  }
  bool empty() const {
    const MutexLock lock(mutex_);
    return refusals_.empty();
  }
  // One finding, or none. `what` names the rows, `why` says what is refused.
  std::vector<Finding> Failing(BootTime now, std::chrono::microseconds known_for,
                               const std::string& what, const std::string& why) const {
    const MutexLock lock(mutex_);
    if (refusals_.empty() || now > seen_ + known_for) return {};
    return {
        {Severity::kWarning, what,
         code_ + " " + why + ": " + std::to_string(refusals_.size()) + ", " + Listed(refusals_), "",
         "repair the trigger or constraint that refuses them; everything else happens by itself"}};
  }

 private:
  const std::string code_;
  mutable Mutex mutex_;
  std::vector<Refusal> refusals_ SUMMA_GUARDED_BY(mutex_);
  BootTime seen_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa
