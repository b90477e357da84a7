#include "host/database/control_plane.hpp"

#include <algorithm>
#include <mutex>
#include <sstream>

#include "host/database/connection_settings.hpp"
#include "host/database/control_connection.hpp"
#include "host/database/create_ledger.hpp"
#include "host/database/layout.hpp"
#include "host/database/migrations.hpp"
#include "host/database/reconnect_gate.hpp"
#include "host/database/whole_tables.hpp"
#include "host/lease/lease_statements.hpp"

namespace summa::host {
namespace {

// From the parameters $7 (microseconds) and $8 (times of the day); null without $7.
constexpr const char* kNextDue = R"sql(
  CASE WHEN cardinality($8::bigint[]) > 0
       THEN summa_host.next_time_of_day($8::bigint[], clock_timestamp())
       ELSE clock_timestamp() END + $7::bigint * interval '1 microsecond')sql";

constexpr const char* kUntilDue =
    " RETURNING (extract(epoch FROM next_due_at - clock_timestamp()) * 1000000)::bigint";

// An error is cut at 2,000 characters, by the server, which never cuts one in two.
std::string RecordRunStatement() {
  return std::string(R"sql(
WITH held AS MATERIALIZED (
  SELECT 1 FROM summa_host.worker_fence WHERE worker = $1 AND fence = $10::bigint FOR SHARE)
INSERT INTO summa_host.worker_state AS w
  (worker_id, plugin, kind, state, host, last_run_at, last_success_at, next_due_at, last_error,
   schedule, updated_at)
SELECT $1, $2, $3,
        CASE WHEN NOT $5::boolean THEN 'error' WHEN $3 = 'continuous' THEN 'running' ELSE 'waiting' END,
        $4, clock_timestamp(),
        CASE WHEN $5::boolean THEN clock_timestamp() END,)sql") +
         kNextDue + R"sql(, left($6, 2000), nullif($9, ''), clock_timestamp()
WHERE $10::bigint = 0 OR EXISTS (SELECT FROM held)
ON CONFLICT (worker_id) DO UPDATE SET
  plugin = excluded.plugin, kind = excluded.kind, state = excluded.state, host = excluded.host,
  last_run_at = excluded.last_run_at,
  last_success_at = coalesce(excluded.last_success_at, w.last_success_at),
  next_due_at = coalesce(excluded.next_due_at, w.next_due_at),
  schedule = CASE WHEN excluded.next_due_at IS NULL THEN w.schedule ELSE excluded.schedule END,
  last_error = excluded.last_error, updated_at = excluded.updated_at)sql" +
         kUntilDue;
}

// The numbers of the parameters are those of a recorded run: $5 is whether the worker is well,
// which a worker without a row is, and $6 the due time that is known.
std::string MoveDueStatement() {
  return std::string(R"sql(
INSERT INTO summa_host.worker_state AS w
  (worker_id, plugin, kind, state, host, next_due_at, schedule, updated_at)
VALUES ($1, $2, $3, CASE WHEN $5::boolean THEN 'waiting' ELSE 'error' END, $4,)sql") +
         kNextDue + R"sql(, nullif($9, ''), clock_timestamp())
ON CONFLICT (worker_id) DO UPDATE SET
  next_due_at = excluded.next_due_at, schedule = excluded.schedule, updated_at = excluded.updated_at
WHERE w.next_due_at IS NOT DISTINCT FROM nullif($6, '')::timestamptz)sql" +
         kUntilDue;
}

constexpr const char* kRecordState = R"sql(
INSERT INTO summa_host.worker_state AS w (worker_id, plugin, kind, state, host, updated_at)
VALUES ($1, $2, $3, $4, $5, clock_timestamp())
ON CONFLICT (worker_id) DO UPDATE SET
  plugin = excluded.plugin, kind = excluded.kind, state = excluded.state, host = excluded.host,
  updated_at = excluded.updated_at)sql";

constexpr const char* kDue = R"sql(
SELECT (extract(epoch FROM next_due_at - clock_timestamp()) * 1000000)::bigint, next_due_at, schedule
FROM summa_host.worker_state WHERE worker_id = $1 AND next_due_at IS NOT NULL)sql";

// Catalogs only: asking them waits for nobody. The advisory lock is that of migrations.cpp.
constexpr const char* kLockHolders = R"sql(
SELECT string_agg(DISTINCT format('pid %s (%s%s) holds %s on %s', l.pid,
                         coalesce(nullif(a.application_name, ''), 'no name'),
                         coalesce(', ' || a.state, ''), l.mode,
                         coalesce(n.nspname || '.' || c.relname, 'the right to migrate')), '; ')
FROM pg_locks l
LEFT JOIN pg_class c ON l.locktype = 'relation' AND c.oid = l.relation
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.pid <> pg_backend_pid()
  AND ((n.nspname IN ('summa_host', $1) AND c.relkind IN ('r', 'p', 'v')
        AND l.mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock'))
       OR (l.locktype = 'advisory' AND (l.classid::bigint << 32) + l.objid::bigint = 7308332246085722)))sql";

