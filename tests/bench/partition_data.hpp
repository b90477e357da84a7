// Ledgers with a history of months, and what a migration of them is measured against.
#pragma once

#include <string>
#include <vector>

#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::bench {

// Versions of each aggregate of a history.
inline constexpr long long kVersions = 12;

// Database `name` with a ledger of the deployed layout, the steps of the host, of maintenance and
// of outbox, and about `rows` events with right hashes: transactions of kVersions events each, in
// the order of their positions, over as many months up to now. Returns its Url.
std::string MakeHistory(test::PostgresServer& server, const std::string& name, long long rows,
                        int months);

// The same history by bulk: each version of all aggregates, then the next, into
// tables that get their indexes afterwards. Partitioned: with a partition for each month and the
// guard.
std::string MakeLargeHistory(test::PostgresServer& server, const std::string& name, long long rows,
                             int months, bool partitioned);

// An aggregate of a history, by its number from 1 on, as an SQL expression.
std::string AggregateId(const std::string& number);

// An empty partitioned table like ledger_event, with a partition for each month of a span, as SQL
// expressions: by default that of its events. Returns the partitions. None has an index.
std::vector<std::string> MakeLeaves(
    test::Db& db, const std::string& table,
    const std::string& first = "(SELECT min(created_at) FROM ledger_event)",
    const std::string& last = "(SELECT max(created_at) FROM ledger_event)");
// The indexes of the flat table on each of them.
void IndexLeaves(test::Db& db, const std::vector<std::string>& leaves);

// All rows in one statement into partitions without an index, then the indexes. Seconds.
double CopyBare(const std::string& url);
// Batches of 50,000 rows, each committed, into partitions that have their indexes. Seconds.
double CopyInBatches(const std::string& url);

// Makes ledger_event partitioned, without a guard: enough for what only reads.
void PartitionForReading(const std::string& url);

}  // namespace summa::bench
