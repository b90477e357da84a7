// Events that have left the ledger with their partition (docs/partitions.md). A reader sees no
// difference between such an event and a number that nobody has used; a read model without it would
// be wrong. The records of the plugin maintenance tell. Throws SH-0568 where events are missing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <summa/ledger/reader.hpp>
#include <summa/sql.hpp>
#include <vector>

namespace summa::projections {

inline constexpr const char* kDeparted = "SH-0568";

// For who needs the history from its beginning.
void RequireWholeHistory(Session& ledger, const ledger::EventTable& table);

// For who has read on from one place to another and was given the events with these positions, in
// order: the other numbers between them must be of no event.
void RequireAllDelivered(Session& ledger, const ledger::EventTable& table,
                         const ledger::Checkpoint& from, const ledger::Checkpoint& reached,
                         std::span<const std::int64_t> delivered);

// For who has read all events of some aggregates. `aggregates`: a statement for their ids, with the
// parameter $1.
void RequireWholeAggregates(Session& ledger, const ledger::EventTable& table,
                            const std::string& aggregates, const Uuid& parameter);

// The numbers that `reached` has, `from` has not, and that are not among `delivered`.
std::vector<ledger::Checkpoint::Hole> PassedOver(const ledger::Checkpoint& from,
                                                 const ledger::Checkpoint& reached,
                                                 std::span<const std::int64_t> delivered);

}  // namespace summa::projections
