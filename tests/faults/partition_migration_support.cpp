#include "tests/faults/partition_migration_support.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

constexpr const char* kTimePasses = R"sql(
DO $do$ DECLARE
  was timestamptz := (SELECT bound FROM summa_host.migration);
  ended timestamptz;
BEGIN
  LOCK TABLE ledger_event IN ACCESS EXCLUSIVE MODE;
  ended := clock_timestamp();
  ALTER TABLE ledger_event DETACH PARTITION ledger_event_old;
  EXECUTE format('ALTER TABLE ledger_event ATTACH PARTITION ledger_event_old FOR VALUES FROM '
                 '(MINVALUE) TO (%L)', ended);
  EXECUTE format('CREATE TABLE ledger_event_since PARTITION OF ledger_event FOR VALUES FROM (%L) '
                 'TO (%L)', ended, was);
  UPDATE summa_host.migration SET bound = ended;
END $do$)sql";

constexpr const char* kInventory = R"sql(
WITH r AS (
  SELECT c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
SELECT concat_ws(' ', 'relation', r.relkind, r.name, 'of', h.inhparent::regclass) FROM r
  LEFT JOIN pg_inherits h ON h.inhrelid = r.oid
UNION ALL
SELECT concat_ws(' ', 'index', r.name, 'on', x.indrelid::regclass, 'valid', x.indisvalid, 'unique',
                 x.indisunique, 'primary', x.indisprimary)
  FROM r JOIN pg_index x ON x.indexrelid = r.oid
UNION ALL
SELECT concat_ws(' ', 'sequence', r.name, 'of', d.refobjid::regclass, d.refobjsubid)
  FROM r JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = r.oid AND
       d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') WHERE r.relkind = 'S'
UNION ALL
SELECT concat_ws(' ', 'trigger', t.tgname, 'on', r.name, 'enabled', t.tgenabled, 'calls',
                 t.tgfoid::regprocedure)
  FROM r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
UNION ALL
SELECT concat_ws(' ', 'constraint', k.conname, 'on', r.name, k.contype, 'valid', k.convalidated,
                 'references', nullif(k.confrelid, 0)::regclass)
  FROM r JOIN pg_constraint k ON k.conrelid = r.oid
UNION ALL
SELECT concat_ws(' ', 'function', p.oid::regprocedure)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')sql";

constexpr const char* kColumns =
    "id, sequence_number, aggregate_type, aggregate_id, aggregate_version, event_type, "
    "event_data, correlation_id, hash, prev_hash, created_at";

constexpr int kAccounts = 40, kBatch = 20;
// The batches are so small that a host on a busy machine could not follow faster writers: it would
// seal their events without end. Nor would it ever have the lock of the exchange, which it tries to
// get for 200 ms, where each writer is always in the middle of an operation.
constexpr double kOperationsPerSecond = 40, kBusyShare = 0.2;

// A busy machine may let a host lose its lease, or its session under a lock. It is started again.
constexpr int kMostStarts = 20;
bool MayStartAgain(const RunResult& run) { return run.exit_code == 69 || run.exit_code == 75; }

// The action that has to be done before.
std::string Before(const std::string& action) {
  const std::map<std::string, std::string> before = {
      {"rollback", "swap"},        {"finalize", "swap"},       {"slice", "swap"},
      {"restore", "slice"},        {"slice again", "restore"}, {"leave slices", "swap"},
      {"finalize slices", "slice"}};
  const auto found = before.find(action);
  return found == before.end() ? "" : found->second;
}

// The last action of a chain with this one in it: one ledger tells about all of them.
std::string LongestChain(const std::string& strategy, const std::string& action) {
  if (strategy == "online") return action == "swap" ? "finalize" : action;
  const bool on_the_way = action == "swap" || action == "slice" || action == "restore";
  return on_the_way ? "slice again" : action;
}

// The months in which ranges begin that are made now.
std::string MonthsOf(Db& db) {
  return db.Value(
      "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM') || to_char("
      "(clock_timestamp() + interval '24 hours 1 second') AT TIME ZONE 'UTC', ' YYYY-MM')");
}

std::runtime_error Failed(const std::string& action, const RunResult& run) {
  return std::runtime_error(action + " ended with " + std::to_string(run.exit_code) + ": " +
                            run.err);
}

std::vector<std::string> PointsIn(const std::string& path) {
  std::vector<std::string> points;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("migration.")) points.push_back(line);
  }
  return points;
}

