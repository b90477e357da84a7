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

// Rows that may be left to compare, and to put into the guard, while writers wait.
inline constexpr std::int64_t kMostTailRows = 2'000;

ComparedTables TablesOf(Session& session, const MigrationRecord& record);
ledger::EventTable EventsOf(Session& session, const MigrationRecord& record);

// Sessions and prepared transactions whose snapshot may be older than the end of the backfill: they
// would read an empty table after the exchange, without an error. Empty: there is none.
std::vector<Blocker> OlderSnapshots(Session& session, const std::string& backfill_xid);

// Begins the mirroring; also decides which positions are copied. Nothing else may be between the
// lock and that decision.
DdlOutcome BeginSync(Session& session, const WorkCaller& caller, const MigrationRecord& record);

// Strategy attach: from now on no event may be in the new partitions before the exchange. The check
// is validated later, without blocking writers; returns whether that was still to be done.
DdlOutcome BeginBound(Session& session, const WorkCaller& caller, const MigrationRecord& record);
bool ValidateBound(const summa_sql_v1* sql, const MigrationRecord& record);

// SH-0825: more than kMostTailRows rows have come since the last sealed position; seal again.
// SH-0823: something of the flat table has changed since the plan. SH-0824: the tail differs.
DdlOutcome SwapTables(Session& session, const WorkCaller& caller, const MigrationRecord& record);
// The same errors, but SH-0823. Strategy attach: SH-0856 when there are events in the new
// partitions.
DdlOutcome SwapBack(Session& session, const WorkCaller& caller, const MigrationRecord& record);

// The foreign keys that an exchange has made are checked here, each in a transaction of its own and
// without blocking writers. Returns whether there was one.
bool ValidateReferences(const summa_sql_v1* sql, const MigrationRecord& record);

// Removes the mirroring and the flat table.
DdlOutcome Finalize(Session& session, const WorkCaller& caller, const MigrationRecord& record);

// Before the exchange: removes the mirroring.
DdlOutcome EndSync(Session& session, const WorkCaller& caller, const MigrationRecord& record);
// The partitioned table and what the guard has, when the flat one is in its place. In the open
// transaction.
void DropShadow(Session& session, const MigrationRecord& record);

}  // namespace summa::maintenance
