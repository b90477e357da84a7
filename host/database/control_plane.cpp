#include "host/database/control_plane.hpp"

#include <algorithm>

#include "host/database/control_connection.hpp"
#include "host/database/create_ledger.hpp"
#include "host/database/layout.hpp"
#include "host/database/migrations.hpp"
#include "host/database/reconnect_gate.hpp"
#include "host/database/whole_tables.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

// Catalogs only: such queries wait for no lock. The advisory lock is that of migrations.cpp.
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

}  // namespace

struct ControlPlane::State {
  explicit State(DatabaseSettings given) : settings(std::move(given)) {}

  const DatabaseSettings settings;
  Mutex mutex;
  std::unique_ptr<ControlConnection> connection SUMMA_GUARDED_BY(mutex);
  ReconnectGate gate SUMMA_GUARDED_BY(mutex){kFirstReconnectPause, kLongestReconnectPause};

  // Every use is one transaction that may be repeated: it reads, or it writes what does not depend
  // on what it wrote before (upserts; a migration looks under a lock for the first missing step).
  // So a connection that died while nobody used it is replaced once, and a COMMIT without an answer
  // is simply done again.
  void Run(const std::function<void(ControlTransaction&)>& body) {
    const MutexLock lock(mutex);
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
      const MutexLock lock(mutex);
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
  void RunOnce(const std::function<void(ControlTransaction&)>& body) SUMMA_REQUIRES(mutex) {
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
    // A look first: a role that may only read gets an error only when something is missing.
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
std::vector<MigrationStep> ControlPlane::CreatePartitionedPlanLedger(
    const std::vector<SchemaStep>& steps) {
  std::vector<MigrationStep> applied;
  state_->RunLast([&](ControlTransaction& transaction) {
    applied = host::CreatePartitionedPlanLedger(transaction, state_->settings.schema, steps);
  });
  return applied;
}

Layout ControlPlane::DetectLayout() {
  Layout layout = Layout::kDeployed;
  state_->Run([&](ControlTransaction& transaction) {
    layout = FindLayout(transaction, state_->settings.schema);
  });
  return layout;
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
  std::vector<Error> beside;
  state_->Run([&](ControlTransaction& transaction) {
    beside = host::RequireWholeTables(transaction.Querier(), tables);
  });
  return beside;
}

const DatabaseSettings& ControlPlane::settings() const { return state_->settings; }

}  // namespace summa::host
