#include "manager/detach.hpp"

#include <summa/crash_point.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "manager/deadline_cancel.hpp"
#include "manager/gates.hpp"
#include "manager/records.hpp"
#include "manager/remainder.hpp"
#include "manager_sql.hpp"
#include "partition/leaf.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

// Who would make DETACH CONCURRENTLY wait for long: it waits for everybody on the table, then for
// everybody on the partition. Other partitions do not matter.
std::vector<Blocker> LongTransactions(const Environment& environment, Session& session,
                                      const PartitionedTable& table, const Partition& partition) {
  std::vector<Blocker> blockers = BlockersOf(session, {{table.quoted}, {partition.quoted}},
                                             environment.settings.longest_transaction);
  std::erase_if(blockers, [](const Blocker& blocker) { return !blocker.lasting; });
  return blockers;
}

// Who made FINALIZE wait, when nobody was in the way of its lock on the table: it waits for
// everybody on the partition, and for older snapshots.
std::string WhoHindersFinalize(Session& session, const Partition& partition) {
  const std::vector<Blocker> blockers = BlockersOf(session, {{partition.quoted}});
  if (!blockers.empty()) return TextOf(blockers);
  const Result oldest = session.Exec(manager_sql::oldest_snapshot);
  if (oldest.rows() == 0) return "nobody that is known";
  return oldest[0].Get<std::string>("what") + " has an older snapshot";
}

// Empty: it is attached, and its record is gone.
std::vector<Blocker> AttachUnrecorded(const Environment& environment, Session& session,
                                      const PartitionedTable& table,
                                      const PartitionRecord& record) {
  const std::string quoted = QuoteName(table.schema, record.name);
  const Partition* remainder = RemainderOf(table, record.range);
  const std::optional<ledger::EventTable> events = EventsOf(session, table);
  if (remainder != nullptr && events) {
    return AttachInPlaceOf(environment, session, table, *events, *remainder, {record, quoted},
                           [&](Session& inside) { ForgetRecord(inside, record.id); });
  }
  DdlOutcome done = RunDdl(session, environment.caller,
                           {{table.quoted, LockMode::kShareUpdateExclusive}, {quoted}},
                           environment.ddl_limits(), [&](Session& inside) {
                             AttachLeaf(inside, table, quoted, record.range.from, record.range.to);
                             ForgetRecord(inside, record.id);
                           });
  if (!done.done && done.blockers.empty()) return {{"somebody who is gone by now", ""}};
  return std::move(done.blockers);
}

// Rows that came after it was recorded were not verified, and its edges do not know them.
DetachOutcome AttachWithNewRows(const Environment& environment, Session& session,
                                const std::string& table_name, const PartitionRecord& record,
                                std::int64_t rows) {
  const PartitionedTable now = ReadTable(session, table_name);
  const std::vector<Blocker> blockers = AttachUnrecorded(environment, session, now, record);
  return {false, "it had " + std::to_string(record.rows) + " rows before its detach, and " +
                     std::to_string(rows) + " afterwards: " +
                     (blockers.empty() ? "it is attached again"
                                       : "it cannot be attached again: " + TextOf(blockers))};
}

// Of a partition that is detached: from now on its rows stay as they are.
DetachOutcome Settle(const Environment& environment, Session& session,
                     const PartitionedTable& table, const std::string& name) {
  const std::optional<PartitionRecord> record = FindRecord(session, table, name);
  if (!record || record->state != "detaching") return {true, ""};
  const std::string quoted = QuoteName(table.schema, name);
  const bool there = session.Exec("SELECT to_regclass($1) IS NOT NULL", {quoted}).Value<bool>();
  const std::int64_t rows = there ? CountRows(session, quoted) : record->rows;
  if (rows != record->rows) {
    return AttachWithNewRows(environment, session, table.quoted, *record, rows);
  }
  session.Begin();
  SetRecordState(session, record->id, "detached");
  CrashPoint("partition.settle");
  session.Commit();
  CrashPoint("partition.settled");
  return {true, ""};
}

void Record(Session& session, const PartitionedTable& table, const Partition& partition) {
  const std::optional<ledger::EventTable> events = EventsOf(session, table);
  session.Begin();
  RecordLeaving(session, table, partition, events ? &*events : nullptr);
  CrashPoint("partition.record");
  session.Commit();
  CrashPoint("partition.recorded");
}

Partition AsAttached(Partition partition) {
  partition.detach_pending = false;
  return partition;
}

// Nothing: it is through, or was interrupted and can be finished.
std::optional<std::string> RunDetach(const Environment& environment, const PartitionedTable& table,
                                     const Partition& partition) {
  Session session(environment.sql);
  const DeadlineCancel deadline(environment.sql, session, environment.settings.detach_deadline);
  try {
    session.ExecAutocommit("ALTER TABLE " + table.quoted + " DETACH PARTITION " + partition.quoted +
                           " CONCURRENTLY");
    return std::nullopt;
  } catch (const Error& error) {
    if (deadline.cancelled()) return "its deadline has passed";
    // Told to stop: the next run finishes it.
    if (error.status() == SUMMA_E_CANCELLED) return "told to stop";
    throw;
  }
}

}  // namespace

