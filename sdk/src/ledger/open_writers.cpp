#include "open_writers.hpp"

namespace summa::ledger {
namespace {

// The parent and every leaf: through the parent the number is drawn before the leaf is locked, and
// an insert into a leaf does not lock the parent this way. One row without a writer tells the
// start.
constexpr const char* kAsk =
    "WITH tree AS (SELECT $1::text::regclass::oid AS oid UNION SELECT relid::oid FROM "
    "pg_catalog.pg_partition_tree($1::text::regclass)) "
    "SELECT pg_postmaster_start_time()::text, w.virtualtransaction, w.pid, (extract(epoch FROM "
    "clock_timestamp() - a.xact_start) * 1000000)::bigint FROM (SELECT 1) one LEFT JOIN (SELECT "
    "DISTINCT l.virtualtransaction, l.pid FROM pg_catalog.pg_locks l JOIN tree ON tree.oid = "
    "l.relation WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'RowExclusiveLock' AND "
    "l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())) w "
    "ON "
    "true LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = w.pid";

}  // namespace

OpenWriters AskOpenWriters(Session& session, const EventTable& table) {
  const Result found = session.Exec(kAsk, {table.name});
  OpenWriters open;
  open.server_start = found.At(0, 0).Text();
  for (std::size_t row = 0; row < found.rows(); ++row) {
    if (found.At(row, 1).null()) continue;
    open.writers.insert({std::string(found.At(row, 1).Text()),
                         static_cast<std::int32_t>(found.At(row, 2).Integer()),
                         found.At(row, 3).Integer()});
  }
  return open;
}

void RequireOrderedPositions(Session& session, const EventTable& table) {
  const Result found = session.Exec(
      "SELECT s.seqrelid::regclass::text, s.seqcache, s.seqcycle, s.seqincrement FROM "
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
  if (found.At(0, 1).Integer() == 1 && !found.At(0, 2).Boolean() && found.At(0, 3).Integer() == 1) {
    return;
  }
  const std::string sequence(found.At(0, 0).Text());
  throw Error(SUMMA_E_CONFIG, "SH-0802",
              "the sequence " + sequence + " hands out its numbers out of order: CACHE " +
                  std::to_string(found.At(0, 1).Integer()) + ", INCREMENT " +
                  std::to_string(found.At(0, 3).Integer()) +
                  (found.At(0, 2).Boolean() ? ", CYCLE" : ""),
              "ALTER SEQUENCE " + sequence +
                  " CACHE 1 INCREMENT 1 NO CYCLE, then end the sessions "
                  "that were open before: they keep the numbers they have drawn");
}

}  // namespace summa::ledger
