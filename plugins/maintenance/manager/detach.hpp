// Ranges that are old enough leave their table, and writers do not notice: DETACH PARTITION
// CONCURRENTLY, which nobody waits for but itself. A range with the last events of chains that may
// go on is exchanged for a remainder instead; see manager/remainder.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "manager/environment.hpp"
#include "partition/catalog.hpp"

namespace summa::maintenance {

// Why the range may not leave yet, the first gate that it does not pass; nothing: it may.
//   the table has a DEFAULT partition, it was attached again by hand (unless by_hand says that a
//   person wants it to leave), it is not closed, it is not verified (manager/gates.hpp).
std::optional<std::string> WhyNotDetachable(const Environment& environment, Session& session,
                                            const PartitionedTable& table,
                                            const Partition& partition, bool by_hand = false);

struct DetachOutcome {
  bool done = false;
  std::string why_not;                // when it is not done
  std::int64_t kept = 0;              // events that stay, in a remainder
  std::chrono::microseconds held{0};  // for which writers waited
};

// Records the partition, detaches it, and waits until it is detached. Call it when the gates were
// passed. Not begun while somebody has an older transaction on the table or the partition: until
// DETACH is through, others could not detach or attach. When it is interrupted, the partition is
// either attached or being detached; FinishDetach brings it to its end. When it has another number
// of rows afterwards, it is attached again. With a remainder, it is either attached or detached.
DetachOutcome Detach(const Environment& environment, const std::string& table,
                     const Partition& partition);

// FINALIZE of a detach that was interrupted, recorded before; waits for every older snapshot of the
// database, until the deadline. A range that needs a remainder is attached first, then detached
// anew: until then its chains have no last event.
DetachOutcome FinishDetach(const Environment& environment, const std::string& table,
                           const Partition& partition);
// The same, and attaches the partition again with its bounds.
DetachOutcome UndoDetach(const Environment& environment, const std::string& table,
                         const Partition& partition);

// What is recorded as leaving, and has left, is recorded so; the record of what never began to
// leave goes. For a host that ended in between.
void SettleRecords(const Environment& environment, const std::string& table);

}  // namespace summa::maintenance
