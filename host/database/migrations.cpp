#include "host/database/migrations.hpp"

#include <array>
#include <map>
#include <summa/ledger/hash.hpp>
#include <tuple>
#include <utility>

#include "host/database/connection_settings.hpp"
#include "host_migrations.hpp"

namespace summa::host {
namespace {

// Steps that were the host's own before plugins had some: their number then, and what they are now.
// Their old records stay, for programs that know them under no other number.
struct MovedStep {
  int number;
  const char* plugin;
  int version;
  const char* name;
};
constexpr std::array<MovedStep, 3> kMovedSteps = {{
    {2, "outbox", 1, "outbox"},
    {4, "outbox", 2, "delivery"},
    {6, "reconciliation", 1, "reconciliation"},
}};

// Any number does; it must only be the same in every version of this program.
constexpr const char* kLockKey = "7308332246085722";  // "summa" and a bit
// Another program's step may take this long; the session's own limit is meant for rows.
constexpr const char* kLockTimeout = "SET LOCAL lock_timeout = '30s'";

// The table of records as the first releases made it, and what it has since plugins have steps.
// Programs of those releases read and write it still: the defaults are for them.
constexpr const char* kFirstRecords =
    "CREATE TABLE IF NOT EXISTS summa_host.schema_migration (version integer PRIMARY KEY, name "
    "text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())";
constexpr const char* kRecordsOfPlugins =
    "ALTER TABLE summa_host.schema_migration DROP CONSTRAINT schema_migration_pkey, ADD COLUMN "
    "plugin text NOT NULL DEFAULT 'host', ADD COLUMN database text NOT NULL DEFAULT 'ledger', ADD "
    "COLUMN release text, ADD COLUMN checksum text, ADD PRIMARY KEY (plugin, database, version)";

enum class RecordTable { kNone, kFirst, kOfPlugins };

RecordTable FindRecords(ControlTransaction& transaction) {
  const ControlRows rows = transaction.Exec(
      "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname "
      "= 'checksum') FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
      "c.relnamespace WHERE n.nspname = 'summa_host' AND c.relname = 'schema_migration'",
      {});
  if (rows.empty()) return RecordTable::kNone;
  return rows[0].at(0) == "t" ? RecordTable::kOfPlugins : RecordTable::kFirst;
}

using StepKey = std::tuple<std::string, std::string, int>;  // plugin, database, version

struct Record {
  std::string name;
  std::string release;
  std::string checksum;  // empty: applied by a release that kept none
};

std::map<StepKey, Record> ReadRecords(ControlTransaction& transaction) {
  std::map<StepKey, Record> records;
  const RecordTable table = FindRecords(transaction);
  if (table == RecordTable::kNone) return records;
  const ControlRows rows = transaction.Exec(
      table == RecordTable::kFirst
          ? "SELECT 'host', 'ledger', version, name, NULL, NULL FROM summa_host.schema_migration"
          : "SELECT plugin, database, version, name, release, checksum FROM "
            "summa_host.schema_migration",
      {});
  for (const auto& row : rows) {
    records[{row.at(0).value(), row.at(1).value(), std::stoi(row.at(2).value())}] = {
        row.at(3).value(), row.at(4).value_or(""), row.at(5).value_or("")};
  }
  for (const MovedStep& step : kMovedSteps) {
    if (!records.contains({kHostSchema, "ledger", step.number})) continue;
    records.try_emplace({step.plugin, "ledger", step.version}, Record{step.name, "", ""});
  }
  return records;
}

std::string Checksum(const std::string& sql) {
  ledger::Hasher hasher;
  hasher.Add(sql);
  return hasher.Finish().string();
}

Error Changed(const MigrationStep& step, const std::string& applied, const std::string& now) {
  constexpr std::size_t kShown = 12;
  return {"SH-0435",
          "step " + NameOf(step) + " was changed after it was applied: its checksum is " +
              now.substr(0, kShown) + "..., the database has " + applied.substr(0, kShown) + "...",
          "Install the release of " + step.plugin +
              " that the database was migrated with, or a later one. The author of a plugin puts "
              "changes into a new step",
          ""};
}

Error Newer(const MigrationStep& step, const std::string& release, int last) {
  return {"SH-0436",
          "the database has step " + NameOf(step) +
              (release.empty() ? "" : " of release " + release) +
              ", but the last one known here is " + std::to_string(last),
          "Install the release of " + step.plugin + " that applied it, or a later one", ""};
}

std::vector<MigrationStep> Compare(const std::vector<SchemaStep>& steps,
                                   const std::map<StepKey, Record>& records) {
  std::vector<MigrationStep> compared;
  std::map<std::pair<std::string, std::string>, int> last;  // by plugin and database
  for (const SchemaStep& step : steps) {
    MigrationStep& each =
        compared.emplace_back(MigrationStep{step.plugin, step.database, step.version, step.name});
    last[{step.plugin, step.database}] = step.version;
    const auto record = records.find({step.plugin, step.database, step.version});
    if (record == records.end()) continue;
    each.applied = true;
    const std::string& applied = record->second.checksum;
    const std::string now = Checksum(step.sql);
    if (!applied.empty() && applied != now) each.problem = Changed(each, applied, now);
  }
  for (const auto& [key, record] : records) {
    const auto& [plugin, database, version] = key;
    const auto known = last.find({plugin, database});
    if (known == last.end() || version <= known->second) continue;
    MigrationStep& each =
        compared.emplace_back(MigrationStep{plugin, database, version, record.name, true});
    each.problem = Newer(each, record.release, known->second);
  }
  return compared;
}

// The first of the steps that is missing; nullptr: none is. Throws what RequireSound throws.
const SchemaStep* FirstMissing(ControlTransaction& transaction,
                               const std::vector<SchemaStep>& steps) {
  const std::vector<MigrationStep> compared = ReadMigrations(transaction, steps);
  RequireSound(compared);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!compared[i].applied) return &steps[i];
  }
  return nullptr;
}

