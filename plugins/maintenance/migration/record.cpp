#include "migration/record.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "migration/inventory.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

[[noreturn]] void ThrowNoLonger(std::int64_t operation, const std::string& what) {
  throw Error(SUMMA_E_TRY_LATER, "SH-0828",
              "migration " + std::to_string(operation) + " is no longer " + what,
              "Nothing is needed: another host works on it, or it was asked for something else");
}

}  // namespace

std::string TableName::quoted() const { return QuoteName(schema, name); }

std::string MigrationRecord::ApplicationName() const { return QuoteName(schema, table); }

std::optional<MigrationRecord> ReadRecord(Session& session, std::int64_t operation) {
  const Result rows = session.Exec(
      "SELECT operation, state, strategy, verify_level, coalesce(request, '') AS request, "
      "fingerprint, verification, verification_failed, table_schema, table_name, range_interval, "
      "batch_size, workers, old_table::bigint AS old_table, coalesce(new_table::bigint, 0) AS "
      "new_table, coalesce(base_position, 0) AS base, coalesce(through_position, 0) AS through, "
      "coalesce(sealed_position, 0) AS sealed, coalesce(guard_position, base_position, 0) AS "
      "guard, coalesce(swap_position, 0) AS swap, backfill_xid, bound, slice_state, "
      "coalesce(slice_table::bigint, 0) AS slice_table FROM summa_host.migration "
      "WHERE operation = $1",
      {operation});
  if (rows.rows() == 0) return std::nullopt;
  const Row row = rows[0];
  MigrationRecord record;
  record.operation = operation;
  record.state = row.Get<std::string>("state");
  record.strategy = row.Get<std::string>("strategy");
  record.verify_level = row.Get<std::string>("verify_level");
  record.request = row.Get<std::string>("request");
  record.fingerprint = row.Get<std::string>("fingerprint");
  record.verification = row.Get<std::string>("verification");
  record.verification_failed = row.Get<bool>("verification_failed");
  record.schema = row.Get<std::string>("table_schema");
  record.table = row.Get<std::string>("table_name");
  record.interval = IntervalOf(row.Get<std::string>("range_interval")).value_or(Interval::kMonthly);
  record.batch_size = row.Get<std::int64_t>("batch_size");
  record.workers = row.Get<std::int32_t>("workers");
  record.old_table = row.Get<std::int64_t>("old_table");
  record.new_table = row.Get<std::int64_t>("new_table");
  record.base = row.Get<std::int64_t>("base");
  record.through = row.Get<std::int64_t>("through");
  record.sealed = row.Get<std::int64_t>("sealed");
  record.guard = row.Get<std::int64_t>("guard");
  record.swap = row.Get<std::int64_t>("swap");
  record.backfill_xid = row.Get<std::optional<std::string>>("backfill_xid");
  record.bound = row.Get<std::optional<DatabaseTime>>("bound");
  record.slices = row.Get<std::string>("slice_state");
  record.slice_table = row.Get<std::int64_t>("slice_table");
  return record;
}

std::int64_t NewestMigration(Session& session) {
  return session.Exec("SELECT coalesce(max(operation), 0) FROM summa_host.migration")
      .Value<std::int64_t>();
}

TableName NameOfTable(Session& session, std::int64_t oid) {
  const Result rows = session.Exec(
      "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE c.oid = $1::bigint::oid",
      {oid});
  if (rows.rows() == 0) {
    throw Error(SUMMA_E_DATA, "SH-0821",
                "the table with oid " + std::to_string(oid) + ", which is migrated, is gone",
                "Abort the operation; nothing of it can be used");
  }
  return {rows[0].Get<std::string>("nspname"), rows[0].Get<std::string>("relname")};
}

void ChangeState(Session& session, std::int64_t operation, const std::string& from,
                 const std::string& to) {
  const Result changed = session.Exec(
      "UPDATE summa_host.migration SET state = $3, waiting_for = '' WHERE operation = $1 AND state "
      "= $2 RETURNING 1",
      {operation, from, to});
  if (changed.rows() == 0) ThrowNoLonger(operation, "in state " + from);
}

void ChangeSlices(Session& session, std::int64_t operation, const std::string& from,
                  const std::string& to) {
  const Result changed = session.Exec(
      "UPDATE summa_host.migration SET slice_state = $3, waiting_for = '' WHERE operation = $1 AND "
      "state = 'swapped' AND slice_state = $2 RETURNING 1",
      {operation, from, to});
  if (changed.rows() == 0) {
    ThrowNoLonger(operation, "with slices in state " + (from.empty() ? "none" : from));
  }
}

void RequireRunning(Session& session, std::int64_t operation) {
  const Result running = session.Exec(
      "SELECT 1 FROM summa_host.operation WHERE id = $1 AND state = 'running' AND finished_at IS "
      "NULL FOR SHARE",
      {operation});
  if (running.rows() == 0) {
    throw Error(SUMMA_E_CANCELLED, "SH-0384",
                "operation " + std::to_string(operation) + " was aborted or paused",
                "Nothing is needed: nothing was changed");
  }
}

void TakeRequest(Session& session, std::int64_t operation, const std::string& request) {
  const Result taken = session.Exec(
      "UPDATE summa_host.migration SET request = NULL WHERE operation = $1 AND request = $2 "
      "RETURNING 1",
      {operation, request});
  if (taken.rows() == 0) ThrowNoLonger(operation, "asked to " + request);
}

void StopWaiting(Session& session, std::int64_t operation) {
  session.Exec(
      "UPDATE summa_host.migration SET waiting_for = '' WHERE operation = $1 AND waiting_for <> ''",
      {operation});
}

void NoteLock(Session& session, std::int64_t operation, std::chrono::microseconds held) {
  session.Exec(
      "UPDATE summa_host.migration SET exclusive_lock_us = greatest(exclusive_lock_us, "
      "$2::bigint) WHERE operation = $1",
      {operation, held.count()});
}

void SetRequest(Session& session, std::int64_t operation, const std::string& request) {
  session.Begin();
  session.Exec("UPDATE summa_host.migration SET request = nullif($2, '') WHERE operation = $1",
               {operation, request});
  session.Commit();
}

void SetWaitingFor(Session& session, std::int64_t operation, const std::string& what) {
  session.Begin();
  session.Exec(
      "UPDATE summa_host.migration SET waiting_for = $2 WHERE operation = $1 AND waiting_for <> $2",
      {operation, what});
  session.Commit();
}

}  // namespace summa::maintenance
