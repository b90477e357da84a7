// The exchange of the two tables, and the way back. Each is one bounded transaction: it happens
// completely or not at all, and when it is over, the other table has every row.
#pragma once

#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>
#include <summa/work.hpp>

#include <cstdint>

#include "migration/exchange.hpp"
#include "migration/record.hpp"
#include "migration/verify.hpp"
#include "partition/ddl.hpp"

namespace summa::maintenance {

// Rows that may be left to compare, and to put into the guard, while writers wait; and how many it
// should be.
inline constexpr std::int64_t kMostTailRows = 1'000;
inline constexpr std::int64_t kShortTailRows = 50;

struct Exchange : PreparedExchange {
  ComparedTables tables;
  ledger::EventTable events;  // from which the guard is filled
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

}  // namespace summa::maintenance
