#include "host/database/whole_tables.hpp"

#include <utility>

#include "host/database/lease_statements.hpp"

namespace summa::host {
namespace {

// The tables of $1 (schemas) and $2 (names), each with all that it consists of, and one line for
// each thing that hides rows. row_security_active knows owners and BYPASSRLS, and ignores the
// session's row_security.
constexpr const char* kFindPartialTables = R"sql(
WITH RECURSIVE wanted AS (
  SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, n.nspname, c.relname, c.relkind, w.place
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (schema, name, place)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
), part AS (
  SELECT w.oid, w.oid AS root, false AS detaching FROM wanted w
  UNION ALL
  SELECT i.inhrelid, p.root, i.inhdetachpending FROM part p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
), found AS (
  SELECT w.place, w.oid = p.oid AS is_root, w.name AS root, w.relkind AS root_kind, c.relkind, p.detaching,
         pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
         w.nspname AS root_schema, w.relname AS root_name, c.relname AS part_name,
         pg_catalog.row_security_active(c.oid) AS filtered, c.relforcerowsecurity AS forced,
         coalesce((SELECT pg_catalog.string_agg(pg_catalog.quote_ident(y.polname), ', ' ORDER BY y.polname)
                   FROM pg_catalog.pg_policy y WHERE y.polrelid = c.oid), '') AS policies,
         EXISTS (SELECT FROM pg_catalog.pg_subscription_rel s WHERE s.srrelid = c.oid) AS subscribed
  FROM part p JOIN wanted w ON w.oid = p.root JOIN pg_catalog.pg_class c ON c.oid = p.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
)
SELECT CASE WHEN filtered AND (is_root OR $3::boolean) THEN 'policy'
            WHEN relkind IN ('v', 'm', 'f') THEN relkind::text
            WHEN detaching THEN 'detaching'
            WHEN NOT is_root AND root_kind = 'r' THEN 'child'
            WHEN subscribed THEN 'subscribed' END AS what,
       root, name, policies, forced, pg_catalog.quote_ident(current_user),
       root_schema, root_name, part_name
FROM found
WHERE filtered AND (is_root OR $3::boolean) OR relkind IN ('v', 'm', 'f') OR detaching OR subscribed
      OR (NOT is_root AND root_kind = 'r')
ORDER BY place, NOT is_root, name)sql";

// Tables with rows that have the columns of a partitioned table of $1 (schemas) and $2 (names), are
// in its schema, and are neither a part of it nor one of these tables. By size: rows need a right.
constexpr const char* kDetached = R"sql(
WITH wanted AS (
  SELECT c.oid, c.relnamespace, c.relkind, w.place, n.nspname, c.relname
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (schema, name, place)
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
), candidate AS (
  SELECT w.place, w.oid AS root, w.nspname, w.relname AS of, c.oid, c.relname
  FROM wanted w JOIN pg_catalog.pg_class c ON c.relnamespace = w.relnamespace
  WHERE w.relkind = 'p' AND c.relkind IN ('r', 'p') AND c.oid NOT IN (SELECT oid FROM wanted)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)
)
SELECT pg_catalog.format('%I.%I', nspname, of), pg_catalog.format('%I.%I', nspname, relname),
       nspname, of, relname
FROM candidate k
WHERE (SELECT pg_catalog.array_agg(pg_catalog.format('%s %s', attname, atttypid) ORDER BY attname)
       FROM pg_catalog.pg_attribute WHERE attrelid = k.oid AND attnum > 0 AND NOT attisdropped)
    = (SELECT pg_catalog.array_agg(pg_catalog.format('%s %s', attname, atttypid) ORDER BY attname)
       FROM pg_catalog.pg_attribute WHERE attrelid = k.root AND attnum > 0 AND NOT attisdropped)
  AND pg_catalog.pg_relation_size(k.oid) + coalesce((
        SELECT sum(pg_catalog.pg_relation_size(p.relid))
        FROM pg_catalog.pg_partition_tree(k.oid) p WHERE p.isleaf AND p.relid <> k.oid), 0) > 0
ORDER BY place, relname)sql";

