#include "ledger_verification.hpp"

#include <algorithm>
#include <set>
#include <summa/json.hpp>

#include "expected_rows.hpp"
#include "late_events.hpp"
#include "reconciliation_sql.hpp"
#include "seals.hpp"
#include "statement.hpp"
#include "verify/detached.hpp"

namespace summa::reconciliation {
namespace {

bool Is(const verify::Finding& finding, std::string_view kind) { return finding.kind == kind; }

// Combines the results of the blocks and of their seals.
class BlockReportMerger {
 public:
  BlockReportMerger(verify::BlockReport blocks, SealReport seals, std::set<std::string> sealed_late)
      : blocks_(std::move(blocks)),
        seals_(std::move(seals)),
        sealed_late_(std::move(sealed_late)) {}

  void Merge(VerificationResult& result) {
    for (verify::Finding& finding : blocks_.findings) Take(std::move(finding), result);
    for (const Discrepancy& finding : seals_.findings.kept()) {
      const bool known = Is(finding, verify::kind::kBlockHashMismatch) &&
                         named_.count(*finding.block_sequence) > 0;
      if (!known) result.findings.Add(finding);
    }
    result.blocks_verified = blocks_.verified;
    result.blocks_valid = blocks_.valid;
    result.blocks_detached = blocks_.detached;
    for (verify::BlockFailure& failure : blocks_.failures) {
      const SealResult* seal = SealOf(failure.block_sequence);
      if (seal != nullptr && seal->intact && failure.reason == "hash mismatch") {
        ++result.blocks_valid;  // only rows that came late
        continue;
      }
      failed_.insert(failure.block_sequence);
      result.block_failures.push_back(std::move(failure));
    }
    for (const auto& [sequence, seal] : seals_.blocks) {
      if (!seal.intact && failed_.count(sequence) == 0) FailBySeal(sequence, seal, result);
      TakeLate(sequence, seal, result);
    }
  }

 private:
  const SealResult* SealOf(std::int64_t sequence) const {
    const auto found = seals_.blocks.find(sequence);
    return found == seals_.blocks.end() ? nullptr : &found->second;
  }

  void Take(verify::Finding finding, VerificationResult& result) {
    const SealResult* seal = finding.block_sequence ? SealOf(*finding.block_sequence) : nullptr;
    const bool about_content =
        Is(finding, verify::kind::kBlockHashMismatch) || Is(finding, verify::kind::kLateEvent);
    // The seal knows exactly what the block can only guess.
    if (seal != nullptr && seal->intact && about_content) return;
    if (Is(finding, verify::kind::kLateEvent) || Is(finding, verify::kind::kBlockCoverageGap)) {
      if (SealedLate(finding)) return;
      if (finding.position) result.late.push_back(*finding.position);
    }
    if (about_content && finding.block_sequence) named_.insert(*finding.block_sequence);
    result.findings.Add({std::move(finding), ""});
  }

  // All events that it names are sealed by themselves.
  bool SealedLate(const verify::Finding& finding) const {
    std::vector<std::string> events = finding.candidates;
    if (events.empty() && !finding.event_id.empty()) events.push_back(finding.event_id);
    return !events.empty() && std::all_of(events.begin(), events.end(), [&](const std::string& id) {
      return sealed_late_.count(id) > 0;
    });
  }

  void TakeLate(std::int64_t sequence, const SealResult& seal, VerificationResult& result) {
    for (const std::int64_t position : seal.late) {
      if (sealed_late_.count("position " + std::to_string(position)) > 0) continue;
      Discrepancy late;
      late.kind = verify::kind::kLateEvent;
      late.step = "blocks";
      late.position = position;
      late.block_sequence = sequence;
      late.expected = "sealed";
      late.found = "committed after the block was created";
      result.findings.Add(std::move(late));
      result.late.push_back(position);
    }
  }

  void FailBySeal(std::int64_t sequence, const SealResult& seal, VerificationResult& result) const {
    const bool counted = seal.reason != "the block is gone" && result.blocks_valid > 0;
    if (counted) --result.blocks_valid;
    result.block_failures.push_back({seal.block_id, sequence, seal.reason});
  }

