#include "open_writers.hpp"

namespace summa::ledger {
namespace {

// The parent and every leaf: through the parent the number is drawn before the leaf is locked, and
// an insert into a leaf does not lock the parent this way. One row without a writer tells the
// start.
constexpr const char* kOpenWritersQuery =
    "WITH tree AS (SELECT $1::text::regclass::oid AS oid UNION SELECT relid::oid FROM "
    "pg_catalog.pg_partition_tree($1::text::regclass)) "
    "SELECT pg_postmaster_start_time()::text AS server_start, w.virtualtransaction, w.pid, "
    "(extract(epoch FROM clock_timestamp() - a.xact_start) * 1000000)::bigint AS age FROM (SELECT "
    "1) one LEFT JOIN (SELECT "
    "DISTINCT l.virtualtransaction, l.pid FROM pg_catalog.pg_locks l JOIN tree ON tree.oid = "
    "l.relation WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'RowExclusiveLock' AND "
    "l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())) w "
    "ON "
    "true LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = w.pid";

}  // namespace

OpenWriters QueryOpenWriters(Session& session, const EventTable& table) {
  const Result found = session.Exec(kOpenWritersQuery, {table.name});
  OpenWriters open;
  open.server_start = found[0].Get<std::string>("server_start");
  for (const Row row : found) {
    auto name = row.Get<std::optional<std::string>>("virtualtransaction");
    if (!name) continue;
    // A prepared transaction has no process.
    open.writers.insert({std::move(*name), row.Get<std::optional<std::int32_t>>("pid").value_or(0),
                         row.Get<std::optional<std::int64_t>>("age").value_or(0)});
  }
  return open;
}

void RequireOrderedPositions(Session& session, const EventTable& table) {
  const Result found = session.Exec(
      "SELECT s.seqrelid::regclass::text AS name, s.seqcache, s.seqcycle, s.seqincrement FROM "
      "pg_catalog.pg_attribute a JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND "
      "d.adnum "
      "= a.attnum JOIN pg_catalog.pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = "
      "d.oid AND p.refclassid = 'pg_class'::regclass JOIN pg_catalog.pg_sequence s ON s.seqrelid = "
      "p.refobjid WHERE a.attrelid = $1::text::regclass AND a.attname = $2",
      {table.name, table.position});
  if (found.rows() == 0) {
    throw Error(SUMMA_E_CONFIG, "SH-0802",
                "column " + table.position + " of " + table.name + " is not filled from a sequence",
                "Give it the default nextval of a sequence with CACHE 1");
  }
  const auto cache = found[0].Get<std::int64_t>("seqcache");
  const bool cycles = found[0].Get<bool>("seqcycle");
  const auto increment = found[0].Get<std::int64_t>("seqincrement");
  if (cache == 1 && !cycles && increment == 1) return;
  const auto sequence = found[0].Get<std::string>("name");
  throw Error(SUMMA_E_CONFIG, "SH-0802",
              "the sequence " + sequence + " hands out its numbers out of order: CACHE " +
                  std::to_string(cache) + ", INCREMENT " + std::to_string(increment) +
                  (cycles ? ", CYCLE" : ""),
              "ALTER SEQUENCE " + sequence +
                  " CACHE 1 INCREMENT 1 NO CYCLE, then end the sessions "
                  "that were open before: they keep the numbers they have drawn");
}

}  // namespace summa::ledger
