// Whether a run has read as many rows as the catalog knows of. What hides rows is refused by the
// server and by the host; this is for what neither of them knows: a run that read far less than
// there should be is incomplete, never healthy.
#pragma once

#include <optional>
#include <string>
#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>
#include <vector>

namespace summa::reconciliation {

// Rows only ever come to the tables that are read whole, so the count of the catalog is too low
// when it is old. A tenth is left for its sampling, and a few rows for what began and was rolled
// back when it counted.
inline constexpr double kMinShare = 0.9;
inline constexpr double kFewRows = 10;
// Of a part of a table there is only the planner's estimate, from a histogram of a sample.
inline constexpr double kMinShareOfPart = 0.5;
inline constexpr double kFewRowsOfPart = 1000;

struct RowsRead {
  std::string table;
  std::int64_t rows = 0;
  // Of partitions that are known to have left the table, and which the catalog may still count.
  std::int64_t detached = 0;
};

// SH-0709 with the tables of which far less was read than is expected; nothing: all is well.
std::optional<Error> FarLess(Session& session, const std::vector<RowsRead>& read);

// SH-0709 when the empty table of events is not the only one of the database: then it is hardly the
// ledger. A new ledger beside others is incomplete until its first event.
std::optional<Error> EmptyBeside(Session& session, const ledger::EventTable& table);

// The same of the events of aggregates in [from, to); and `before` rows that an earlier run has
// read of them.
std::optional<Error> FarLessOfPart(Session& session, const ledger::EventTable& table,
                                   const Uuid& from, const std::optional<Uuid>& to,
                                   std::int64_t rows);
std::optional<Error> FarLessThanBefore(const std::string& part, std::int64_t before,
                                       std::int64_t rows);

}  // namespace summa::reconciliation