  verify::BlockReport blocks_;
  SealReport seals_;
  const std::set<std::string> sealed_late_;  // ids, and "position N"
  std::set<std::int64_t> named_, failed_;
};

std::set<std::string> ReadSealedLate(Session& session) {
  std::set<std::string> late;
  const Result rows = session.Exec("SELECT event_id::text, position FROM summa_host.late_event");
  for (const Row row : rows) {
    late.insert(row.Get<std::string>("event_id"));
    late.insert("position " + std::to_string(row.Get<std::int64_t>("position")));
  }
  return late;
}

// A run over new events does not see the whole ledger: the rolling verification does.
std::string Incomplete(const summa_sql_v1* sql, const Work& work, const VerificationScope& scope,
                       std::int64_t verified) {
  if (scope.since) return {};
  Session session(sql);
  const ledger::EventTable table = ledger::FindEvents(session);
  work.GiveWay(session);
  session.Begin(SUMMA_SQL_READ_ONLY);
  std::int64_t events = verified;
  if (scope.from_snapshots) {  // what lies below them was not read
    session.Exec(kLongStatement);
    events = session.Exec("SELECT count(*) FROM " + table.name).Value<std::int64_t>();
  }
  const std::int64_t detached = verify::Detached::Find(session, table).events();
  std::optional<Error> error;
  if (events > 0 || detached > 0) {
    error = FarLess(session, {{table.name, events, detached}});
  } else {
    error = EmptyBeside(session, table);
  }
  session.Rollback();
  return error ? error->code() + " " + error->what() : "";
}

}  // namespace

verify::VerifyOptions OptionsFor(const Work& work, const Settings& settings) {
  verify::VerifyOptions options;
  options.connections = settings.connections;
  options.max_rows_per_second = work.rate();
  options.hmac_secret = settings.hmac_secret;
  options.max_findings = kMaxFindings;
  options.should_stop = [&work] { return work.ShouldStop(); };
  options.on_progress = [&work](const verify::Progress& progress) {
    work.Progress(progress.stage, progress.done, progress.total);
  };
  return options;
}

void VerifyBlocksAndSeals(const summa_sql_v1* sql, Work& work, const Settings& settings,
                          const VerificationScope& scope, VerificationResult& result) {
  const verify::VerifyOptions options = OptionsFor(work, settings);
  verify::BlockOptions chosen;
  chosen.since = scope.since;
  verify::BlockReport blocks = verify::VerifyBlocks(sql, options, chosen);
  Session session(sql);
  const ledger::EventTable table = ledger::FindEvents(session);
  std::int64_t after = 0;
  if (scope.since) {
    after = session.Exec(sql::seals_before, {Timestamp(*scope.since)}).Value<std::int64_t>();
  }
  SealReport seals = CheckSeals(session, work, table, after);
  const Findings late = CheckLateEvents(session, table);
  BlockReportMerger(std::move(blocks), std::move(seals), ReadSealedLate(session)).Merge(result);
  result.findings.Add(late);
}

VerificationResult VerifyLedger(const summa_sql_v1* sql, Work& work, const Settings& settings,
                                const VerificationScope& scope) {
  VerificationResult result;
  verify::VerifyOptions options = OptionsFor(work, settings);
  options.from_snapshots = scope.from_snapshots;
  options.created_since = scope.since;
  result.chains = verify::VerifyChains(sql, options);
  result.findings.Add(result.chains.findings, result.chains.finding_count);
  result.snapshots = verify::VerifySnapshots(sql, options);
  result.findings.Add(result.snapshots.findings, result.snapshots.mismatches);
  VerifyBlocksAndSeals(sql, work, settings, scope, result);
  result.incomplete = Incomplete(sql, work, scope, result.chains.events);
  return result;
}

EventsReport VerificationResult::Report() const {
  EventsReport report;
  report.events = chains.events;
  report.blocks_verified = blocks_verified;
  report.blocks_valid = blocks_valid;
  for (const verify::BlockFailure& failure : block_failures) {
    Discrepancy block;
    block.kind = block.step = "step3_block_chain";
    block.block_sequence = failure.block_sequence;
    block.found = failure.reason;
    JsonWriter json;
    json.BeginObject()
        .TextOrNull("blockId", failure.block_id)
        .Member("blockSequence", failure.block_sequence)
        .Member("reason", failure.reason)
        .EndObject();
    block.detail = json.Take();
    report.blocks.Add(std::move(block));
  }
  std::int64_t others = findings.count();
  for (const Discrepancy& finding : findings.kept()) {
    // Of blocks Summa counts each once, above; a late event is no mismatch.
    const bool of_block =
        finding.kind.rfind("block_", 0) == 0 || Is(finding, verify::kind::kLateEvent);
    if (of_block) {
      --others;
      continue;
    }
    Discrepancy event = finding;
    event.step = "step3_event_chain";
    report.events_found.Add(std::move(event));
  }
  if (findings.count() > static_cast<std::int64_t>(findings.kept().size())) {
    report.events_found.Count(others - report.events_found.count());
  }
  return report;
}

}  // namespace summa::reconciliation
