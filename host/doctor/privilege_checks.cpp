// Whether the role may do what the host and its plugins do, and the GRANTs that are missing.
#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "host/database/connection_settings.hpp"
#include "host/doctor/checks.hpp"

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

Needs AllNeeds(const CheckContext& context) {
  Needs needs;
  Add(needs, Qualified(context, "worker_lease"), {"select", "insert", "update"});
  Add(needs, "summa_host.worker_state", {"select", "insert", "update"});
  Add(needs, "summa_host.worker_fence", {"select", "insert", "update"});
  for (const PlannedPlugin& plugin : context.plan.order) {
    AddPlugin(context, *plugin.file->manifest, needs);
  }
  return needs;
}

std::string Quoted(const std::string& qualified) {
  const std::size_t dot = qualified.find('.');
  return QuoteIdentifier(qualified.substr(0, dot)) + "." +
         QuoteIdentifier(qualified.substr(dot + 1));
}

std::string Upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string Join(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text.append(text.empty() ? "" : ", ").append(item);
  return text;
}

// Looking for a table in a schema that the role may not use is an error in PostgreSQL.
bool SchemaUsable(const CheckContext& context, const std::string& schema, const std::string& role) {
  const std::string usable = context.database.Value(
      "SELECT has_schema_privilege(oid, 'usage') FROM pg_namespace WHERE nspname = $1", {schema});
  if (usable == "t") return true;
  const bool ours = schema == "summa_host";
  if (usable.empty()) {
    context.Error("privileges", "there is no schema " + schema, "the schema of the tables",
                  ours ? "Run `summa-host migrate`." : "Correct database.ledger.schema.");
  } else {
    context.Error("privileges", "role " + role + " may not use schema " + schema, "usage",
                  "GRANT USAGE ON SCHEMA " + QuoteIdentifier(schema) + " TO " + role + ";");
  }
  return false;
}

void CheckTable(const CheckContext& context, const std::string& table,
                const std::set<std::string>& needs, const std::string& role) {
  const std::string check = "privileges";
  if (context.database.Value("SELECT to_regclass($1)::text", {Quoted(table)}).empty()) {
    const bool ours = table.starts_with("summa_host.");
    context.Error(check, table + " does not exist", "the table",
                  ours ? "Run `summa-host migrate`." : "Correct database.ledger.schema.");
    return;
  }
  std::vector<std::string> missing, all;
  for (const std::string& need : needs) {
    all.push_back(need);
    // A right on all columns that are used is as good; which those are, only the statements know.
    const std::string has = need == "delete"
                                ? "has_table_privilege($1::regclass, 'delete')"
                                : "has_any_column_privilege($1::regclass, '" + need + "')";
    if (context.database.Value("SELECT " + has, {Quoted(table)}) != "t")
      missing.push_back(Upper(need));
  }
  if (missing.empty()) {
    context.Ok(check, table + ": " + Join(all));
    return;
  }
  context.Error(check, "role " + role + " may not " + Join(missing) + " on " + table, Join(all),
                "GRANT " + Join(missing) + " ON " + Quoted(table) + " TO " + role + ";");
}

}  // namespace

std::string Qualified(const CheckContext& context, const std::string& table) {
  return table.find('.') == std::string::npos ? context.schema() + "." + table : table;
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
}

}  // namespace summa::host
