// What a partitioned table lacks, as a list of actions. Pure: it reads no database and no clock.
#pragma once

#include <summa/json.hpp>
#include <summa/time.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "partition/catalog.hpp"
#include "partition/interval.hpp"

namespace summa::maintenance {

struct PartitionSettings {
  Interval interval = Interval::kMonthly;
  int ahead = 3;                                       // ranges after the range of now
  std::optional<std::chrono::microseconds> retention;  // nothing: ranges are kept for ever
};

// A lower overflow partition with more rows is a table that somebody has attached, not a place of
// strays: it stays as it is, without an alarm. (What a migration has attached is known by its
// record, whatever its size.)
inline constexpr std::int64_t kMostRowsDrained = 1'000'000;

// The rows of an overflow partition.
struct OverflowRows {
  std::int64_t count = 0;
  // The key of the first and of the last row, and of one row in each range between them that has
  // any; in order. Without those between, more than one plan may be needed.
  std::vector<DatabaseTime> at;
};

// What the catalog does not say.
struct PlanFacts {
  DatabaseTime now;
  std::set<std::int64_t> releasable;  // oids of the partitions that passed the gates of a detach
  std::set<std::int64_t> keeps;       // of those, the ones with events that stay in a remainder
  OverflowRows low, high;
  std::set<std::string> names;  // of other relations in the schema, which no new one may have
};

enum class ActionKind {
  kFinishDetach,    // FINALIZE a detach that was interrupted
  kUndoDetach,      // FINALIZE it, and attach the partition again with its bounds
  kCreate,          // a range, where no overflow partition is
  kMoveOverflow,    // to new bounds, and create `ranges` where it was, in one step
  kDrain,           // the same, where rows have to move into `ranges`
  kCreateOverflow,  // the lower or the upper one
  kDetach,          // a range that is older than the retention; a remainder may take its place
};
const char* NameOf(ActionKind kind);  // "finish-detach", "undo-detach", "create", ..

struct NewRange {
  std::string name;  // not quoted
  Range range;
};

struct Action {
  ActionKind kind = ActionKind::kCreate;
  std::string name;       // of the partition, not quoted
  std::int64_t oid = 0;   // 0: the action creates it
  DatabaseTime from, to;  // its bounds afterwards; those that it had for kFinishDetach, kDetach
  std::vector<NewRange> ranges;
  std::string reason;
  bool remainder = false;  // kDetach, kFinishDetach: one takes its place
};

// "2026-01-31T13:00:00Z", "MINVALUE", "MAXVALUE".
std::string BoundText(DatabaseTime bound);
// "create ledger_event_2026_02, 2026-02-01T00:00:00Z to 2026-03-01T00:00:00Z: REASON"
std::string TextOf(const Action& action);
// {"table", "kind", "name", "from", "to", "ranges": [{"name", "from", "to"}], "remainder",
// "reason"}; a bound is null where there is none.
void Write(const Action& action, const std::string& table, JsonWriter& json);

enum class AlarmKind {
  kRunway,            // shorter than it should be by more than the range that comes next
  kDefaultPartition,  // forbids DETACH CONCURRENTLY, and ATTACH scans it
  kOverflowRows,
  kGap,     // rows of some instants have no partition: writers fail
  kNoRoom,  // one partition takes all instants: every range would overlap it
};
const char* NameOf(AlarmKind kind);  // "runway", "default-partition", ..

struct Alarm {
  AlarmKind kind = AlarmKind::kRunway;
  std::string text;
};

struct Plan {
  // In the order in which they must be done: each relies on those before it. After a failure, plan
  // again.
  std::vector<Action> actions;
  // Of the table as it is, before the actions:
  std::chrono::microseconds runway{0};  // from now to where ranges without a gap end
  std::chrono::microseconds wish{0};    // what the runway should be
  std::vector<Range> gaps;              // no partition is attached there; min() and max(): no bound
  std::vector<std::string> held;  // older than the retention, but they or older ones did not pass
  std::vector<Alarm> alarms;
};

// The actions after which
// - ranges without gap or overlap contain now and the `ahead` ranges of the interval after it. What
//   exists stays as it is: new ranges are cut at the bounds of others, also of another interval.
//   A long gap (an outage, a clock that was wrong) gets at most 100 ranges, of a longer interval
//   where necessary, or a single one;
// - one overflow partition ends where the first range begins, another begins where the last ends.
//   The flat table of a migration is a range without a beginning, below which there is nothing;
// - their rows are in ranges, except those of the upper one that are more than 100 ranges beyond
//   the wish, those of the lower one that are older than the retention or more than a million, and
//   those outside of the calendar;
// - no range is left that is older than the retention and passed the gates, except where an older
//   one has to stay, since a gap would arise between them. The range of now never goes. A remainder
//   stays, and takes the place of every range above it that leaves.
// Applied to a table that is as the actions leave it, with the same facts, it has none.
Plan PlanPartitions(const PartitionedTable& table, const PartitionSettings& settings,
                    const PlanFacts& facts);

}  // namespace summa::maintenance
