#include <algorithm>
#include <cctype>
#include <summa/json.hpp>

#include "block_sealer.hpp"
#include "commands.hpp"
#include "ledger_verification.hpp"
#include "reconciliation.hpp"
#include "reconciliation_sql.hpp"
#include "rolling.hpp"
#include "snapshot_maker.hpp"
#include "statement.hpp"
#include "verify/detached.hpp"
#include "verify/verify.hpp"

namespace summa::reconciliation {
namespace {

Uuid RequireUuid(const std::string& text) {
  const std::optional<Uuid> id = ParseUuid(text);
  if (id) return *id;
  throw Error(SUMMA_E_USAGE, "SH-0707", "\"" + text + "\" is not the id of an aggregate",
              "give a UUID: eight-four-four-four-twelve hexadecimal digits");
}

void WriteFindings(JsonWriter& json, const std::vector<Discrepancy>& findings) {
  for (const Discrepancy& finding : findings) verify::Write(json, finding);
}

void WriteOptional(JsonWriter& json, std::string_view name,
                   const std::optional<std::int64_t>& value) {
  json.Key(name);
  value ? json.Value(*value) : json.Null();
}

std::optional<verify::SnapshotStart> LatestSnapshot(Session& session, const std::string& type,
                                                    const Uuid& id) {
  const Result row = session.Exec(sql::latest_snapshot, {type, UuidValue(id)});
  if (row.rows() == 0) return std::nullopt;
  return verify::SnapshotStart{row[0].Get<std::int64_t>("snapshot_version"),
                               row[0].Get<std::string>("snapshot_hash")};
}

Work WorkFor(const CommandCall& call, const CommandContext& context) {
  return {context.host, call, call.IntegerOption("max-rate").value_or(context.settings.max_rate)};
}

}  // namespace

CommandResult VerifyAggregate(const CommandCall& call, const CommandContext& context) {
  std::string type = call.Option("type").value_or("");
  // Summa's own API takes any case, and stores lower case.
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const Uuid id = RequireUuid(call.Option("id").value_or(""));
  const Work work = WorkFor(call, context);
  std::optional<verify::SnapshotStart> start;
  if (!call.Flag("full")) {
    Session session(call.sql());
    start = LatestSnapshot(session, type, id);
  }
  const verify::AggregateReport report =
      verify::VerifyAggregate(call.sql(), OptionsFor(work, context.settings), type, id, start);
  if (!report.exists) {
    throw Error(SUMMA_E_NOT_FOUND, "SH-0708", "there is no event of " + type + " " + ToText(id),
                "an aggregate is named by its type (account, transaction, hold ..) and its id");
  }
  JsonWriter json;
  json.BeginObject()
      .Member("aggregateType", type)
      .Member("aggregateId", ToText(id))
      .Member("valid", report.valid);
  WriteOptional(json, "brokenAtVersion", report.broken_at_version);
  json.Member("eventCount", report.event_count)
      .Member("verifiedFrom", report.verified_from)
      .Member("mode", report.snapshot_version ? "snapshot" : "full");
  WriteOptional(json, "snapshotVersion", report.snapshot_version);
  WriteOptional(json, "detachedThroughVersion", report.detached_through);
  json.Key("findings").BeginArray();
  for (const verify::Finding& finding : report.findings) verify::Write(json, finding);
  json.EndArray().EndObject();
  return {json.Take(), !report.valid || !report.findings.empty()};
}

namespace {

void WriteBlocks(JsonWriter& json, const EventsReport& report, std::int64_t detached) {
  json.Key("blocks")
      .BeginObject()
      .Member("blocksVerified", report.blocks_verified)
      .Member("blocksValid", report.blocks_valid)
      .Member("blocksFailed", report.blocks_verified - report.blocks_valid)
      .Member("blocksDetached", detached)
      .Key("failures")
      .BeginArray();
  for (const Discrepancy& failure : report.blocks.kept()) json.Raw(failure.detail);
  json.EndArray().EndObject();
}

void WriteChains(JsonWriter& json, const verify::ChainReport& chains) {
  json.Member("aggregates", chains.aggregates)
      .Member("eventsInValidPrefixes", chains.events_in_valid_prefixes)
      .Key("brokenChains")
      .BeginArray();
  for (const verify::BrokenChain& broken : chains.broken) {
    json.BeginObject()
        .Member("aggregateType", broken.aggregate_type)
        .Member("aggregateId", broken.aggregate_id)
        .Member("valid", false)
        .Member("brokenAtVersion", broken.broken_at_version)
        .Member("eventCount", broken.event_count)
        .EndObject();
  }
  json.EndArray();
}

// valid: everything was checked and nothing is wrong.
std::string StatusOf(const RunState& run, std::int64_t findings) {
  if (findings > 0 || run.Mismatches() > 0) return "invalid";
  return run.books_error.empty() && run.chains_error.empty() ? "valid" : "incomplete";
}

}  // namespace

CommandResult VerifyAll(const CommandCall& call, const CommandContext& context) {
  Work work = WorkFor(call, context);
  VerificationScope scope;
  scope.from_snapshots = !call.Flag("full");
  Session session(call.sql());
  if (const auto since = call.IntegerOption("since")) {
    const auto now = session.Exec("SELECT clock_timestamp()").Value<DatabaseTime>();
    scope.since = ToMicroseconds(now) - *since;
  }
  VerificationResult chains = VerifyLedger(call.sql(), work, context.settings, scope);
  if (!scope.from_snapshots && !scope.since) {
    // Not for the daily run, whose rows contain what Summa's rows contain; the rolling verification
    // does it.
    const verify::LedgerReport compared =
        verify::CompareWithLedger(call.sql(), OptionsFor(work, context.settings));
    chains.findings.Add(compared.findings, compared.finding_count);
  }
  RunState run;
  run.chains = chains.Report();
  run.chains_done = true;
  run.chains_error = chains.incomplete;
  CheckBooks(call.sql(), work, run, [](std::optional<std::int64_t>) {});
  const std::string status = StatusOf(run, chains.findings.count());
  JsonWriter json;
  json.BeginObject().Member("status", status);
  WriteChains(json, chains.chains);
  WriteBlocks(json, run.chains, chains.blocks_detached);
  json.Key("dailyReconciliation");
  WriteResult(json, run);
  const double seconds = std::max(chains.chains.seconds, 1e-6);
  json.Member("events", chains.chains.events)
      .Member("eventsPerSecond",
              static_cast<std::int64_t>(static_cast<double>(chains.chains.events) / seconds))
      .Key("snapshots")
      .BeginObject()
      .Member("verified", chains.snapshots.snapshots)
      .Member("used", chains.chains.snapshots_used)
      .Member("mismatches", chains.snapshots.mismatches)
      .EndObject()
      .Member("aggregatesAcrossDetached", chains.chains.across_detached)
      .Key("findings")
      .BeginArray();
  WriteFindings(json, chains.findings.kept());
  ForEachPart(run.books,
              [&](const char*, const Findings& findings) { WriteFindings(json, findings.kept()); });
  json.EndArray().Member("oldestUnverifiedAgeSeconds", OldestUnverifiedAge(session)).EndObject();
  return {json.Take(), status != "valid"};
}

CommandResult CreateSnapshots(const CommandCall& call, const CommandContext& context) {
  Work work = WorkFor(call, context);
  const SnapshotOutcome outcome = SnapshotMaker(call.sql(), work, context.settings)
                                      .CreateAll(call.IntegerOption("min-events").value_or(1),
                                                 call.IntegerOption("batch-size").value_or(1000));
  JsonWriter json;
  json.BeginObject()
      .Member("created", outcome.created)
      .Member("alreadyCurrent", outcome.already_current)
      .Member("refused", outcome.refused)
      .Member("skipped", outcome.skipped)
      .Member("events", outcome.events)
      .Key("findings")
      .BeginArray();
  WriteFindings(json, outcome.findings.kept());
  json.EndArray().EndObject();
  return {json.Take(), outcome.refused > 0};
}

CommandResult ShowStatus(const CommandCall& call, const CommandContext&) {
  Session session(call.sql());
  const ledger::EventTable table = ledger::FindEvents(session);
  const Result status =
      session.Exec(ForTable(sql::status, table), {verify::Detached::Find(session, table).events()});
  const Row row = status[0];
  const LastBlock last = BlockSealer::ReadLast(session);
  JsonWriter json;
  json.BeginObject()
      .Member("snapshots", row.Get<std::int64_t>("snapshots"))
      .Member("aggregatesWithSnapshot", row.Get<std::int64_t>("aggregates"))
      .Member("eventsSinceSnapshot", row.Get<std::int64_t>("events_since_snapshot"))
      .Key("lastBlock");
  if (last.id.empty()) {
    json.Null();
  } else {
    json.BeginObject()
        .Member("id", last.id)
        .Member("blockSequence", last.sequence)
        .Member("blockHash", last.hash)
        .Member("at", row.Get<std::string_view>("block_at"))
        .EndObject();
  }
  json.Member("sealedPosition", last.to)
      .Member("unsealedEvents", row.Get<std::int64_t>("unsealed_events"))
      .Member("lateEvents", row.Get<std::int64_t>("late_events"))
      .TextOrNull("lastReconciledAt", row.Get<std::string_view>("run_date"))
      .TextOrNull("lastReconciliation", row.Get<std::string_view>("run_status"))
      .Member("oldestUnverifiedAgeSeconds", OldestUnverifiedAge(session))
      .EndObject();
  return {json.Take(), false};
}

}  // namespace summa::reconciliation
