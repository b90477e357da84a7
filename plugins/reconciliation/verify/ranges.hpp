// Cuts the event store into pieces of about equal size that are read in the order of
// (aggregate_type, aggregate_id, version).
#pragma once

#include <summa/ledger/event_table.hpp>

#include <optional>
#include <string>
#include <vector>

namespace summa::verify {

// Aggregates of one type whose ids are in an interval; or, when `only` is set, versions of a single
// aggregate that is too large for one piece.
struct Range {
  std::string aggregate_type;
  std::optional<Uuid> from;  // nothing: from the lowest
  bool includes_from = true;
  std::optional<Uuid> to;  // exclusive; nothing: to the highest
  std::optional<Uuid> only;
  std::optional<std::int64_t> version_from, version_to;  // to: exclusive
};

// The condition of a WHERE clause on alias e.
std::string Condition(const ledger::EventTable& table, const Range& range);
// A literal of SQL, quoted; the text is ours or the catalog's.
std::string Quoted(std::string_view text);

// About how many rows there are, over all partitions.
std::int64_t EstimatedRows(Session& session, const ledger::EventTable& table);

// Every event that is visible now lies in exactly one of the ranges, which are in order.
std::vector<Range> PlanRanges(Session& session, const ledger::EventTable& table,
                              std::int64_t rows_per_range, std::int64_t estimated_rows);

// Leaves of the ranges what lies in [from, to).
void Clip(std::vector<Range>& ranges, const std::optional<Uuid>& from,
          const std::optional<Uuid>& to);

}  // namespace summa::verify
