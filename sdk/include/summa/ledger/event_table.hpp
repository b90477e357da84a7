// Where the events of a ledger are stored. Two layouts exist; the rest of the code sees only this
// description.
#pragma once

#include <summa/sql.hpp>

#include <set>
#include <string>

namespace summa::ledger {

enum class Layout {
  kDeployed,  // a running Summa: aggregate_version, hash, prev_hash; sequence_number is global
  kPlan       // the plan's: sequence_number per aggregate, event_hash, previous_hash; position
};

struct EventTable {
  Layout layout = Layout::kDeployed;
  bool partitioned = false;
  std::string name = "ledger_event";  // schema-qualified and quoted, ready for a statement
  // Columns whose names differ between the layouts.
  std::string position = "sequence_number";
  std::string version = "aggregate_version";
  std::string hash = "hash";
  std::string previous_hash = "prev_hash";
};

// The layout of a ledger_event with these columns; nothing when it has neither. Fills `missing`
// with the columns that it lacks for each layout ("deployed lacks hash, plan lacks position").
std::optional<Layout> LayoutOf(const std::set<std::string>& columns,
                               std::string* missing = nullptr);

// The columns of a layout, for a table of this (quoted) name.
EventTable DescribeEvents(Layout layout, std::string name = "ledger_event");

// Looks in the catalog for ledger_event on the session's search_path. Throws summa::Error: SH-0414
// when there is none, SH-0415 when it has neither layout.
EventTable FindEvents(Session& session);

}  // namespace summa::ledger