[[noreturn]] void MayNotCreate(const std::string& what, const std::string& grants) {
  throw SqlFailure(
      Error{"SH-0413", what,
            "Let the owner of the database run: " + grants + " Then run: summa-host migrate", ""},
      "42501");
}

// The form of the table of records is changed by its owner only.
void RequireOwner(ControlTransaction& transaction) {
  const auto row = transaction
                       .Exec(
                           "SELECT current_user, pg_has_role(relowner, 'USAGE'), "
                           "pg_get_userbyid(relowner) FROM pg_catalog.pg_class WHERE oid = "
                           "'summa_host.schema_migration'::regclass",
                           {})
                       .at(0);
  if (row.at(1) == "t") return;
  throw Failure(
      "SH-0413",
      "role \"" + row.at(0).value() + "\" does not own the table summa_host.schema_migration",
      "Run summa-host migrate as role \"" + row.at(2).value() +
          "\", which ran the migrations before");
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
}

// The table of records in its present form. What was applied under an old number is recorded under
// its new one; what was applied before checksums were kept gets those of the steps that are known:
// released steps do not change.
void EnsureRecords(ControlTransaction& transaction, const std::vector<SchemaStep>& steps) {
  transaction.ExecScript(kFirstRecords);
  if (FindRecords(transaction) == RecordTable::kFirst) {
    RequireOwner(transaction);
    transaction.ExecScript(kRecordsOfPlugins);
  }
  for (const MovedStep& step : kMovedSteps) {
    transaction.Exec(
        "INSERT INTO summa_host.schema_migration (plugin, version, name, applied_at) SELECT "
        "$1::text, $2::integer, $3::text, applied_at FROM summa_host.schema_migration WHERE plugin "
        "= 'host' AND database = 'ledger' AND version = $4::integer ON CONFLICT DO NOTHING",
        {step.plugin, std::to_string(step.version), step.name, std::to_string(step.number)});
  }
  for (const SchemaStep& step : steps) {
    transaction.Exec(
        "UPDATE summa_host.schema_migration SET checksum = $4 WHERE plugin = $1 AND database = $2 "
        "AND version = $3::integer AND checksum IS NULL",
        {step.plugin, step.database, std::to_string(step.version), Checksum(step.sql)});
  }
}