FencedFailure Fenced(const std::string& worker_id) {
  return {
      Error{"SH-0301", "the lease of " + worker_id + " was gone when its run was to be recorded",
            "Another host goes on with the work; look at clocks, pauses and lease_ttl when it "
            "happens often",
            ""},
      ""};
}

std::string TimesLiteral(const std::vector<Microseconds>& times) {
  std::string text = "{";
  for (const Microseconds time : times) {
    if (text.size() > 1) text += ',';
    text += std::to_string(time.count());
  }
  return text + "}";
}

std::optional<Microseconds> ReadTime(const ControlRows& rows) {
  if (rows.empty() || !rows[0].at(0)) return std::nullopt;
  return Microseconds(std::stoll(*rows[0].at(0)));
}

// The names in a text with one a line.
std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string IsoTime(const std::string& column) {
  return "to_char(" + column + " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";
}

std::string WorkersQuery(const std::string& schema) {
  // Whoever ran a worker that takes leases runs it no more when nobody holds the lease.
  return "SELECT worker_id, s.kind, CASE WHEN s.state = 'running' AND f.fence IS NOT NULL AND "
         "l.lease_holder IS NULL THEN 'stopped' ELSE s.state END, s.host, " +
         IsoTime("s.last_run_at") + ", " + IsoTime("s.last_success_at") + ", " +
         IsoTime("s.next_due_at") + ", s.paused, s.last_error, l.lease_holder, " +
         IsoTime("l.lease_until") + ", f.fence, s.plugin, s.paused_by, s.paused_reason, " +
         IsoTime("s.paused_since") +
         ", (SELECT string_agg(CASE p.host WHEN '' THEN 'every host' ELSE p.host END, "
         "chr(10) ORDER BY p.host) FROM summa_host.worker_parked p "
         "WHERE p.worker_id = s.worker_id) FROM summa_host.worker_state s FULL JOIN (SELECT "
         "worker_id::text, "
         "lease_holder, lease_until FROM " +
         QuoteIdentifier(schema) + ".worker_lease WHERE lease_until > clock_timestamp() AND NOT " +
         IdleLease("lease_holder") +
         ") l USING (worker_id) FULL JOIN "
         "(SELECT worker AS worker_id, fence FROM summa_host.worker_fence) f USING (worker_id) "
         "ORDER BY worker_id";
}

}  // namespace

struct ControlPlane::State {
  explicit State(DatabaseSettings given) : settings(std::move(given)) {}

  const DatabaseSettings settings;
  std::mutex mutex;
  std::unique_ptr<ControlConnection> connection;
  ReconnectGate gate{kFirstReconnectPause, kLongestReconnectPause};

  // Every use is one transaction that may be repeated: it reads, or it writes what does not depend
  // on what it wrote before (upserts; a migration looks under a lock for the first missing step).
  // So a connection that died while nobody used it is replaced once, and a COMMIT without an answer
  // is simply done again.
  void Run(const std::function<void(ControlTransaction&)>& body) {
    const std::lock_guard lock(mutex);
    const bool fresh = connection == nullptr;
    try {
      RunOnce(body);
    } catch (const SqlFailure& failure) {
      const bool in_doubt = failure.error().code == "SH-0404";
      if (connection != nullptr || (fresh && !in_doubt)) throw;
      RunOnce(body);
    }
  }

  // For a body that may leave settings in the session: nobody uses it afterwards.
  void RunLast(const std::function<void(ControlTransaction&)>& body) {
    const auto close = [this] {
      const std::lock_guard lock(mutex);
      connection.reset();
    };
    try {
      Run(body);
    } catch (...) {
      close();
      throw;
    }
    close();
  }

 private:
  void RunOnce(const std::function<void(ControlTransaction&)>& body) {
    if (connection && !connection->usable()) connection.reset();
    if (!connection) {
      connection = gate.Open([this] { return std::make_unique<ControlConnection>(settings); });
    }
    try {
      connection->Run(body);
    } catch (...) {
      if (connection->broken()) connection.reset();
      throw;
    }
  }
};

ControlPlane::ControlPlane(DatabaseSettings ledger)
    : state_(std::make_unique<State>(std::move(ledger))) {}
ControlPlane::~ControlPlane() = default;

std::vector<MigrationStep> ControlPlane::Migrations(const std::vector<SchemaStep>& steps) {
  std::vector<MigrationStep> found;
  state_->Run([&](ControlTransaction& transaction) { found = ReadMigrations(transaction, steps); });
  return found;
}

std::vector<MigrationStep> ControlPlane::Migrate(const std::vector<SchemaStep>& steps) {
  std::vector<MigrationStep> applied;
  for (;;) {
    // A look first: a role that may only read is told so only when something is missing.
    const std::vector<MigrationStep> found = Migrations(steps);
    RequireSound(found);
    if (std::all_of(found.begin(), found.end(),
                    [](const MigrationStep& step) { return step.applied; })) {
      return applied;
    }
    std::optional<MigrationStep> step;
    state_->RunLast(
        [&](ControlTransaction& transaction) { step = ApplyNextMigration(transaction, steps); });
    if (step) applied.push_back(std::move(*step));  // else another program was quicker
  }
}

