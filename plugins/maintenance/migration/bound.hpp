// Strategy attach: the flat table is the partition of everything before its bound, and nothing of
// it is copied for that.
#pragma once

#include <summa/sql.hpp>
#include <summa/work.hpp>

#include <string>
#include <vector>

#include "migration/record.hpp"
#include "partition/ddl.hpp"

namespace summa::maintenance {

// From now on no event may be in the new partitions before the exchange. The check is validated
// later, without blocking writers; returns whether that was still to be done.
DdlOutcome BeginBound(Session& session, const WorkCaller& caller, const MigrationRecord& record);
bool ValidateBound(const summa_sql_v1* sql, const MigrationRecord& record);

// The statements that make the flat table, which is checked, a partition.
std::vector<std::string> AttachFlat(const MigrationRecord& record);
// Adds that check, unless an earlier try has, for a flat table that nobody uses, in a transaction
// of its own. Reads the whole table.
void CheckBound(Session& session, const MigrationRecord& record);
// The statement that removes the check from the table (quoted), if it is there.
std::string DropBound(const std::string& flat);

// Going back would lose an event.
inline constexpr const char* kWayBackClosed = "SH-0856";
[[noreturn]] void ThrowClosed(const std::string& why);
// The same when the new partitions have events.
void RequireUnused(Session& session, const MigrationRecord& record);

}  // namespace summa::maintenance
