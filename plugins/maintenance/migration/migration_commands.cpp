#include "migration/migration_commands.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <summa/json.hpp>
#include <summa/operation.hpp>
#include <vector>

#include "migration/inventory.hpp"
#include "migration/record.hpp"
#include "migration/slice.hpp"
#include "migration_sql.hpp"
#include "partition/interval.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

struct Options {
  std::string strategy, interval, verify;
  std::int64_t batch_size = 0, workers = 0;
  bool yes = false;
};

// The manifest says which values there are; the host has refused others.
Options OptionsOf(const CommandCall& call) {
  Options options;
  options.strategy = call.Option("strategy").value_or("online");
  options.interval = call.Option("interval").value_or("monthly");
  options.verify = call.Option("verify").value_or("checksum");
  options.batch_size = call.IntegerOption("batch-size").value_or(50'000);
  options.workers = call.IntegerOption("workers").value_or(2);
  options.yes = call.Flag("yes");
  return options;
}

std::string ArgumentsOf(const Options& options) {
  JsonWriter json;
  json.BeginObject().Member("strategy", options.strategy).Member("interval", options.interval);
  json.Member("verify", options.verify).Member("batchSize", options.batch_size);
  json.Member("workers", options.workers).Member("swap", options.yes).EndObject();
  return json.Take();
}

// The words of the state that scripts know.
std::string PublicState(const std::string& state, const std::string& slices) {
  if (slices == "exchanged" && state == "swapped") return "sliced";
  if (!slices.empty() && slices != "restored" && state == "swapped") return "slicing";
  if (state == "indexing") return "backfilling";
  if (state == "restored") return "rolled_back";
  return state;
}

std::vector<std::string> BlockersOf(const Row& row) {
  std::vector<std::string> blockers;
  for (const char* column : {"waiting_for", "error"}) {
    if (auto text = row.Get<std::string>(column); !text.empty()) blockers.push_back(text);
  }
  return blockers;
}

CommandResult Status(const CommandCall& call, const Host& host, std::int64_t id) {
  Session session(call.sql());
  const Result rows = session.Exec(migration_sql::status, {id});
  const OperationView view = ReadOperation(host, call.sql(), id);
  const bool planned = rows.rows() > 0;
  const std::string state = planned ? rows[0].Get<std::string>("state") : "planned";
  const auto copied = planned ? rows[0].Get<std::int64_t>("copied") : 0;
  const auto total =
      std::max(copied, planned ? rows[0].Get<std::int64_t>("estimated_rows") : std::int64_t{0});
  const std::string slices = planned ? rows[0].Get<std::string>("slice_state") : "";
  const bool copying = state == "backfilling" || slices == "copying";
  JsonWriter json;
  json.BeginObject().Member("operation", std::to_string(id));
  json.Member("state", PublicState(state, slices));
  json.Member("rowsTotal", total).Member("rowsCopied", copied);
  json.Member("rowsPerSecond", copying ? view.rows_per_second : 0.0).Key("etaSeconds");
  if (copying && view.rows_per_second > 0) {
    json.Value(static_cast<double>(total - copied) / view.rows_per_second);
  } else {
    json.Null();
  }
  json.TextOrNull("verification", planned ? rows[0].Get<std::string>("verification") : "");
  json.Key("exclusiveLockMs");
  const auto held =
      planned ? rows[0].Get<std::optional<std::int64_t>>("exclusive_lock_us") : std::nullopt;
  held ? json.Value(static_cast<double>(*held) / 1000) : json.Null();
  json.Member("blockers", planned ? BlockersOf(rows[0]) : std::vector<std::string>{});
  json.EndObject();
  return {json.Take(), planned && rows[0].Get<bool>("verification_failed")};
}

// Read with the limit of a long statement: the first event has to be found.
void RequireRoom(Session& session, const CommandCall& call, const Migration& migration,
                 const Inventory& inventory) {
  const Options options = OptionsOf(call);
  session.Begin(SUMMA_SQL_READ_ONLY);
  LiftStatementTimeout(session);
  migration.RequireRoom(session, inventory, options.strategy,
                        IntervalOf(options.interval).value_or(Interval::kMonthly));
  session.Rollback();
}

void AddRoom(const CommandCall& call, const Migration& migration, const Inventory& inventory,
             std::vector<std::string>& obstacles) {
  Session session(call.sql());
  try {
    RequireRoom(session, call, migration, inventory);
  } catch (const Error& error) {
    if (error.code() != "SH-0827" && error.code() != "SH-0859") throw;
    obstacles.push_back(error.code() + ": " + error.what());
  }
}

CommandResult DryRun(const CommandCall& call, const Migration& migration) {
  Session session(call.sql());
  const ledger::EventTable events = ledger::FindEvents(session);
  const auto oid =
      session.Exec("SELECT to_regclass($1)::oid::bigint", {events.name}).Value<std::int64_t>();
  std::vector<std::string> obstacles;
  MigrationEstimate estimate;
  if (events.partitioned) {
    obstacles.push_back("ledger_event is partitioned already");
  } else {
    const Inventory inventory = ReadInventory(session, oid);
    obstacles = Obstacles(session, inventory, events);
    // Of a table without what it needs, nothing can be read.
    if (obstacles.empty()) AddRoom(call, migration, inventory, obstacles);
    estimate = EstimateMigration(session, inventory);
  }
  JsonWriter json;
  json.BeginObject().Key("operation").Null().Member("state", "planned");
  json.Member("rowsTotal", estimate.rows).Member("rowsCopied", 0).Member("rowsPerSecond", 0.0);
  json.Member("etaSeconds", estimate.seconds).Key("verification").Null();
  json.Key("exclusiveLockMs").Null().Member("blockers", obstacles);
  json.Member("bytesNeeded", estimate.bytes_needed).EndObject();
  return {json.Take(), !obstacles.empty()};
}

std::int64_t RequireMigration(const CommandCall& call) {
  Session session(call.sql());
  const std::int64_t id = NewestMigration(session);
  if (id != 0) return id;
  throw Error(SUMMA_E_NOT_FOUND, "SH-0853", "no migration to partitions has begun",
              "`migrate:partition-event-store --strategy=online` begins one");
}

// Until it ends, or waits for a decision.
void Run(const CommandCall& call, const Host& host, Migration& migration, std::int64_t id) {
  WorkCaller caller = CallerOf(host, call);
  caller.should_stop = [&call, &migration, &host, id] {
    const OperationView view = ReadOperation(host, call.sql(), id);
    call.Progress(view.phase, view.done, view.total.value_or(0));
    return call.ShouldStop() || migration.waits_for_people();
  };
  const OperationRunResult run = RunOperation(host, call.sql(), caller, migration.Binding(), id);
  if (!call.ShouldStop() || !run.last.open() || migration.waits_for_people()) return;
  throw Error(SUMMA_E_CANCELLED, "SH-0904",
              "told to stop, or the lease was lost, before the migration had come to its end or to "
              "a decision",
              "Nothing is lost: a running host goes on, and so does the same command");
}

void RequireState(const CommandCall& call, const Host& host, std::int64_t id,
                  const std::string& action, bool exchanged) {
  Session session(call.sql());
  const std::optional<MigrationRecord> record = ReadRecord(session, id);
  const bool is = record && (record->state == "swapped" || record->state == "restored" ||
                             record->state == "finalized");
  // A host that died at the very end has left the journal open.
  if (record && is == exchanged && ReadOperation(host, call.sql(), id).open()) return;
  const bool aborted = record && record->state == "swapped" && exchanged;
  if (aborted) return;  // its remains wait for this decision
  throw Error(SUMMA_E_USAGE, "SH-0854",
              action + " is not possible in state " + (record ? record->state : "planned"),
              exchanged ? "It is for a migration whose tables are exchanged; before, use --abort"
                        : "After the exchange, use --rollback or --finalize");
}

CommandResult Request(const CommandCall& call, const Host& host, Migration& migration,
                      const std::string& request) {
  const std::int64_t id = RequireMigration(call);
  RequireState(call, host, id, "--" + request, request != "abort");
  if (request != "abort" && !call.Flag("yes")) {
    throw Error(SUMMA_E_USAGE, "SH-0855", "--" + request + " changes what applications use",
                "Say --yes as well");
  }
  {
    Session session(call.sql());
    SetRequest(session, id, request);
  }
  Run(call, host, migration, id);
  return Status(call, host, id);
}

// Before there is an operation: what cannot begin leaves nothing open.
void RequireMigratable(const CommandCall& call, const Migration& migration) {
  Session session(call.sql());
  const ledger::EventTable events = ledger::FindEvents(session);
  const bool open = session
                        .Exec(
                            "SELECT EXISTS (SELECT FROM summa_host.operation WHERE kind = $1 AND "
                            "finished_at IS NULL)",
                            {kMigrationKind})
                        .Value<bool>();
  if (events.partitioned && !open) {
    throw Error(SUMMA_E_USAGE, "SH-0829", "ledger_event is partitioned already",
                "Nothing is needed");
  }
  if (events.partitioned) return;
  const auto oid =
      session.Exec("SELECT to_regclass($1)::oid::bigint", {events.name}).Value<std::int64_t>();
  const Inventory inventory = ReadInventory(session, oid);
  RequireNoObstacles(session, inventory, events);
  if (!open) RequireRoom(session, call, migration, inventory);
}

CommandResult Begin(const CommandCall& call, const Host& host, Migration& migration) {
  const Options options = OptionsOf(call);
  RequireMigratable(call, migration);
  OperationRequest request;
  request.kind = kMigrationKind;
  request.arguments = ArgumentsOf(options);
  request.single = true;
  const std::int64_t id = StartOperation(host, call.sql(), request);
  if (options.yes) {
    Session session(call.sql());
    const std::optional<MigrationRecord> record = ReadRecord(session, id);
    const bool wanted = record && (record->state != "swapped" || CanSliceAgain(*record));
    if (wanted && record->request.empty()) {
      SetRequest(session, id, "swap");
    }
  }
  Run(call, host, migration, id);
  return Status(call, host, id);
}

}  // namespace

CommandResult MigrateToPartitions(const CommandCall& call, const Host& host, Migration& migration) {
  if (call.Flag("dry-run")) return DryRun(call, migration);
  if (call.Flag("status")) return Status(call, host, RequireMigration(call));
  for (const char* request : {"abort", "rollback", "finalize"}) {
    if (call.Flag(request)) return Request(call, host, migration, request);
  }
  return Begin(call, host, migration);
}

}  // namespace summa::maintenance