std::optional<std::string> WhyNotDetachable(const Environment& environment, Session& session,
                                            const PartitionedTable& table,
                                            const Partition& partition, bool by_hand) {
  if (partition.flat) {
    return "it is the table that was migrated; `summa-host migrate:partition-event-store --status` "
           "tells when its slices take its place";
  }
  if (partition.remainder) {
    return "it has what stays of ranges that have left: the last events of their chains";
  }
  if (!table.default_partition.empty()) {
    return "the DEFAULT partition " + table.default_partition + " forbids it";
  }
  const std::optional<PartitionRecord> record = FindRecord(session, table, partition.name);
  if (!by_hand && record && record->state == "attached") {
    return "it was attached again by hand; `summa-host partitions detach " + partition.name +
           "` detaches it";
  }
  if (auto why = WhyNotClosed(environment, session, table, partition)) return why;
  const std::optional<ledger::EventTable> events = EventsOf(session, table);
  if (!events) return std::nullopt;
  return WhyNotVerified(environment, session, *events, partition);
}

DetachOutcome Detach(const Environment& environment, const std::string& table_name,
                     const Partition& partition) {
  Session session(environment.sql);
  const PartitionedTable table = ReadTable(session, table_name);
  const std::optional<ledger::EventTable> events = EventsOf(session, table);
  if (events && NeedsRemainder(session, table, *events, partition)) {
    DetachOutcome exchanged = ExchangeForRemainder(environment, session, table, *events, partition);
    if (!exchanged.done) return exchanged;
    DetachOutcome settled = Settle(environment, session, table, partition.name);
    settled.kept = exchanged.kept;
    settled.held = exchanged.held;
    return settled;
  }
  const std::vector<Blocker> long_ones = LongTransactions(environment, session, table, partition);
  if (!long_ones.empty()) {
    return {false,
            "not begun: " + TextOf(long_ones) + " would make it wait, and with it all other DDL"};
  }
  Record(session, table, partition);
  const std::optional<std::string> interrupted = RunDetach(environment, table, partition);
  CrashPoint("partition.detached");
  const PartitionedTable after = ReadTable(session, table_name);
  const Partition* still = after.Find(partition.oid);
  if (still == nullptr) return Settle(environment, session, table, partition.name);
  if (!still->detach_pending) {
    const std::string who = TextOf(BlockersOf(session, {{table.quoted}, {partition.quoted}}));
    return {false, "not detached: " + interrupted.value_or("no reason") + "; in the way: " + who};
  }
  if (environment.caller.should_stop()) return {false, "told to stop; the next run finishes it"};
  return FinishDetach(environment, table_name, *still);
}

DetachOutcome FinishDetach(const Environment& environment, const std::string& table_name,
                           const Partition& partition) {
  Session session(environment.sql);
  const PartitionedTable table = ReadTable(session, table_name);
  const std::optional<ledger::EventTable> events = EventsOf(session, table);
  if (events && NeedsRemainder(session, table, *events, partition)) {
    DetachOutcome undone = UndoDetach(environment, table_name, partition);
    return undone.done ? Detach(environment, table_name, AsAttached(partition)) : undone;
  }
  // Somebody else began it. What is recorded is known to who verifies.
  const std::optional<PartitionRecord> record = FindRecord(session, table, partition.name);
  if (!record || record->state != "detaching") Record(session, table, partition);
  DdlLimits limits = environment.ddl_limits();
  limits.deadline = environment.settings.detach_deadline;
  const DdlOutcome done =
      RunDdl(session, environment.caller, {{table.quoted, LockMode::kShareUpdateExclusive}}, limits,
             [&](Session& inside) {
               inside.Exec("ALTER TABLE " + table.quoted + " DETACH PARTITION " + partition.quoted +
                           " FINALIZE");
               CrashPoint("partition.finalize");
             });
  CrashPoint("partition.finalized");
  if (!done.done) {
    return {false, "being detached since an interruption; in the way: " +
                       (done.blockers.empty() ? WhoHindersFinalize(session, partition)
                                              : TextOf(done.blockers))};
  }
  return Settle(environment, session, table, partition.name);
}

DetachOutcome UndoDetach(const Environment& environment, const std::string& table_name,
                         const Partition& partition) {
  Session session(environment.sql);
  const PartitionedTable table = ReadTable(session, table_name);
  DdlLimits limits = environment.ddl_limits();
  limits.deadline = environment.settings.detach_deadline;
  const DdlOutcome done = RunDdl(
      session, environment.caller,
      {{table.quoted, LockMode::kShareUpdateExclusive}, {partition.quoted}}, limits,
      [&](Session& inside) {
        inside.Exec("ALTER TABLE " + table.quoted + " DETACH PARTITION " + partition.quoted +
                    " FINALIZE");
        // The CHECK that DETACH leaves makes this instant.
        AttachLeaf(inside, table, partition.quoted, partition.from, partition.to);
        inside.Exec("DELETE FROM summa_host.partition_record WHERE parent = $1 AND name = $2",
                    {table.quoted, partition.name});
        CrashPoint("partition.undo");
      });
  CrashPoint("partition.undone");
  if (!done.done) return {false, "its detach cannot be undone: " + TextOf(done.blockers)};
  return {true, ""};
}

void SettleRecords(const Environment& environment, const std::string& table_name) {
  Session session(environment.sql);
  const PartitionedTable table = ReadTable(session, table_name);
  for (const PartitionRecord& record : ReadRecords(session, table)) {
    if (record.state != "detaching") continue;
    const auto attached =
        std::find_if(table.partitions.begin(), table.partitions.end(),
                     [&](const Partition& partition) { return partition.name == record.name; });
    if (attached == table.partitions.end()) {
      Settle(environment, session, table, record.name);
    } else if (!attached->detach_pending) {
      session.Begin();
      ForgetRecord(session, record.id);
      session.Commit();
    }
  }
}

}  // namespace summa::maintenance
