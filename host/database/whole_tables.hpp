// Whether a reader of tables sees all of their rows. A part that is taken for the whole proves
// nothing: a filtered ledger looks sound, and rows that are hidden are never delivered.
#pragma once

#include <string>
#include <vector>

#include "host/database/control_connection.hpp"
#include "host/error.hpp"

namespace summa::host {

// SH-0430: row level security filters a table. SH-0431: it is no table, or not the whole of one.
inline constexpr std::string_view kFilteredTable = "SH-0430";
inline constexpr std::string_view kPartialTable = "SH-0431";

// What keeps this role from reading all rows of the tables ("schema.table", not quoted), in their
// order; empty: nothing. A table that does not exist is passed over. `parts`: also policies of
// single partitions, which count only for whoever reads the partition itself.
std::vector<Error> FindPartialTables(ControlTransaction& transaction,
                                     const std::vector<std::string>& tables, bool parts);

// Neither is a failure of the work itself: it goes on by itself as soon as somebody has changed the
// table or the role.
inline bool HealsInTheDatabase(std::string_view code) {
  return code == kFilteredTable || code == kPartialTable;
}

}  // namespace summa::host
