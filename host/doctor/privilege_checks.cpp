// Whether the role may do what the host and its plugins do, and the GRANTs that are missing.
#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "host/config/text.hpp"
#include "host/database/connection_settings.hpp"
#include "host/doctor/checks.hpp"
#include "host/find.hpp"
#include "host/settings/host_workers.hpp"

namespace summa::host {
namespace {

using Needs = std::map<std::string, std::set<std::string>>;  // "schema.table" -> SELECT, ...

void Add(Needs& needs, const std::string& table, const std::vector<std::string>& privileges) {
  needs[table].insert(privileges.begin(), privileges.end());
}

void AddPlugin(const CheckContext& context, const Manifest& manifest, Needs& needs) {
  std::set<std::string> exact;
  for (const TablePrivileges& each : manifest.privileges) {
    Add(needs, Qualified(context, each.table), each.needs);
    exact.insert(each.table);
  }
  for (const std::string& table : manifest.reads) {
    if (!exact.contains(table)) Add(needs, Qualified(context, table), {"select"});
  }
  for (const std::string& table : manifest.writes) {
    if (exact.contains(table)) continue;
    Add(needs, Qualified(context, table), {"select", "insert", "update", "delete"});
  }
}

// The host's own statements: leases, fences, states, orders of the fleet, migrations. A test
// derives them from the statements themselves.
void AddHost(const CheckContext& context, Needs& needs) {
  Add(needs, Qualified(context, "worker_lease"), {"select", "insert", "update"});
  Add(needs, "summa_host.schema_migration", {"select"});
  Add(needs, "summa_host.worker_state", {"select", "insert", "update"});
  Add(needs, "summa_host.worker_fence", {"select", "insert", "update"});
  Add(needs, "summa_host.worker_parked", {"select", "insert", "update", "delete"});
  Add(needs, "summa_host.worker_request", {"select", "insert", "update", "delete"});
  Add(needs, "summa_host.worker_start", {"select", "insert", "update"});
  Add(needs, "summa_host.operation", {"select", "insert", "update", "delete"});
  if (PlanWorker(context.loaded.configuration, InboxCleanup().id)) {
    Add(needs, "summa_host.inbox", {"select", "delete"});
  }
}

Needs AllNeeds(const CheckContext& context) {
  Needs needs;
  AddHost(context, needs);
  for (const PlannedPlugin& plugin : context.plan.order) {
    AddPlugin(context, *plugin.file->manifest, needs);
  }
  return needs;
}

// Whether `migrate` makes it: a table of the host or of a plugin, or the schema of one.
bool IsOurs(const CheckContext& context, const std::string& name) {
  if (name == "summa_host" || name.starts_with("summa_host.")) return true;
  for (const PlannedPlugin& plugin : context.plan.order) {
    const Manifest& manifest = *plugin.file->manifest;
    if (manifest.schema.empty()) continue;
    for (const std::string& table : manifest.creates) {
      if (name == table || name == table.substr(0, table.find('.'))) return true;
    }
  }
  return false;
}

std::string Upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

// Looking for a table in a schema that the role may not use is an error in PostgreSQL.
bool SchemaUsable(const CheckContext& context, const std::string& schema, const std::string& role) {
  const std::string usable = context.database.Value(
      "SELECT has_schema_privilege(oid, 'usage') FROM pg_namespace WHERE nspname = $1", {schema});
  if (usable == "t") return true;
  const bool ours = IsOurs(context, schema);
  if (usable.empty()) {
    context.Error("privileges", "there is no schema " + schema, "the schema of the tables",
                  ours ? "Run `summa-host migrate`." : "Correct database.ledger.schema.");
  } else {
    context.Error("privileges", "role " + role + " may not use schema " + schema, "usage",
                  "GRANT USAGE ON SCHEMA " + QuoteIdentifier(schema) + " TO " + role + ";");
  }
  return false;
}

// Columns that the role may not read although it may read others: a SELECT of one of them fails.
std::string UnreadableColumns(const CheckContext& context, const std::string& table) {
  return context.database.Value(
      "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE "
      "attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND NOT "
      "has_column_privilege(attrelid, attnum, 'select')",
      {Quoted(table)});
}

bool Has(const CheckContext& context, const std::string& table, const std::string& need) {
  // A right to write the columns that are written is as good; which those are, only the statements
  // know.
  const bool columns = need == "insert" || need == "update";
  const std::string function = columns ? "has_any_column_privilege" : "has_table_privilege";
  const std::string has = context.database.Value(
      "SELECT " + function + "($1::regclass, '" + need + "')", {Quoted(table)});
  return has == "t" || (need == "select" && UnreadableColumns(context, table).empty());
}

std::string ColumnsNote(const CheckContext& context, const std::string& table) {
  const bool some =
      context.database.Value("SELECT has_any_column_privilege($1::regclass, 'select')",
                             {Quoted(table)}) == "t";
  return some ? " (its columns " + UnreadableColumns(context, table) + ")" : "";
}

// An insert takes its numbers from the sequences that the defaults of the columns call.
void CheckSequencesOf(const CheckContext& context, const std::string& table,
                      const std::string& role) {
  const ControlRows rows = context.database.Query(
      "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_attrdef a JOIN pg_depend d ON "
      "d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid AND d.refclassid = "
      "'pg_class'::regclass JOIN pg_class c ON c.oid = d.refobjid AND c.relkind = 'S' JOIN "
      "pg_namespace n ON n.oid = c.relnamespace WHERE a.adrelid = $1::regclass AND CASE "
      "c.relkind WHEN 'S' THEN NOT has_sequence_privilege(c.oid, 'usage') ELSE false END",
      {Quoted(table)});
  const auto report = [&](const std::string& name) {
    context.Error("privileges", "role " + role + " may not use sequence " + name, "usage",
                  "GRANT USAGE ON SEQUENCE " + name + " TO " + role + ";");
  };
  for (const auto& row : rows) report(row.at(0).value_or(""));
}

// Some statements read partitions one by one, and rights on the whole do not count for them.
void CheckPartitions(const CheckContext& context, const std::string& table,
                     const std::string& role) {
  const std::string missing = context.database.Value(
      "SELECT string_agg(p.relid::regclass::text, ', ') FROM pg_partition_tree($1::regclass) p "
      "WHERE p.isleaf AND p.level > 0 AND NOT has_table_privilege(p.relid, 'select')",
      {Quoted(table)});
  if (missing.empty()) return;
  context.Warn("privileges",
               "role " + role + " may not SELECT on partitions of " + table + ": " + missing,
               "select", "GRANT SELECT ON " + missing + " TO " + role + ";");
}

void CheckTable(const CheckContext& context, const std::string& table,
                const std::set<std::string>& needs, const std::string& role) {
  const std::string check = "privileges";
  if (context.database.Value("SELECT to_regclass($1)::text", {Quoted(table)}).empty()) {
    const bool ours = IsOurs(context, table);
    context.Error(check, table + " does not exist", "the table",
                  ours ? "Run `summa-host migrate`." : "Correct database.ledger.schema.");
    return;
  }
  std::vector<std::string> missing, all;
  for (const std::string& need : needs) {
    all.push_back(need);
    if (!Has(context, table, need)) missing.push_back(Upper(need));
  }
  if (needs.contains("insert")) CheckSequencesOf(context, table, role);
  CheckPartitions(context, table, role);
  if (missing.empty()) {
    context.Ok(check, table + ": " + Join(all));
    return;
  }
  const bool select = Contains(missing, "SELECT");
  context.Error(check,
                "role " + role + " may not " + Join(missing) + " on " + table +
                    (select ? ColumnsNote(context, table) : ""),
                Join(all), "GRANT " + Join(missing) + " ON " + Quoted(table) + " TO " + role + ";");
}

// The functions of our own schema; PUBLIC may call them unless somebody has taken that away.
void CheckFunctions(const CheckContext& context, const std::string& role) {
  const std::string missing = context.database.Value(
      "SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p JOIN pg_namespace n ON "
      "n.oid = p.pronamespace WHERE n.nspname = 'summa_host' AND NOT has_function_privilege(p.oid, "
      "'execute')");
  if (missing.empty()) return;
  context.Error("privileges", "role " + role + " may not EXECUTE " + missing, "execute",
                "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA summa_host TO " + role + ";");
}

}  // namespace

std::string Qualified(const CheckContext& context, const std::string& table) {
  return table.find('.') == std::string::npos ? context.schema() + "." + table : table;
}

std::string Quoted(const std::string& qualified) {
  const std::size_t dot = qualified.find('.');
  return QuoteIdentifier(qualified.substr(0, dot)) + "." +
         QuoteIdentifier(qualified.substr(dot + 1));
}

std::vector<std::string> TablesInUse(const CheckContext& context) {
  std::vector<std::string> tables;
  for (const auto& [table, needs] : AllNeeds(context)) tables.push_back(table);
  return tables;
}

void CheckPrivileges(const CheckContext& context) {
  const std::string role = context.database.Value("SELECT quote_ident(current_user)");
  std::map<std::string, bool> usable;  // by schema, each said once
  for (const auto& [table, needs] : AllNeeds(context)) {
    const std::string schema = table.substr(0, table.find('.'));
    if (!usable.contains(schema)) usable[schema] = SchemaUsable(context, schema, role);
    if (usable[schema]) CheckTable(context, table, needs, role);
  }
  if (usable["summa_host"]) CheckFunctions(context, role);
}

}  // namespace summa::host
