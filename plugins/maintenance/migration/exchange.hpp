// What every exchange of tables needs, whichever tables it is about: its limits, and what must not
// have changed, or still be open, when it happens.
#pragma once

#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "migration/inventory.hpp"
#include "migration/record.hpp"
#include "migration/verify.hpp"
#include "partition/ddl.hpp"

namespace summa::maintenance {

// What an exchange needs, read and written before its locks.
struct PreparedExchange {
  std::vector<LockRequest> locks;
  std::vector<std::string> statements;
  std::string stamp;  // of the partitioned table, or of the flat one that it replaces, at that time
};

// For DDL in general, and for an exchange.
DdlLimits Limits();
DdlLimits ExchangeLimits();
// It took too long while writers waited. Nobody is in its way, and each try stalls writers.
inline constexpr const char* kTooSlow = "SH-0860";
void RequireInTime(const DdlOutcome& exchanged, const std::string& what_next);

// An exchange found something that is done before its locks the next time: SH-0825, SH-0858.
bool ComesAgain(const Error& error);
// SH-0858 when StampOf() tells otherwise by now: instead of reading an inventory once more.
void RequireStamp(Session& session, std::int64_t table, const std::string& stamp);
// SH-0823: something of the flat table has changed since the plan.
void RequireUnchanged(const MigrationRecord& record, const Inventory& flat);
// "schema.table_old", quoted: what the flat table is called after the exchange.
std::string OldName(const MigrationRecord& record);
ComparedTables TablesOf(Session& session, const MigrationRecord& record);
ledger::EventTable EventsOf(Session& session, const MigrationRecord& record);

}  // namespace summa::maintenance
