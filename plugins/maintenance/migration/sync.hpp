// What keeps the other table equal while both exist: before the swap each insert into the flat
// table is mirrored into the partitioned one, afterwards the other way round. Changes that cannot
// be mirrored (UPDATE, DELETE, TRUNCATE) are refused meanwhile.
//
// All of these run inside the caller's transaction, which holds ACCESS EXCLUSIVE on the tables that
// are named (SHARE ROW EXCLUSIVE is enough to begin).
#pragma once

#include <summa/sql.hpp>

#include <string>
#include <vector>

namespace summa::maintenance {

struct SyncTables {
  std::string from, to;              // quoted
  std::vector<std::string> columns;  // quoted
};

// One statement-level trigger with a transition table: COPY and inserts of many rows are one
// statement here as well. `from` is the flat table.
void BeginForwardSync(Session& session, const SyncTables& tables);
void EndForwardSync(Session& session, const std::string& from);

// `from` is the partitioned table. A row trigger, since it is cloned to every partition, also later
// ones: an insert that names a partition does not fire statement triggers of the parent.
void BeginReverseSync(Session& session, const SyncTables& tables);
void EndReverseSync(Session& session, const std::string& from);

}  // namespace summa::maintenance