// What temporarily prevents a step is reported as it is; everything else is a defect of the step.
SqlFailure StepFailed(const MigrationStep& step, const SqlFailure& failure) {
  constexpr int kDefectExit = 70, kConfigurationExit = 78;
  Error error = failure.error();
  const int exit_code = ExitCode(error);
  error.message = "step " + NameOf(step) + ": " + error.message;
  if (exit_code == kDefectExit || exit_code == kConfigurationExit) {
    error.code = "SH-0417";
    error.hint =
        "Nothing of the step was applied. Fix what the server reports, and run: summa-host migrate";
  }
  return SqlFailure(std::move(error), failure.sqlstate());
}

std::string RunningTransaction(ControlTransaction& transaction) {
  return transaction.Exec("SELECT txid_current()", {}).at(0).at(0).value();
}

MigrationStep Apply(ControlTransaction& transaction, const SchemaStep& step) {
  MigrationStep applied{step.plugin, step.database, step.version, step.name, true};
  const std::string begun = RunningTransaction(transaction);
  try {
    transaction.ExecScript(step.sql);
  } catch (const SqlFailure& failure) {
    throw StepFailed(applied, failure);
  }
  if (RunningTransaction(transaction) != begun) {
    throw Failure("SH-0417",
                  "step " + NameOf(applied) + " ended the transaction that it is applied in",
                  "Remove COMMIT, ROLLBACK and BEGIN from the step. What it did before them may "
                  "remain in the database without a record");
  }
  transaction.Exec(
      "INSERT INTO summa_host.schema_migration (plugin, database, version, name, release, "
      "checksum) VALUES ($1, $2, $3::integer, $4, nullif($5, ''), $6)",
      {step.plugin, step.database, std::to_string(step.version), step.name, step.release,
       Checksum(step.sql)});
  return applied;
}

}  // namespace

std::string NameOf(const MigrationStep& step) {
  return (step.plugin == kHostSchema ? "" : step.plugin + " ") +
         (step.database == "ledger" ? "" : step.database + " ") + std::to_string(step.version) +
         " " + step.name;
}

std::vector<SchemaStep> HostSteps() {
  const auto step = [](int version, const char* name, std::string_view sql) {
    return SchemaStep{kHostSchema, "ledger", version, name, std::string(sql), SUMMA_VERSION};
  };
  return {step(1, "host", embedded::migration_001_host),
          step(3, "schedule", embedded::migration_003_schedule),
          step(5, "inbox", embedded::migration_005_inbox),
          step(7, "worker_start", embedded::migration_007_worker_start),
          step(8, "operation", embedded::migration_008_operation)};
}

std::vector<MigrationStep> ReadMigrations(ControlTransaction& transaction,
                                          const std::vector<SchemaStep>& steps) {
  return Compare(steps, ReadRecords(transaction));
}

void RequireSound(const std::vector<MigrationStep>& steps) {
  for (const MigrationStep& step : steps) {
    if (step.problem) throw Failure(*step.problem);
  }
}

std::optional<MigrationStep> ApplyNextMigration(ControlTransaction& transaction,
                                                const std::vector<SchemaStep>& steps) {
  // The lock first of all: who waits for it must hold no lock on the table of records.
  transaction.ExecScript(kLockTimeout);
  transaction.ExecScript("SELECT pg_advisory_xact_lock(" + std::string(kLockKey) + ")");
  EnsureSchema(transaction);
  EnsureRecords(transaction, steps);
  const SchemaStep* step = FirstMissing(transaction, steps);
  if (step == nullptr) return std::nullopt;
  return Apply(transaction, *step);
}

}  // namespace summa::host