// The letter of the state follows the name in parentheses.
bool IsStopped(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string stat((std::istreambuf_iterator<char>(file)), {});
  const std::size_t name_end = stat.rfind(") ");
  return name_end != std::string::npos && stat.compare(name_end, 3, ") T") == 0;
}

std::string NameOfDatabase() {
  static int number = 0;
  return "partition_migration_" + std::to_string(++number);
}

}  // namespace

MigratedLedger::MigratedLedger(PostgresServer& server, const std::string& strategy)
    : server_(server),
      strategy_(strategy),
      url_(InstallLedger(server, NameOfDatabase())),
      db_(url_),
      months_(MonthsOf(db_)) {
  EnsureAccounts(url_, kAccounts);
  for (const char* host : {"first", "second", "third"}) {
    files_.push_back(std::make_unique<TemporaryFile>(
        "summa.yaml", "database: { ledger: { url: \"" + url_ +
                          "\" }, migrate: auto }\nhost: { name: " + host +
                          ", listen: \"127.0.0.1:0\" }\n"
                          "plugins: { maintenance: { closed_after: 1s } }\n"
                          "schedules: { partition-migration: { lease_ttl: 1s } }\n"));
  }
  const RunResult migrated = SummaHost({"migrate", "-c", files_.front()->Path()});
  if (migrated.exit_code != 0) throw Failed("migrate", migrated);
}

void MigratedLedger::StartTraffic() {
  traffic_ = std::make_unique<TrafficGenerator>(url_, TrafficOptions{.connections = 4,
                                                                     .accounts = kAccounts,
                                                                     .rate = kOperationsPerSecond,
                                                                     .busy_share = kBusyShare});
  traffic_->Start();
}

std::vector<std::string> MigratedLedger::Arguments(int host, const std::string& action) const {
  std::vector<std::string> arguments = {"migrate:partition-event-store", "--batch-size",
                                        std::to_string(kBatch)};
  const bool forward =
      action == "begin" || action == "swap" || action == "slice" || action == "slice again";
  if (forward) arguments.push_back("--strategy=" + strategy_);
  if (action == "abort") arguments.emplace_back("--abort");
  if (action == "rollback" || action == "restore") arguments.emplace_back("--rollback");
  if (action.starts_with("finalize") || action == "leave slices") {
    arguments.emplace_back("--finalize");
  }
  if (action != "begin" && action != "abort") arguments.emplace_back("--yes");
  arguments.insert(arguments.end(), {"-c", files_.at(static_cast<std::size_t>(host))->Path()});
  return arguments;
}

RunResult MigratedLedger::Migrate(int host, const std::string& action,
                                  const std::map<std::string, std::string>& environment) const {
  return SummaHost(Arguments(host, action), environment);
}

int MigratedLedger::GoOn(int host, const std::string& action,
                         const std::map<std::string, std::string>& environment) {
  int starts = 0;
  while (!IsDone(action)) {
    const RunResult run = Migrate(host, action, environment);
    ++starts;
    if (run.exit_code == 0) break;
    if (!MayStartAgain(run) || starts == kMostStarts) throw Failed(action, run);
  }
  return starts;
}

bool MigratedLedger::Dies(int host, const std::string& action, const CrashAt& at) {
  for (int start = 1; !IsDone(action); ++start) {
    const RunResult run = Migrate(host, action, {{"SUMMA_CRASH_AT", Text(at)}});
    if (run.exit_code == 128 + SIGKILL) return true;
    if (run.exit_code == 0) return false;
    if (!MayStartAgain(run) || start == kMostStarts) throw Failed(action, run);
  }
  return false;
}

