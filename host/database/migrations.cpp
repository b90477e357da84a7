#include "host/database/migrations.hpp"

#include <array>
#include <set>

#include "host/database/connection_settings.hpp"
#include "host_migrations.hpp"

namespace summa::host {
namespace {

struct Step {
  int version;
  const char* name;
  std::string_view sql;
};

constexpr std::array<Step, 8> kSteps = {{
    {1, "host", embedded::migration_001_host},
    {2, "outbox", embedded::migration_002_outbox},
    {3, "schedule", embedded::migration_003_schedule},
    {4, "outbox_delivery", embedded::migration_004_outbox_delivery},
    {5, "inbox", embedded::migration_005_inbox},
    {6, "reconciliation", embedded::migration_006_reconciliation},
    {7, "worker_start", embedded::migration_007_worker_start},
    {8, "operation", embedded::migration_008_operation},
}};

// Any number does; it must only be the same in every version of this program.
constexpr const char* kLockKey = "7308332246085722";  // "summa" and a bit
// Another program's step may take this long; the session's own limit is meant for rows.
constexpr const char* kLockPatience = "SET LOCAL lock_timeout = '30s'";

std::set<int> AppliedVersions(ControlTransaction& transaction) {
  const ControlRows table = transaction.Exec(
      "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
      "c.relnamespace WHERE n.nspname = 'summa_host' AND c.relname = 'schema_migration'",
      {});
  std::set<int> versions;
  if (table.empty()) return versions;
  for (const auto& row :
       transaction.Exec("SELECT version FROM summa_host.schema_migration ORDER BY version", {})) {
    versions.insert(std::stoi(row.at(0).value()));
  }
  return versions;
}

[[noreturn]] void MayNotCreate(const std::string& what, const std::string& grants) {
  throw SqlFailure(
      Error{"SH-0413", what,
            "Let the owner of the database run: " + grants + " Then run: summa-host migrate", ""},
      "42501");
}

// Asked before trying: the message can then name what to grant to whom.
void EnsureSchema(ControlTransaction& transaction) {
  const auto row =
      transaction
          .Exec(
              "SELECT current_user, current_database(), n.oid IS NOT NULL, "
              "has_database_privilege(current_database(), 'CREATE'), "
              "coalesce(has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, "
              "'USAGE'), false) FROM (SELECT 1) one LEFT JOIN pg_catalog.pg_namespace n ON "
              "n.nspname = 'summa_host'",
              {})
          .at(0);
  const std::string role = row.at(0).value(), database = row.at(1).value();
  const bool exists = row.at(2) == "t", may_create = row.at(3) == "t", may_use = row.at(4) == "t";
  const std::string quoted_role = QuoteIdentifier(role);
  if (exists && !may_use) {
    MayNotCreate("role \"" + role + "\" may not create tables in schema summa_host",
                 "GRANT USAGE, CREATE ON SCHEMA summa_host TO " + quoted_role + ";");
  }
  if (!exists && !may_create) {
    MayNotCreate(
        "role \"" + role + "\" may not create the schema summa_host in database \"" + database +
            "\"",
        "GRANT CREATE ON DATABASE " + QuoteIdentifier(database) + " TO " + quoted_role + ";");
  }
  if (!exists) transaction.ExecScript("CREATE SCHEMA summa_host");
  transaction.ExecScript(
      "CREATE TABLE IF NOT EXISTS summa_host.schema_migration (version integer PRIMARY KEY, name "
      "text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())");
}

}  // namespace

std::vector<MigrationStep> ReadMigrations(ControlTransaction& transaction) {
  const std::set<int> applied = AppliedVersions(transaction);
  std::vector<MigrationStep> steps;
  steps.reserve(std::size(kSteps));
  for (const Step& step : kSteps) {
    steps.push_back({step.version, step.name, applied.count(step.version) > 0});
  }
  return steps;
}

std::optional<MigrationStep> ApplyNextMigration(ControlTransaction& transaction) {
  // Without the lock first: a role that may only read is told so only when something is missing.
  bool missing = false;
  for (const MigrationStep& step : ReadMigrations(transaction)) missing |= !step.applied;
  if (!missing) return std::nullopt;
  transaction.ExecScript(kLockPatience);
  transaction.ExecScript("SELECT pg_advisory_xact_lock(" + std::string(kLockKey) + ")");
  EnsureSchema(transaction);
  const std::set<int> applied = AppliedVersions(transaction);
  for (const Step& step : kSteps) {
    if (applied.count(step.version) > 0) continue;
    transaction.ExecScript(std::string(step.sql));
    transaction.Exec("INSERT INTO summa_host.schema_migration (version, name) VALUES ($1, $2)",
                     {std::to_string(step.version), step.name});
    return MigrationStep{step.version, step.name, true};
  }
  return std::nullopt;
}

}  // namespace summa::host
