#include "host/database/control_plane.hpp"

#include <mutex>

#include "host/database/connection_settings.hpp"
#include "host/database/layout.hpp"
#include "host/database/migrations.hpp"
#include "host/database/pqxx_shim.hpp"
#include "host/database/reconnect_gate.hpp"
#include "host/lease/lease_statements.hpp"

namespace summa::host {
namespace {

// Reached only by a program that went wrong: more steps than a release can have.
constexpr int kMaxMigrationSteps = 1000;

// An error is cut at 2,000 characters, by the server, which never cuts one in two.
constexpr const char* kRecordRun = R"sql(
INSERT INTO summa_host.worker_state AS w
  (worker_id, plugin, kind, state, host, last_run_at, last_success_at, next_due_at, last_error, updated_at)
VALUES ($1, $2, $3,
        CASE WHEN NOT $5::boolean THEN 'error' WHEN $3 = 'continuous' THEN 'running' ELSE 'waiting' END,
        $4, clock_timestamp(),
        CASE WHEN $5::boolean THEN clock_timestamp() END,
        clock_timestamp() + $7::bigint * interval '1 microsecond', left($6, 2000), clock_timestamp())
ON CONFLICT (worker_id) DO UPDATE SET
  plugin = excluded.plugin, kind = excluded.kind, state = excluded.state, host = excluded.host,
  last_run_at = excluded.last_run_at,
  last_success_at = coalesce(excluded.last_success_at, w.last_success_at),
  next_due_at = coalesce(excluded.next_due_at, w.next_due_at),
  last_error = excluded.last_error, updated_at = excluded.updated_at)sql";

constexpr const char* kRecordState = R"sql(
INSERT INTO summa_host.worker_state AS w (worker_id, plugin, kind, state, host, updated_at)
VALUES ($1, $2, $3, $4, $5, clock_timestamp())
ON CONFLICT (worker_id) DO UPDATE SET
  plugin = excluded.plugin, kind = excluded.kind, state = excluded.state, host = excluded.host,
  updated_at = excluded.updated_at)sql";

constexpr const char* kTimeUntilDue = R"sql(
SELECT (extract(epoch FROM next_due_at - clock_timestamp()) * 1000000)::bigint
FROM summa_host.worker_state WHERE worker_id = $1 AND next_due_at IS NOT NULL)sql";

std::string IsoTime(const std::string& column) {
  return "to_char(" + column + " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";
}

std::string WorkersQuery(const std::string& schema) {
  return "SELECT worker_id, s.kind, s.state, s.host, " + IsoTime("s.last_run_at") + ", " +
         IsoTime("s.last_success_at") + ", " + IsoTime("s.next_due_at") +
         ", s.paused, s.last_error, l.lease_holder, " + IsoTime("l.lease_until") +
         ", f.fence FROM summa_host.worker_state s FULL JOIN (SELECT worker_id::text, "
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

 private:
  void RunOnce(const std::function<void(ControlTransaction&)>& body) {
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

std::vector<MigrationStep> ControlPlane::Migrations() {
  std::vector<MigrationStep> steps;
  state_->Run([&](ControlTransaction& transaction) { steps = ReadMigrations(transaction); });
  return steps;
}

std::vector<MigrationStep> ControlPlane::Migrate() {
  std::vector<MigrationStep> applied;
  for (int i = 0; i < kMaxMigrationSteps; ++i) {
    std::optional<MigrationStep> step;
    state_->Run([&](ControlTransaction& transaction) { step = ApplyNextMigration(transaction); });
    if (!step) break;
    applied.push_back(std::move(*step));
  }
  return applied;
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

void ControlPlane::RecordRun(const RunRecord& record) {
  std::optional<std::string> error, next_due;
  if (!record.ok) error = record.error;
  if (record.next_due_in) next_due = std::to_string(record.next_due_in->count());
  state_->Run([&](ControlTransaction& transaction) {
    transaction.Exec(kRecordRun, {record.worker_id, record.plugin, record.kind, record.host,
                                  record.ok ? "true" : "false", error, next_due});
  });
}

void ControlPlane::RecordState(const std::string& worker_id, const std::string& plugin,
                               const std::string& kind, const std::string& state,
                               const std::string& host) {
  state_->Run([&](ControlTransaction& transaction) {
    transaction.Exec(kRecordState, {worker_id, plugin, kind, state, host});
  });
}

std::optional<Microseconds> ControlPlane::TimeUntilDue(const std::string& worker_id) {
  std::optional<Microseconds> due;
  state_->Run([&](ControlTransaction& transaction) {
    const ControlRows rows = transaction.Exec(kTimeUntilDue, {worker_id});
    due.reset();
    if (!rows.empty()) due = Microseconds(std::stoll(rows[0].at(0).value()));
  });
  return due;
}

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
      workers.push_back(std::move(worker));
    }
  });
  return workers;
}

}  // namespace summa::host
