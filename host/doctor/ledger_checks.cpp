#include "host/application/schemas.hpp"
#include "host/database/layout.hpp"
#include "host/database/migrations.hpp"
#include "host/doctor/checks.hpp"

namespace summa::host {
namespace {

// Autovacuum comes at 20 % by default: twice that, and it does not keep up.
constexpr double kDeadShare = 0.4;
constexpr std::int64_t kDeadRows = 10'000;  // under it a table is small enough for any plan
// A sequence of type integer is used up in months of a busy ledger: time to act is needed.
constexpr double kUsedWarning = 0.5, kUsedError = 0.8;

// Owned by a column of the table, or called by the default of one.
constexpr const char* kSequences = R"sql(
WITH t AS (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = $1 AND c.relname = 'ledger_event'),
s AS (SELECT d.objid AS oid FROM pg_depend d JOIN t ON d.refobjid = t.oid
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
        AND d.deptype IN ('a', 'i')
      UNION SELECT d.refobjid FROM pg_attrdef a JOIN t ON a.adrelid = t.oid
      JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
        AND d.refclassid = 'pg_class'::regclass)
SELECT format('%I.%I', n.nspname, c.relname), q.seqcache, q.seqmax, q.seqcycle,
       (SELECT p.last_value FROM pg_sequences p
        WHERE p.schemaname = n.nspname AND p.sequencename = c.relname),
       format_type(q.seqtypid, NULL)
FROM s JOIN pg_class c ON c.oid = s.oid AND c.relkind = 'S'
JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence q ON q.seqrelid = c.oid
ORDER BY 1)sql";

constexpr const char* kTable = R"sql(
SELECT coalesce(s.n_dead_tup, 0), coalesce(s.n_live_tup, 0),
       coalesce(to_char(greatest(s.last_vacuum, s.last_autovacuum) AT TIME ZONE 'UTC',
                        'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'never'),
       coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions)
                 WHERE option_name = 'autovacuum_enabled'), 'true')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE n.nspname = $1 AND c.relname = $2)sql";

std::string Percent(double share) { return std::to_string(static_cast<int>(share * 100)) + " %"; }

void CheckCache(const CheckContext& context, const std::string& name, const std::string& cache) {
  if (cache == "1") {
    context.Ok("sequence-cache", name + " has CACHE 1");
    return;
  }
  context.Error(
      "sequence-cache", name + " has CACHE " + cache,
      "CACHE 1: otherwise numbers are not drawn in the order of time, and a reader of events would "
      "skip some",
      "ALTER SEQUENCE " + name +
          " CACHE 1; then end all older sessions (they keep the numbers they have drawn).");
}

void CheckHeadroom(const CheckContext& context, const std::string& name, double most, bool cycles,
                   const std::optional<std::string>& last, const std::string& type) {
  const std::string check = "sequence-headroom";
  if (cycles) {
    context.Error(check, name + " starts again after its end",
                  "NO CYCLE: a position is never used twice",
                  "ALTER SEQUENCE " + name + " NO CYCLE;");
  }
  const double used = last ? std::stod(*last) / most : 0;
  const std::string found = name + " (" + type + ") is used up to " + Percent(used);
  const std::string fix =
      "Make column and sequence bigint before it is used up: after that, no event can be written.";
  if (used > kUsedError) {
    context.Error(check, found, "under " + Percent(kUsedWarning), fix);
  } else if (used > kUsedWarning) {
    context.Warn(check, found, "under " + Percent(kUsedWarning), fix);
  } else {
    context.Ok(check, found);
  }
}