std::unique_ptr<Process> MigratedLedger::Freezes(int host, const std::string& action,
                                                 const CrashAt& at) {
  std::vector<std::string> arguments = Arguments(host, action);
  arguments.insert(arguments.begin(), SummaHostPath());
  auto process = std::make_unique<Process>(std::move(arguments),
                                           CleanEnvironment({{"SUMMA_FREEZE_AT", Text(at)}}));
  WaitUntil([&] { return IsStopped(process->Pid()) || !process->Running(); }, kTimeout,
            "a host that freezes at " + Text(at));
  if (!process->Running()) throw std::runtime_error("it came not there: " + process->Stderr());
  return process;
}

// A second way back leads further, so a slice that is restored must not be restored again.
bool MigratedLedger::IsDone(const std::string& action) {
  if (action == "restore") {
    return db_.Count("SELECT count(*) FROM summa_host.migration WHERE slice_state = 'restored'") >
           0;
  }
  return db_.Value(
             "SELECT coalesce(bool_and(finished_at IS NOT NULL), false) FROM "
             "summa_host.operation") == "t";
}

void MigratedLedger::Prepare(const std::string& action, const CrashAt& half) {
  if (const std::string before = Before(action); !before.empty()) {
    Prepare(before);
    GoOn(0, before);
  }
  Arrange(action, half);
}

void MigratedLedger::Arrange(const std::string& action, const CrashAt& half) {
  if (action == "begin") LetATailGrow();
  if (action == "slice" || action == "leave slices") LetTimePass();
  const std::map<std::string, std::pair<std::string, std::string>> halves = {
      {"abort", {"swap", strategy_ == "online" ? "migration.backfilled" : "migration.indexed"}},
      {"leave slices", {"slice", "migration.slices_verified"}}};
  const auto found = halves.find(action);
  if (found == halves.end()) return;
  const auto& [forward, place] = found->second;
  const CrashAt at = half.name.empty() ? CrashAt{place, 1, false} : half;
  if (!Dies(0, forward, at)) throw std::runtime_error("it came not to " + Text(at));
}

// Behind a copy that waits for a decision: the next host begins with the events since then. In this
// state a verb does one step.
void MigratedLedger::LetATailGrow() {
  do {
    GoOn(0, "begin");
  } while (db_.Value("SELECT guard_position = sealed_position AND NOT EXISTS (SELECT FROM "
                     "summa_host.migration_chunk WHERE state = 'copied') FROM "
                     "summa_host.migration") != "t");
  WaitUntil(
      [&] {
        return db_.Count(
                   "SELECT count(*) FROM ledger_event WHERE sequence_number > (SELECT "
                   "sealed_position FROM summa_host.migration)") > kBatch;
      },
      kTimeout, "more events than a batch has");
}

// As if the time of the flat table, which is attached, was over. Without writers: one that is in
// the middle of a chain would go back in time into the older partition, and have to try again.
void MigratedLedger::LetTimePass() {
  if (traffic_) traffic_->Stop();
  db_.Execute(kTimePasses);
  if (traffic_) traffic_->Start();
  WaitUntil(
      [&] {
        return db_.Value(
                   "SELECT clock_timestamp() > bound + interval '1 second' FROM "
                   "summa_host.migration") == "t";
      },
      kTimeout, "closed_after to be over");
}

