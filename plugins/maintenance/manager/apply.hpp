// The actions of a plan that change the shape of a table, but for detaches of old ranges: new
// partitions, and overflow partitions with other bounds and without rows. Writers are never without
// a place, and wait for milliseconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "manager/environment.hpp"
#include "partition/catalog.hpp"
#include "partition/ddl.hpp"
#include "partition/plan.hpp"

namespace summa::maintenance {

struct ApplyOutcome {
  bool done = true;                   // false: gave up; what was attached before stays
  std::int64_t created = 0;           // partitions attached
  std::int64_t moved = 0;             // rows moved out of an overflow partition
  std::int64_t adopted = 0;           // overflow partitions that became ranges
  std::chrono::microseconds held{0};  // the longest time that locks were held
  std::vector<Blocker> blockers;

  void Add(const ApplyOutcome& other);
};

// kCreate, kCreateOverflow, kMoveOverflow, kDrain; SUMMA_E_USAGE for other kinds. Errors: SH-0831
// (defect: rows would have been lost; nothing changed), SH-0833 (an overflow partition with too
// many rows to move cannot become a range, because of rows beyond it).
ApplyOutcome ApplyAction(const Environment& environment, const std::string& table,
                         const Action& action);

// Drops what an interrupted run left: partitions and remainders that were never attached, and the
// constraint of an overflow partition that was about to become a range. Returns the number.
std::int64_t DropLeftovers(const Environment& environment, const std::string& table);

// A valid CHECK of `condition` on an overflow partition (quoted), so that ATTACH with bounds that it
// implies does not read the rows while writers wait. Rows outside are refused from then on. Not
// done: somebody was in the way, or a row outside has come before; the CHECK is gone then. The
// transaction of the ATTACH takes it away.
DdlOutcome CheckNewBounds(const Environment& environment, Session& session,
                          const std::string& quoted, const std::string& condition);
void UncheckNewBounds(Session& session, const std::string& quoted);

// The comment of a table that is not attached yet; DropLeftovers drops tables with it. When it is
// attached, the comment of its parent takes its place, as CreateLeaf() has copied it; another
// comment stays. Inside the caller's transaction.
void MarkUnattached(Session& session, const PartitionedTable& table, const std::string& quoted);
void UnmarkUnattached(Session& session, const PartitionedTable& table, const std::string& quoted);

}  // namespace summa::maintenance