void CheckTable(const CheckContext& context, const std::string& table) {
  const std::size_t dot = table.find('.');
  const std::string quoted = Quoted(table);
  const ControlRows rows =
      context.database.Query(kTable, {table.substr(0, dot), table.substr(dot + 1)});
  if (rows.empty()) return;  // reported by CheckPrivileges
  const auto& row = rows.at(0);
  const auto dead = std::stoll(row.at(0).value_or("0"));
  const auto live = std::stoll(row.at(1).value_or("0"));
  if (row.at(3) == "false" || row.at(3) == "off") {
    context.Error("autovacuum", table + " has autovacuum_enabled=false", "on",
                  "ALTER TABLE " + quoted + " RESET (autovacuum_enabled);");
  }
  const std::string found = table + " has " + std::to_string(dead) + " dead and " +
                            std::to_string(live) + " live rows, vacuumed " + row.at(2).value_or("");
  if (dead > kDeadRows && static_cast<double>(dead) > kDeadShare * static_cast<double>(live)) {
    context.Warn("dead-rows", found, "fewer than " + Percent(kDeadShare) + " of the live ones",
                 "Check held-snapshot first: dead rows are kept while an older snapshot is held. "
                 "Then VACUUM " +
                     quoted + ";");
  } else {
    context.Ok("dead-rows", found);
  }
}

// The missing ones in one finding, each that does not fit in one of its own.
void CheckSteps(const CheckContext& context, const std::string& check,
                const std::vector<SchemaStep>& steps) {
  std::vector<MigrationStep> found;
  context.database.Run(
      [&](ControlTransaction& transaction) { found = ReadMigrations(transaction, steps); });
  bool sound = true;
  for (const MigrationStep& step : found) {
    if (!step.problem) continue;
    sound = false;
    context.Error(check, step.problem->code + " " + step.problem->message,
                  "the steps of this release", step.problem->hint + ".");
  }
  std::erase_if(found, [](const MigrationStep& step) { return step.applied; });
  if (found.empty()) {
    const std::string count = std::to_string(steps.size());
    if (sound) context.Ok(check, count + " of " + count);
    return;
  }
  const std::string missing = "missing: " + NamesOf(found);
  const std::string fix = "Run `summa-host migrate -c " + context.loaded.settings.file + "`.";
  if (context.loaded.settings.migrate_automatically) {
    context.Warn(check, missing, "all applied",
                 "The next start applies them (database.migrate: auto); or: " + fix);
  } else {
    context.Error(check, missing, "all applied", fix);
  }
}

}  // namespace

void CheckMigrations(const CheckContext& context) {
  CheckSteps(context, "migrations", SchemasOf(context.loaded.settings, context.plan).ledger);
}

void CheckReadMigrations(const CheckContext& context) {
  const std::vector<SchemaStep> steps = SchemasOf(context.loaded.settings, context.plan).read;
  if (!steps.empty()) CheckSteps(context, "read-migrations", steps);
}

void CheckLayout(const CheckContext& context) {
  Layout layout = Layout::kDeployed;
  context.database.Run(
      [&](ControlTransaction& transaction) { layout = FindLayout(transaction, context.schema()); });
  const std::string found = layout == Layout::kPlan ? "plan" : "deployed";
  const auto configured = context.loaded.settings.layout;
  if (!configured || *configured == layout) {
    context.Ok("layout", found);
  } else {
    context.Error("layout", found, "what database.ledger.layout says",
                  "Set database.ledger.layout to auto, or name the right database.");
  }
}

void CheckSequences(const CheckContext& context) {
  const ControlRows rows = context.database.Query(kSequences, {context.schema()});
  for (const auto& row : rows) {
    const std::string name = row.at(0).value_or("");
    CheckCache(context, name, row.at(1).value_or(""));
    CheckHeadroom(context, name, std::stod(row.at(2).value_or("1")), row.at(3) == "t", row.at(4),
                  row.at(5).value_or(""));
  }
  if (!rows.empty()) return;
  context.Error("sequence-cache", "ledger_event has no sequence", "one that numbers its events",
                "Check database.ledger.schema: this is not an event store of Summa.");
}

void CheckVacuum(const CheckContext& context) {
  const bool on = context.database.Value("SHOW autovacuum") == "on" &&
                  context.database.Value("SHOW track_counts") == "on";
  if (on) {
    context.Ok("autovacuum", "on");
  } else {
    context.Error("autovacuum", "off", "on: the outbox is written and emptied all the time",
                  "ALTER SYSTEM SET autovacuum = on; ALTER SYSTEM SET track_counts = on; SELECT "
                  "pg_reload_conf();");
  }
  for (const std::string& table : TablesInUse(context)) CheckTable(context, table);
}

}  // namespace summa::host
