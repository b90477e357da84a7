// Whether a reader of tables sees all of their rows. A part that is taken for the whole proves
// nothing: a filtered ledger looks sound, and rows that are hidden are never delivered.
#pragma once

#include <string>
#include <vector>

#include "host/database/text_rows.hpp"
#include "host/error.hpp"

namespace summa::host {

// SH-0430: row level security filters a table. SH-0431: it is no table, or not the whole of one.
inline constexpr std::string_view kFilteredTable = "SH-0430";
inline constexpr std::string_view kPartialTable = "SH-0431";

// SH-0432: a table beside it may hold rows of it. Work goes on.
inline constexpr std::string_view kDetachedPart = "SH-0432";

// What keeps this role from reading all rows of the tables ("schema.table", not quoted), in their
// order; empty: nothing. A table that does not exist is passed over, and so is a partition whose
// DETACH CONCURRENTLY is not finished when summa_host.partition_record has it as detaching. `parts`:
// also policies of single partitions, which count only for whoever reads the partition itself.
std::vector<Error> FindPartialTables(const QueryFunction& query,
                                     const std::vector<std::string>& tables, bool parts);

// SH-0432: tables beside the partitioned ones of these that look like partitions of them and are
// none. Their rows are in no answer, and nobody can tell whether they should be. Those that
// summa_host.partition_record has as detached or archived are known and not named, and the tables
// beside ledger_event of a partition migration that the journal has and that was not aborted to its end.
std::vector<Error> FindDetachedParts(const QueryFunction& query,
                                     const std::vector<std::string>& tables);

// Throws the first of FindPartialTables() as a Failure; else what FindDetachedParts() has to say.
std::vector<Error> RequireWholeTables(const QueryFunction& query,
                                      const std::vector<std::string>& tables);

// Neither of the first two is a failure of the work itself: it goes on by itself as soon as
// somebody has changed the table or the role.
inline bool HealsInTheDatabase(std::string_view code) {
  return code == kFilteredTable || code == kPartialTable;
}

}  // namespace summa::host
