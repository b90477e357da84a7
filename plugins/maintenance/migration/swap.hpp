// The exchange of the two tables, and the way back. Each is one bounded transaction: it happens
// completely or not at all, and when it is over, the other table has every row.
#pragma once

#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>
#include <summa/work.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "migration/inventory.hpp"
#include "migration/record.hpp"
#include "migration/verify.hpp"
#include "partition/ddl.hpp"

namespace summa::maintenance {

// Rows that may be left to compare, and to put into the guard, while writers wait; and how many it
// should be.
inline constexpr std::int64_t kMostTailRows = 1'000;
inline constexpr std::int64_t kShortTailRows = 50;

// For DDL in general, and for an exchange.
DdlLimits Limits();
DdlLimits ExchangeLimits();
// In the transaction of an exchange, under its locks, instead of reading an inventory once more:
// SH-0858 when StampOf() tells otherwise.
void RequireStamp(Session& session, std::int64_t table, const std::string& stamp);
// "schema.table_old", quoted: what the flat table is called after the exchange.
std::string OldName(const MigrationRecord& record);
// The statements that make it the partition of everything before the bound, which is checked.
std::vector<std::string> AttachFlat(const MigrationRecord& record);
// Adds that check, for a flat table that nobody uses, in a transaction of its own.
void CheckBound(Session& session, const MigrationRecord& record);
// SH-0856 when the new partitions of strategy attach have events: they would be lost.
void RequireUnused(Session& session, const MigrationRecord& record);

ComparedTables TablesOf(Session& session, const MigrationRecord& record);
ledger::EventTable EventsOf(Session& session, const MigrationRecord& record);

// Sessions and prepared transactions whose snapshot may be older than the end of the backfill: they
// would read an empty table after the exchange, without an error. Empty: there is none.
std::vector<Blocker> OlderSnapshots(Session& session, const std::string& backfill_xid);

// In the transaction that has created the shadow, whose oid the record has: the guard, which is not
// enabled yet, and all functions and triggers that need no lock on the flat table.
void PrepareShadow(Session& session, const MigrationRecord& record);

// Begins the mirroring; also decides which positions are copied. Nothing else may be between the
// lock and that decision.
DdlOutcome BeginSync(Session& session, const WorkCaller& caller, const MigrationRecord& record);

// Strategy attach: from now on no event may be in the new partitions before the exchange. The check
// is validated later, without blocking writers; returns whether that was still to be done.
DdlOutcome BeginBound(Session& session, const WorkCaller& caller, const MigrationRecord& record);
bool ValidateBound(const summa_sql_v1* sql, const MigrationRecord& record);

// What an exchange needs, read and written before its lock.
struct Exchange {
  ComparedTables tables;
  ledger::EventTable events;  // from which the guard is filled
  std::vector<LockRequest> locks;
  std::vector<std::string> statements;
  std::string stamp;  // of the catalog, when they were written
};

// SH-0823: something of the flat table has changed since the plan.
Exchange PrepareSwap(Session& session, const MigrationRecord& record);
// Within half a second. SH-0825: more than kMostTailRows rows have come since the last sealed
// position; seal again. SH-0858: the catalog has changed since; prepare again. SH-0824: the tail
// differs.
DdlOutcome SwapTables(Session& session, const WorkCaller& caller, const MigrationRecord& record,
                      const Exchange& exchange);
Exchange PrepareSwapBack(Session& session, const MigrationRecord& record);
// The same. Strategy attach: SH-0856 when there are events in the new partitions.
DdlOutcome SwapBack(Session& session, const WorkCaller& caller, const MigrationRecord& record,
                    const Exchange& exchange);

// The foreign keys that an exchange has made are checked here, each in a transaction of its own and
// without blocking writers. Returns whether there was one.
bool ValidateReferences(const summa_sql_v1* sql, const MigrationRecord& record);

// Removes the mirroring and the flat table; one that is attached stays.
DdlOutcome Finalize(Session& session, const WorkCaller& caller, const MigrationRecord& record);

// Before the exchange: removes the mirroring. From now on the migration can only be aborted.
DdlOutcome EndSync(Session& session, const WorkCaller& caller, const MigrationRecord& record);
// The partitioned table and what the guard has, when the flat one is in its place. In the open
// transaction.
void DropShadow(Session& session, const MigrationRecord& record);

}  // namespace summa::maintenance