// Which of the tables of the statements below exist and may be read. to_regclass()
// fails for who may not use the schema.
constexpr const char* kKnowing = R"sql(
SELECT coalesce(CASE WHEN usable THEN pg_catalog.has_table_privilege(
         pg_catalog.to_regclass('summa_host.partition_record'), 'SELECT') END, false),
       coalesce(CASE WHEN usable THEN pg_catalog.has_table_privilege(
         pg_catalog.to_regclass('summa_host.operation'), 'SELECT') END, false),
       coalesce(CASE WHEN usable THEN pg_catalog.has_table_privilege(
         pg_catalog.to_regclass('summa_host.partition_remainder'), 'SELECT') END, false)
FROM (SELECT pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace('summa_host'), 'USAGE') AS usable) s)sql";

// Whether table $3 in schema $1 is recorded as a partition that was detached from $2, or, with $4,
// that is being detached. Names are recorded with or without schema and quotes.
constexpr const char* kKnownByRecord = R"sql(
SELECT EXISTS (
  SELECT FROM summa_host.partition_record r
  WHERE (r.state IN ('detached', 'archived') OR $4::boolean AND r.state = 'detaching')
    AND r.parent IN ($2::text, pg_catalog.quote_ident($2::text), $1::text || '.' || $2::text,
                     pg_catalog.format('%I.%I', $1::text, $2::text))
    AND r.name IN ($3::text, pg_catalog.quote_ident($3::text), $1::text || '.' || $3::text,
                   pg_catalog.format('%I.%I', $1::text, $3::text))))sql";

// Whether table $3 in schema $1 is being made, to stay in $2 in the place of a partition.
constexpr const char* kKnownByRemainder = R"sql(
SELECT EXISTS (SELECT FROM summa_host.partition_remainder r
               WHERE r.parent = pg_catalog.format('%I.%I', $1::text, $2::text) AND r.name = $3::text))sql";

// Whether the journal tells of a migration that made table $2 of $1, or left it. An aborted one
// that is finished has taken back what it made.
constexpr const char* kKnownByMigration = R"sql(
SELECT $1::text = 'ledger_event' AND $2::text IN ('ledger_event_new', 'ledger_event_old')
   AND EXISTS (SELECT FROM summa_host.operation o
               WHERE o.kind = 'partition-migration' AND (o.state <> 'aborted' OR o.finished_at IS NULL)))sql";

struct Names {
  std::vector<std::string> schemas, tables;
};

Names Split(const std::vector<std::string>& tables) {
  Names names;
  for (const std::string& table : tables) {
    const std::size_t dot = table.find('.');
    names.schemas.push_back(table.substr(0, dot));
    names.tables.push_back(table.substr(dot + 1));
  }
  return names;
}

Error Filtered(const std::string& name, const std::string& policies, const std::string& role,
               bool forced) {
  std::string fix = "ALTER ROLE " + role +
                    " BYPASSRLS; where that is not possible: run as the owner of the table" +
                    (forced ? ", with ALTER TABLE " + name + " NO FORCE ROW LEVEL SECURITY;"
                            : ", or ALTER TABLE " + name + " DISABLE ROW LEVEL SECURITY;");
  return {std::string(kFilteredTable),
          "row level security hides rows of " + name + " from role " + role +
              (policies.empty() ? " (no policy: all of them)" : " (policies: " + policies + ")"),
          std::move(fix), ""};
}

std::string Why(const std::string& what, const std::string& root, const std::string& name) {
  const std::string its = root == name ? name + " is " : name + ", a part of " + root + ", is ";
  if (what == "v") return its + "a view, which may show only part of the rows";
  if (what == "m") return its + "a materialized view, as old as its last refresh";
  if (what == "f") return its + "a foreign table, whose server may filter rows or be behind";
  if (what == "detaching") return its + "a partition whose DETACH CONCURRENTLY is not finished";
  if (what == "child") return its + "a child by inheritance, which is not a partition";
  return its + "filled by a subscription: a copy that may be behind";
}

std::string FixOf(const std::string& what, const std::string& root, const std::string& name) {
  if (what == "detaching") {
    return "Finish it with ALTER TABLE ... DETACH PARTITION " + name +
           " FINALIZE, and attach it again to verify the whole ledger.";
  }
  if (what == "child")
    return "Make " + root + " a partitioned table, or ALTER TABLE " + name + " NO INHERIT " + root +
           ";";
  if (what == "subscribed") return "Name the server in database.ledger.url that Summa writes to.";
  return "Name the schema in database.ledger.schema that holds the tables that Summa writes.";
}