std::vector<std::string> MigratedLedger::Inventory() {
  std::vector<std::string> lines = db_.Column(kInventory);
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::string MigratedLedger::State() {
  return db_.Value(
      "SELECT string_agg(concat_ws(' ', m.state, m.slice_state, 'request', coalesce(m.request, "
      "'none'), 'difference', m.verification_failed, 'slices', m.slice_table IS NOT NULL, "
      "'operation', o.state, 'finished', o.finished_at IS NOT NULL), '; ') FROM "
      "summa_host.migration m JOIN summa_host.operation o ON o.id = m.operation");
}

long long MigratedLedger::Differences(const std::string& one, const std::string& other) {
  const std::string rows = std::string("SELECT ") + kColumns + " FROM ";
  const auto more = [&](const std::string& left, const std::string& right) {
    return db_.Count("SELECT count(*) FROM (" + rows + left + " EXCEPT ALL " + rows + right +
                     ") d");
  };
  return more(one, other) + more(other, one);
}

void MigratedLedger::CheckEvents(const std::string& action, std::vector<std::string>& problems) {
  const auto expect_none = [&](long long count, const std::string& what) {
    if (count != 0) problems.push_back(std::to_string(count) + " " + what);
  };
  expect_none(db_.Count("SELECT count(*) FROM outbox o WHERE event_id IS NOT NULL AND NOT EXISTS "
                        "(SELECT FROM ledger_event e WHERE e.id = o.event_id)"),
              "outbox rows without their event");
  expect_none(db_.Count("SELECT count(*) - count(DISTINCT id) FROM ledger_event"),
              "events are there twice");
  const bool flat = action == "abort" || action == "rollback";
  const long long keys = db_.Count("SELECT count(*) FROM summa_host.ledger_event_key");
  const long long events = flat ? 0 : db_.Count("SELECT count(*) FROM ledger_event");
  expect_none(keys - events, "keys more than events");
  if (action == "slice" || action == "slice again") {
    expect_none(Differences("ledger_event WHERE created_at < (SELECT bound FROM "
                            "summa_host.migration)",
                            "ledger_event_old"),
                "events differ between the slices and the old table");
  }
  if (action == "swap" && strategy_ == "online") {
    expect_none(Differences("ledger_event", "ledger_event_old"),
                "events differ between the two tables");
  }
}

void MigratedLedger::CheckEnd(const std::string& action, std::vector<std::string>& problems) {
  const Undisturbed& undisturbed = UndisturbedRun(server_, strategy_, action);
  if (State() != undisturbed.state) {
    problems.push_back("the end is: " + State() + "; undisturbed: " + undisturbed.state);
  }
  if (undisturbed.months != months_) return;  // it has other ranges
  const std::vector<std::string> here = Inventory();
  const auto note = [&](const auto& one, const auto& other, const std::string& what) {
    std::vector<std::string> more;
    std::set_difference(one.begin(), one.end(), other.begin(), other.end(),
                        std::back_inserter(more));
    for (const std::string& line : more) problems.push_back(what + ": " + line);
  };
  note(here, undisturbed.inventory, "left over");
  note(undisturbed.inventory, here, "missing");
}

std::vector<std::string> MigratedLedger::Problems(const std::string& action) {
  std::vector<std::string> problems;
  if (traffic_) {
    traffic_->Stop();
    if (traffic_->Failed() != 0) problems.push_back("a writer saw: " + traffic_->LastError());
  }
  for (const std::string& violation : LedgerViolations(url_)) problems.push_back(violation);
  CheckEvents(action, problems);
  CheckEnd(action, problems);
  return problems;
}

namespace {

using Known = std::map<std::tuple<std::string, std::string, std::string>, Undisturbed>;

// False: a host had to be started again, so that its crash points say nothing.
bool Record(MigratedLedger& ledger, const std::string& strategy, const std::string& months,
            const std::string& action, Known& known) {
  if (const std::string before = Before(action); !before.empty()) {
    if (!Record(ledger, strategy, months, before, known)) return false;
  }
  ledger.Arrange(action);
  const TemporaryFile file("points", "");
  if (ledger.GoOn(0, action, {{"SUMMA_CRASH_RECORD", file.Path()}}) != 1) return false;
  known[{strategy, months, action}] = {months, PointsIn(file.Path()), ledger.Inventory(),
                                       ledger.State()};
  return true;
}

}  // namespace

const Undisturbed& UndisturbedRun(PostgresServer& server, const std::string& strategy,
                                  const std::string& action) {
  static Known known;
  Db clock(server.Url("postgres"));
  for (int tries = 0; tries < kMostStarts; ++tries) {
    const std::string months = MonthsOf(clock);
    if (const auto found = known.find({strategy, months, action}); found != known.end()) {
      return found->second;
    }
    MigratedLedger ledger(server, strategy);
    Known more;
    const bool recorded = Record(ledger, strategy, months, LongestChain(strategy, action), more);
    if (recorded && MonthsOf(clock) == months) known.merge(more);
  }
  throw std::runtime_error("no undisturbed run of " + action);
}

}  // namespace summa::test
