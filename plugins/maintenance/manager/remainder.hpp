// Summa finds the last event of an account, a hold or a schedule in ledger_event. When a range
// leaves, those of chains that may go on stay: as copies in a table of their own, the remainder,
// which takes the place of the range in one transaction.
#pragma once

#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "manager/detach.hpp"
#include "manager/environment.hpp"
#include "manager/records.hpp"
#include "partition/catalog.hpp"

namespace summa::maintenance {

// Whether a range cannot leave without one: it has the last event of a chain that may go on, or
// there is a remainder below it, and a gap would arise. May read the whole partition.
bool NeedsRemainder(Session& session, const PartitionedTable& table,
                    const ledger::EventTable& events, const Partition& partition);

// Makes the remainder, waits until nobody has a snapshot from before, and exchanges it with the
// range. A small remainder right below is taken in. What was made for it is dropped when it is not
// done; when it is interrupted, by DropLeftovers(). Done: the range is detached and recorded as
// leaving, and is still to be settled.
DetachOutcome ExchangeForRemainder(const Environment& environment, Session& session,
                                   const PartitionedTable& table, const ledger::EventTable& events,
                                   const Partition& partition);

// The remainder that has the place of this range; nullptr: none has all of it.
const Partition* RemainderOf(const PartitionedTable& table, const Range& range);

// A partition that comes back.
struct ComingBack {
  PartitionRecord record;
  std::string found;    // quoted, as it is called now
  bool moved = false;   // it is in another schema
  bool loaded = false;  // its rows were written just now; it has the CHECK of its bounds
};
// Exchanges the remainder with the partition: what has come into its range meanwhile is moved into
// the partition, what the remainder has of other ranges into new remainders. `recorded` writes what
// is recorded, in the same transaction. Throws SH-0861 when an event was changed meanwhile; returns
// who is in the way, when there is somebody.
std::vector<Blocker> AttachInPlaceOf(const Environment& environment, Session& session,
                                     const PartitionedTable& table,
                                     const ledger::EventTable& events, const Partition& remainder,
                                     const ComingBack& partition,
                                     const std::function<void(Session&)>& recorded);

}  // namespace summa::maintenance