void ControlPlane::CreatePlanLedger() {
  state_->Run([&](ControlTransaction& transaction) {
    host::CreatePlanLedger(transaction, state_->settings.schema);
  });
}
Layout ControlPlane::DetectLayout() {
  Layout layout = Layout::kDeployed;
  state_->Run([&](ControlTransaction& transaction) {
    layout = FindLayout(transaction, state_->settings.schema);
  });
  return layout;
}

std::string ControlPlane::ServerVersion() {
  std::string version;
  state_->Run([&](ControlTransaction& transaction) {
    version = transaction.Exec("SHOW server_version", {}).at(0).at(0).value_or("");
  });
  return version;
}

std::string ControlPlane::LockHolders() {
  std::string holders;
  state_->Run([&](ControlTransaction& transaction) {
    const ControlRows rows = transaction.Exec(kLockHolders, {state_->settings.schema});
    holders = rows.empty() ? "" : rows[0].at(0).value_or("");
  });
  return holders;
}

std::vector<Error> ControlPlane::RequireWholeTables(const std::vector<std::string>& tables) {
  std::vector<Error> found, beside;
  state_->Run([&](ControlTransaction& transaction) {
    found = FindPartialTables(transaction, tables, false);
    beside = FindDetachedParts(transaction, tables);
  });
  if (!found.empty()) throw Failure(std::move(found.front()));
  return beside;
}

std::optional<Microseconds> ControlPlane::RecordRun(const RunRecord& record) {
  std::optional<std::string> error, next_due;
  if (!record.ok) error = record.error;
  if (record.next_due_in) next_due = std::to_string(record.next_due_in->count());
  ControlRows rows;
  state_->Run([&](ControlTransaction& transaction) {
    rows = transaction.Exec(RecordRunStatement(), {record.worker_id, record.plugin, record.kind,
                                                   record.host, record.ok ? "true" : "false", error,
                                                   next_due, TimesLiteral(record.times),
                                                   record.schedule, std::to_string(record.fence)});
  });
  if (rows.empty()) throw Fenced(record.worker_id);
  return ReadTime(rows);
}

std::optional<Microseconds> ControlPlane::MoveDue(const RunRecord& record, const DueTime& known) {
  const std::string delay = std::to_string(record.next_due_in.value_or(Microseconds(0)).count());
  std::optional<Microseconds> until;
  state_->Run([&](ControlTransaction& transaction) {
    until = ReadTime(transaction.Exec(
        MoveDueStatement(),
        {record.worker_id, record.plugin, record.kind, record.host, record.ok ? "true" : "false",
         known.moment, delay, TimesLiteral(record.times), record.schedule}));
  });
  return until;
}

void ControlPlane::RecordState(const std::string& worker_id, const std::string& plugin,
                               const std::string& kind, const std::string& state,
                               const std::string& host) {
  state_->Run([&](ControlTransaction& transaction) {
    transaction.Exec(kRecordState, {worker_id, plugin, kind, state, host});
  });
}

DueTime ControlPlane::Due(const std::string& worker_id) {
  DueTime due;
  state_->Run([&](ControlTransaction& transaction) {
    const ControlRows rows = transaction.Exec(kDue, {worker_id});
    due = {};
    if (rows.empty()) return;
    due.until = ReadTime(rows);
    due.moment = rows[0].at(1).value_or("");
    due.schedule = rows[0].at(2).value_or("");
  });
  return due;
}

const DatabaseSettings& ControlPlane::settings() const { return state_->settings; }

std::vector<WorkerState> ControlPlane::Workers() {
  std::vector<WorkerState> workers;
  state_->Run([&](ControlTransaction& transaction) {
    workers.clear();
    for (const auto& row : transaction.Exec(WorkersQuery(state_->settings.schema), {})) {
      WorkerState worker;
      worker.worker_id = row.at(0).value_or("");
      worker.kind = row.at(1).value_or("");
      worker.state = row.at(2).value_or("");
      worker.host = row.at(3).value_or("");
      worker.last_run_at = row.at(4).value_or("");
      worker.last_success_at = row.at(5).value_or("");
      worker.next_due_at = row.at(6).value_or("");
      worker.paused = row.at(7) == "t";
      worker.last_error = row.at(8).value_or("");
      worker.holder = row.at(9).value_or("");
      worker.lease_until = row.at(10).value_or("");
      worker.fence = std::stoll(row.at(11).value_or("0"));
      worker.plugin = row.at(12).value_or("");
      worker.paused_by = row.at(13).value_or("");
      worker.paused_reason = row.at(14).value_or("");
      worker.paused_since = row.at(15).value_or("");
      worker.parked_on = Lines(row.at(16).value_or(""));
      workers.push_back(std::move(worker));
    }
  });
  return workers;
}

}  // namespace summa::host
