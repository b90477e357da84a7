// May a range leave the table? Two gates: nothing can be added to it any more, and what it contains
// was verified.
#pragma once

#include <summa/ledger/event_table.hpp>

#include <optional>
#include <string>

#include "manager/environment.hpp"
#include "partition/catalog.hpp"

namespace summa::maintenance {

// The events, when the table is the ledger's.
std::optional<ledger::EventTable> EventsOf(Session& session, const PartitionedTable& table);

// Why not; nothing: it is. Waits some seconds for transactions whose start it cannot see.
//   closed: the end is `closed_after` ago, and no transaction that began before it is open: it could
//   still write a row with the time of its start. Prepared transactions with a lock on the table
//   count as well.
std::optional<std::string> WhyNotClosed(const Environment& environment, Session& session,
                                        const PartitionedTable& table, const Partition& partition);
//   verified: each event is in a block or recorded as late, and each aggregate was verified without
//   a finding: by rolling-verification that began `closed_after` after the end of the range, or by
//   a snapshot that reaches its last event of the range.
std::optional<std::string> WhyNotVerified(const Environment& environment, Session& session,
                                          const ledger::EventTable& events,
                                          const Partition& partition);

}  // namespace summa::maintenance
