#include "rolling.hpp"

#include <cstdio>
#include <summa/crash_point.hpp>

#include "expected_rows.hpp"
#include "ledger_verification.hpp"
#include "reconciliation_sql.hpp"
#include "statement.hpp"
#include "verify/detached.hpp"
#include "verify/verify.hpp"

namespace summa::reconciliation {
namespace {

constexpr const char* kBlocks = "blocks";
constexpr const char* kSnapshots = "snapshots";
constexpr const char* kLedger = "ledger";
constexpr std::string_view kChains = "chains/";
// Due before the cycle is over, so that a part that takes long or is tried again still makes it.
constexpr double kEarly = 0.8;

std::string SliceName(int slice) {
  char text[24];
  std::snprintf(text, sizeof text, "chains/%02d", slice);
  return text;
}

std::vector<std::string> AllParts() {
  std::vector<std::string> parts = {kBlocks, kSnapshots, kLedger};
  parts.reserve(parts.size() + Rolling::kSlices);
  for (int slice = 0; slice < Rolling::kSlices; ++slice) parts.push_back(SliceName(slice));
  return parts;
}

// The lowest id of a slice.
Uuid LowestOf(int slice) {
  Uuid id{};
  id.bytes[0] = static_cast<unsigned char>(slice * (256 / Rolling::kSlices));
  return id;
}

// Whether events have left with a partition since the part was verified.
bool DetachedSince(Session& session, const Row& before) {
  const verify::Detached detached = verify::Detached::Find(session, ledger::FindEvents(session));
  return detached.any() &&
         detached.changed_at() > ToMicroseconds(before.Get<DatabaseTime>("verified_at"));
}

}  // namespace

double OldestUnverifiedAge(Session& session) {
  const ledger::EventTable table = ledger::FindEvents(session);
  const std::vector<std::string> parts = AllParts();
  return session.Exec(ForTable(sql::oldest_unverified, table), {TextArray(parts)}).Value<double>();
}

RollingOutcome Rolling::Next() {
  RollingOutcome outcome;
  Session session(sql_);
  std::vector<std::string> parts = AllParts();
  std::erase_if(parts, [this](const std::string& part) { return incomplete_.contains(part); });
  const auto due_after =
      static_cast<std::int64_t>(static_cast<double>(settings_.full_cycle.count()) * kEarly);
  const Result due = session.Exec(sql::parts_due, {TextArray(parts), due_after});
  if (due.rows() > 0) {
    outcome.part = due[0].Get<std::string>("part");
    outcome.more_due = due[0].Get<std::int64_t>("due") > 1;
    outcome.findings = Verify(outcome.part, outcome);
    const Result before = session.Exec(sql::part_rows, {outcome.part});
    if (!outcome.incomplete && before.rows() > 0 && !DetachedSince(session, before[0])) {
      outcome.incomplete =
          FarLessThanBefore(outcome.part, before[0].Get<std::int64_t>("rows"), outcome.rows);
    }
    // What was found says more than how much was read.
    if (!outcome.findings.empty()) outcome.incomplete.reset();
    CrashPoint("reconciliation.rolled");
    outcome.incomplete ? static_cast<void>(incomplete_.insert(outcome.part))
                       : Save(session, outcome, ToMicroseconds(due[0].Get<DatabaseTime>("now")));
  } else {
    incomplete_.clear();
  }
  outcome.oldest_unverified_age_seconds = OldestUnverifiedAge(session);
  return outcome;
}

void Rolling::Save(Session& session, const RollingOutcome& outcome, std::int64_t started) {
  session.Begin();
  session.Exec(sql::part_save,
               {outcome.part, Timestamp(started), outcome.rows, outcome.findings.count()});
  CrashPoint("reconciliation.roll");
  session.Commit();
  CrashPoint("reconciliation.roll_saved");
}

Findings Rolling::Verify(const std::string& part, RollingOutcome& outcome) {
  std::int64_t& rows = outcome.rows;
  VerificationResult result;
  if (part == kBlocks) {
    VerifyBlocksAndSeals(sql_, work_, settings_, {}, result);
    rows = result.blocks_verified;
    return std::move(result.findings);
  }
  verify::VerifyOptions options = OptionsFor(work_, settings_);
  Findings findings;
  if (part == kSnapshots) {
    const verify::SnapshotReport report = verify::VerifySnapshots(sql_, options);
    rows = report.snapshots;
    findings.Add(report.findings, report.mismatches);
    return findings;
  }
  if (part == kLedger) {
    const verify::LedgerReport report = verify::CompareWithLedger(sql_, options);
    rows = report.events;
    findings.Add(report.findings, report.finding_count);
    return findings;
  }
  const int slice = std::atoi(part.c_str() + kChains.size());
  options.aggregates_from = LowestOf(slice);
  if (slice + 1 < kSlices) options.aggregates_to = LowestOf(slice + 1);
  const verify::ChainReport report = verify::VerifyChains(sql_, options);
  rows = report.events;
  findings.Add(report.findings, report.finding_count);
  Session session(sql_);
  outcome.incomplete = FarLessOfPart(session, ledger::FindEvents(session), *options.aggregates_from,
                                     options.aggregates_to, rows);
  return findings;
}

}  // namespace summa::reconciliation
