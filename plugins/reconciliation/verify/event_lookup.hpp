// Ids and positions of the events that something is wrong with: they are not read in the first
// place.
#pragma once

#include <summa/ledger/event_table.hpp>

#include "finding.hpp"

namespace summa::verify {

// Fills event_id and position of findings that have aggregate and version.
void IdentifyEvents(Session& session, const ledger::EventTable& table,
                    std::vector<Finding>& findings);

}  // namespace summa::verify