Error ReadRow(const std::vector<std::optional<std::string>>& row) {
  const std::string what = row.at(0).value_or(""), root = row.at(1).value_or("");
  const std::string name = row.at(2).value_or("");
  if (what == "policy") {
    return Filtered(name, row.at(3).value_or(""), row.at(5).value_or(""), row.at(4) == "t");
  }
  return {std::string(kPartialTable),
          "a table of the ledger is not complete: " + Why(what, root, name),
          FixOf(what, root, name), ""};
}

// Tells tables that the host's own work has detached or left behind.
class KnownParts {
 public:
  explicit KnownParts(const QueryFunction& query) : query_(query) {}

  bool Knows(const std::string& schema, const std::string& table, const std::string& part) {
    if (!asked_) Ask();
    return (records_ && True(query_(kKnownByRecord, {schema, table, part, "false"}))) ||
           (remainders_ && True(query_(kKnownByRemainder, {schema, table, part}))) ||
           (journal_ && True(query_(kKnownByMigration, {table, part})));
  }
  // A partition whose DETACH CONCURRENTLY is not finished.
  bool KnowsDetaching(const std::string& schema, const std::string& table,
                      const std::string& part) {
    if (!asked_) Ask();
    return records_ && True(query_(kKnownByRecord, {schema, table, part, "true"}));
  }

 private:
  static bool True(const TextRows& rows) { return rows.at(0).at(0) == "t"; }
  void Ask() {
    const TextRows rows = query_(kKnowing, {});
    records_ = rows.at(0).at(0) == "t";
    journal_ = rows.at(0).at(1) == "t";
    remainders_ = rows.at(0).at(2) == "t";
    asked_ = true;
  }

  const QueryFunction& query_;
  bool asked_ = false, records_ = false, journal_ = false, remainders_ = false;
};

}  // namespace

std::vector<Error> FindPartialTables(const QueryFunction& query,
                                     const std::vector<std::string>& tables, bool parts) {
  const Names names = Split(tables);
  std::vector<Error> found;
  const TextRows rows = query(
      kFindPartialTables,
      {TextArrayLiteral(names.schemas), TextArrayLiteral(names.tables), parts ? "true" : "false"});
  KnownParts known(query);
  for (const auto& row : rows) {
    const auto text = [&row](std::size_t column) { return row.at(column).value_or(""); };
    // Its rows are out of sight already, and its record says what they were: as if it were detached.
    if (text(0) == "detaching" && known.KnowsDetaching(text(6), text(7), text(8))) continue;
    found.push_back(ReadRow(row));
  }
  return found;
}

namespace {

Error DetachedPart(const std::string& table, const std::string& part) {
  return {std::string(kDetachedPart),
          part + " has rows and the columns of " + table +
              ", but is not a partition of it: was it detached?",
          "ALTER TABLE " + table + " ATTACH PARTITION " + part +
              " ...; or, when its rows are not the ledger's, ALTER TABLE " + part +
              " SET SCHEMA ...;",
          ""};
}

}  // namespace

std::vector<Error> FindDetachedParts(const QueryFunction& query,
                                     const std::vector<std::string>& tables) {
  const Names names = Split(tables);
  std::vector<Error> found;
  KnownParts known(query);
  for (const auto& row :
       query(kDetached, {TextArrayLiteral(names.schemas), TextArrayLiteral(names.tables)})) {
    if (known.Knows(row.at(2).value_or(""), row.at(3).value_or(""), row.at(4).value_or(""))) {
      continue;
    }
    found.push_back(DetachedPart(row.at(0).value_or(""), row.at(1).value_or("")));
  }
  return found;
}

std::vector<Error> RequireWholeTables(const QueryFunction& query,
                                      const std::vector<std::string>& tables) {
  std::vector<Error> found = FindPartialTables(query, tables, false);
  if (!found.empty()) throw Failure(std::move(found.front()));
  return FindDetachedParts(query, tables);
}

}  // namespace summa::host
