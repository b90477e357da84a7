// What is done to a database before there is work, and what verbs ask: migrations, the layout of
// the ledger, who holds locks. What running hosts share is in worker_store.hpp.
// Thread-safe: calls are serialised on one connection, which is opened on demand and opened anew
// after it broke (never silently in the middle of a transaction). Every call is one transaction
// that may be repeated, and is repeated once when the answer to its COMMIT was lost: whatever is
// added here must be so, too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/database/schema_step.hpp"
#include "host/database/session.hpp"

namespace summa::host {

enum class Layout { kDeployed, kPlan };

class ControlPlane {
 public:
  explicit ControlPlane(DatabaseSettings ledger);
  ~ControlPlane();

  // ReadMigrations().
  std::vector<MigrationStep> Migrations(const std::vector<SchemaStep>& steps = HostSteps());
  // Applies what is missing, in order, each in a transaction of its own, and returns it;
  // idempotent, safe with several at once. What ApplyNextMigration throws; steps before stay
  // applied.
  std::vector<MigrationStep> Migrate(const std::vector<SchemaStep>& steps = HostSteps());
  void CreatePlanLedger();  // in an empty database only: SH-0422
  // With a partitioned ledger_event, and all the steps of the ledger, in one transaction.
  std::vector<MigrationStep> CreatePartitionedPlanLedger(const std::vector<SchemaStep>& steps);
  Layout DetectLayout();  // from the catalog; SH-04xx when it is neither (says what is missing)
  // Who holds a lock on a table of schema summa_host or of the ledger that keeps readers away, or
  // migrates: "pid 71 (psql, idle in transaction) holds AccessExclusiveLock on summa_host.x".
  // Empty: nobody, or it cannot be seen.
  std::string LockHolders();
  // Throws SH-0430, SH-0431: not all rows of these tables ("schema.table") are to be seen. Returns
  // what is to be said and is no reason to stand still (SH-0432).
  std::vector<Error> RequireWholeTables(const std::vector<std::string>& tables);
  const DatabaseSettings& settings() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace summa::host
