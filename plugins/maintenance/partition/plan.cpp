#include "partition/plan.hpp"

#include <algorithm>
#include <cstdio>

#include "partition/names.hpp"

namespace summa::maintenance {

namespace {

using std::chrono::microseconds;

// More partitions than this in a gap would cost every query more than a long range does.
constexpr std::size_t kMostRangesInGap = 100;
// Rows further in the future than this many ranges are mistakes more often than not.
constexpr int kDrainReach = 100;
// Longer than the calendar, so that the arithmetic with it cannot overflow.
constexpr microseconds kLongestRetention = std::chrono::hours(24) * 366 * 10'000;

microseconds ShortestLength(Interval interval) {
  constexpr std::chrono::hours kDay(24);
  switch (interval) {
    case Interval::kHourly:
      return std::chrono::hours(1);
    case Interval::kDaily:
      return kDay;
    case Interval::kWeekly:
      return kDay * 7;
    case Interval::kMonthly:
      break;
  }
  return kDay * 28;
}

bool Contains(const Range& range, DatabaseTime at) { return range.from <= at && at < range.to; }

bool InsideCalendar(DatabaseTime at) { return InCalendar(at) == at; }

// The name of a range that is not one of the interval: its exact beginning.
std::string CutSuffix(DatabaseTime from) {
  const microseconds rest =
      InCalendar(from) - RangeAt(Interval::kHourly, from).from;  // of its hour
  std::string suffix = SuffixOf(Interval::kHourly, from);
  if (rest == microseconds(0)) return suffix;
  char text[32];
  const long long seconds = rest.count() / 1'000'000;
  const long long fraction = rest.count() % 1'000'000;
  std::snprintf(text, sizeof text, "%02lld%02lld", seconds / 60, seconds % 60);
  suffix += text;
  if (fraction == 0) return suffix;
  std::snprintf(text, sizeof text, "_%06lld", fraction);
  return suffix + text;
}

std::string Number(std::int64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

class Planner {
 public:
  Planner(const PartitionedTable& table, const PartitionSettings& settings, const PlanFacts& facts)
      : table_(table),
        facts_(facts),
        interval_(settings.interval),
        ahead_(std::max(settings.ahead, 0)),
        now_(InCalendar(facts.now)),
        taken_(facts.names) {
    if (settings.retention) {
      expired_until_ = now_ - std::clamp(*settings.retention, microseconds(0), kLongestRetention);
    }
    const std::vector<Range> wished = RangesFrom(interval_, now_, ahead_);
    wish_ = {wished.front().from, wished.back().to};
    SortPartitions();
  }

  Plan Make() {
    Measure();
    ChooseLeaving();
    if (!everything_) {
      ChooseSpan();
      Fill();
    }
    Recover();
    if (!everything_) AddRanges();
    Detach();
    if (!everything_ && span_.from != DatabaseTime::min()) {
      FitOverflow(low_, DatabaseTime::min(), span_.from, "low");
    }
    RaiseAlarms();
    return std::move(plan_);
  }

 private:
  // --- the table as it is ---

  void SortPartitions() {
    for (const Partition& partition : table_.partitions) {
      taken_.insert(partition.name);
      // A flat table that was attached is the oldest range, which no gate releases.
      const bool unbounded_low = partition.from == DatabaseTime::min() && !partition.flat;
      const bool unbounded_high = partition.to == DatabaseTime::max();
      if (unbounded_low && unbounded_high) {
        everything_ = &partition;
      } else if (unbounded_low) {
        low_ = &partition;
      } else if (unbounded_high) {
        high_ = &partition;
      } else {
        ranges_.push_back(&partition);
      }
    }
    std::sort(ranges_.begin(), ranges_.end(),
              [](const Partition* a, const Partition* b) { return a->from < b->from; });
  }

  void Measure() {
    DatabaseTime end = now_;
    for (const Partition* range : ranges_) {
      if (!range->detach_pending && range->from <= end && range->to > end) end = range->to;
    }
    plan_.runway = end - now_;
    plan_.wish = wish_.to - now_;
    FindGaps();
  }

  void FindGaps() {
    std::vector<Range> attached;
    for (const Partition& partition : table_.partitions) {
      if (!partition.detach_pending) attached.push_back({partition.from, partition.to});
    }
    std::sort(attached.begin(), attached.end(),
              [](const Range& a, const Range& b) { return a.from < b.from; });
    DatabaseTime place = DatabaseTime::min();
    for (const Range& range : attached) {
      if (range.from > place) plan_.gaps.push_back({place, range.from});
      place = std::max(place, range.to);
    }
    if (place != DatabaseTime::max()) plan_.gaps.push_back({place, DatabaseTime::max()});
  }

  // --- the table as it should be ---

  // The oldest ranges, up to the first that has to stay. Above a remainder each of them leaves one.
  void ChooseLeaving() {
    bool remainder_below = false;
    for (const Partition* range : ranges_) {
      if (range->remainder) {
        remainder_below = true;
        continue;
      }
      if (!expired_until_ || range->to > *expired_until_) break;
      if (!plan_.held.empty() || !facts_.releasable.contains(range->oid)) {
        plan_.held.push_back(range->name);
      } else if (remainder_below || facts_.keeps.contains(range->oid)) {
        remainder_below = true;
        replaced_.insert(range->oid);
      } else {
        ++leaving_;
      }
    }
  }

  bool Leaves(const Partition* range) const {
    return replaced_.contains(range->oid) || std::find(ranges_.begin(), ranges_.begin() + leaving_,
                                                       range) != ranges_.begin() + leaving_;
  }

  // From the first range to the last one, of those that stay and those that are missing.
  void ChooseSpan() {
    span_ = wish_;
    if (leaving_ < std::ssize(ranges_)) {
      const DatabaseTime first = ranges_[leaving_]->from;
      if (first <= now_) span_.from = first;
      span_.to = std::max(span_.to, ranges_.back()->to);
    }
    ExtendToUpperRows();
    ExtendToLowerRows();
    if (leaving_ > 0) span_.from = std::max(span_.from, ranges_[leaving_ - 1]->to);
  }

  void ExtendToUpperRows() {
    const DatabaseTime reach = RangesFrom(interval_, wish_.to, kDrainReach - 1).back().to;
    for (const DatabaseTime at : facts_.high.at) {
      if (at < span_.from) span_.from = RangeAt(interval_, at).from;
      if (at >= span_.to && at < reach) span_.to = RangeAt(interval_, at).to;
    }
  }

  bool Drainable(DatabaseTime at) const {
    return facts_.low.count <= kMostRowsDrained && InsideCalendar(at) &&
           (!expired_until_ || at >= *expired_until_);
  }

  void ExtendToLowerRows() {
    for (const DatabaseTime at : facts_.low.at) {
      if (at < span_.from && Drainable(at)) span_.from = RangeAt(interval_, at).from;
    }
    for (const DatabaseTime at : facts_.low.at) {
      if (at >= span_.to) span_.to = RangeAt(interval_, at).to;
    }
  }

  void Fill() {
    DatabaseTime place = span_.from;
    for (const Partition* range : ranges_) {
      if (range->from > place) FillHole({place, std::min(range->from, span_.to)});
      place = std::max(place, range->to);
    }
    FillHole({place, span_.to});
  }

  // In parts, so that a part lies entirely inside of the wish or outside of it, and belongs to one
  // overflow partition or to none.
  void FillHole(Range hole) {
    if (hole.from >= hole.to) return;
    std::vector<DatabaseTime> cuts = {wish_.from, wish_.to};
    if (low_ != nullptr) cuts.push_back(low_->to);
    if (high_ != nullptr) cuts.push_back(high_->from);
    std::sort(cuts.begin(), cuts.end());
    for (const DatabaseTime cut : cuts) {
      if (cut <= hole.from || cut >= hole.to) continue;
      FillPart({hole.from, cut});
      hole.from = cut;
    }
    FillPart(hole);
  }

  void FillPart(const Range& part) {
    if (part.from >= wish_.from && part.to <= wish_.to) return Add(interval_, part);
    if (InsideCalendar(part.from) && InsideCalendar(part.to)) {
      for (auto i = static_cast<int>(interval_); i <= static_cast<int>(Interval::kMonthly); ++i) {
        const Interval interval = static_cast<Interval>(i);
        const auto estimate = (part.to - part.from) / ShortestLength(interval);
        if (estimate > 2 * static_cast<std::int64_t>(kMostRangesInGap)) continue;
        if (RangesOver(interval, part).size() <= kMostRangesInGap) return Add(interval, part);
      }
    }
    added_.push_back({NewName(CutSuffix(part.from)), part});
  }

  void Add(Interval interval, const Range& part) {
    std::vector<Range> ranges = RangesOver(interval, part);
    ranges.front().from = part.from;
    ranges.back().to = part.to;
    for (const Range& range : ranges) {
      const bool whole = range == RangeAt(interval, range.from);
      added_.push_back(
          {NewName(whole ? SuffixOf(interval, range.from) : CutSuffix(range.from)), range});
    }
  }

  std::string NewName(const std::string& suffix) {
    std::string name = PartitionName(table_.name, suffix);
    for (int i = 2; !taken_.insert(name).second; ++i) {
      name = PartitionName(table_.name, suffix + "_" + std::to_string(i));
    }
    return name;
  }

  // --- the actions ---

  void Do(ActionKind kind, const Partition& partition, std::string reason) {
    plan_.actions.push_back(
        {kind, partition.name, partition.oid, partition.from, partition.to, {}, std::move(reason)});
    plan_.actions.back().remainder = replaced_.contains(partition.oid);
  }

  void Recover() {
    for (const Partition& partition : table_.partitions) {
      if (!partition.detach_pending) continue;
      if (Leaves(&partition)) {
        Do(ActionKind::kFinishDetach, partition,
           "its detach was interrupted, and it is older than the retention");
      } else {
        Do(ActionKind::kUndoDetach, partition, "its detach was interrupted, and it has to stay");
      }
    }
  }

  // What takes instants away from an overflow partition comes before what gives it more.
  void AddRanges() {
    std::vector<NewRange> above, below, between;
    for (NewRange& added : added_) {
      if (high_ != nullptr && added.range.from >= high_->from) {
        above.push_back(std::move(added));
      } else if (low_ != nullptr && added.range.to <= low_->to) {
        below.push_back(std::move(added));
      } else {
        between.push_back(std::move(added));
      }
    }
    const bool above_added = !above.empty();
    below_added_ = !below.empty();
    if (above_added) {
      const bool rows = !facts_.high.at.empty() && facts_.high.at.front() < span_.to;
      Shrink(*high_, {span_.to, DatabaseTime::max()}, rows, std::move(above));
    }
    if (below_added_) {
      const bool rows = !facts_.low.at.empty() && facts_.low.at.back() >= span_.from;
      Shrink(*low_, {DatabaseTime::min(), span_.from}, rows, std::move(below));
    }
    CreateRanges(std::move(between));
    if (!above_added) FitOverflow(high_, span_.to, DatabaseTime::max(), "high");
  }

  void Shrink(const Partition& overflow, const Range& bounds, bool rows,
              std::vector<NewRange> ranges) {
    Action action{rows ? ActionKind::kDrain : ActionKind::kMoveOverflow,
                  overflow.name,
                  overflow.oid,
                  bounds.from,
                  bounds.to,
                  std::move(ranges),
                  {}};
    action.reason = Number(std::ssize(action.ranges), "range is", "ranges are") + " missing there";
    if (rows) action.reason += ", and it has rows of them";
    plan_.actions.push_back(std::move(action));
  }

  // The range of now first.
  void CreateRanges(std::vector<NewRange> ranges) {
    std::stable_partition(ranges.begin(), ranges.end(),
                          [this](const NewRange& added) { return Contains(added.range, now_); });
    for (const NewRange& added : ranges) {
      const char* reason = added.range.from > now_ ? "it is missing ahead of now"
                           : added.range.to > now_ ? "there is no range for now"
                                                   : "there is a gap between older ranges";
      plan_.actions.push_back(
          {ActionKind::kCreate, added.name, 0, added.range.from, added.range.to, {}, reason});
    }
  }

  // An overflow partition that is missing, or that does not begin where the ranges end.
  void FitOverflow(const Partition* overflow, DatabaseTime from, DatabaseTime to,
                   const std::string& which) {
    if (overflow == nullptr) {
      plan_.actions.push_back({ActionKind::kCreateOverflow,
                               NewName("overflow_" + which),
                               0,
                               from,
                               to,
                               {},
                               "rows outside of all ranges would have no partition"});
      return;
    }
    if (overflow == low_ && below_added_) return;
    if (overflow->from == from && overflow->to == to) return;
    plan_.actions.push_back({ActionKind::kMoveOverflow,
                             overflow->name,
                             overflow->oid,
                             from,
                             to,
                             {},
                             "rows between it and the ranges would have no partition"});
  }

  void Detach() {
    for (const Partition* range : ranges_) {
      if (!Leaves(range) || range->detach_pending) continue;
      std::string reason =
          "it ended before " + BoundText(*expired_until_) + ", where the retention begins";
      if (replaced_.contains(range->oid)) reason += "; a remainder takes its place";
      Do(ActionKind::kDetach, *range, std::move(reason));
    }
  }

  // --- the alarms ---

  void RaiseAlarms() {
    if (everything_ != nullptr) {
      Raise(AlarmKind::kNoRoom,
            everything_->quoted + " takes the rows of all times: every range would overlap it");
    }
    if (!table_.default_partition.empty()) {
      Raise(AlarmKind::kDefaultPartition,
            table_.default_partition +
                " is a DEFAULT partition, which forbids to detach others "
                "concurrently");
    }
    RaiseRunway();
    if (facts_.low.count <= kMostRowsDrained) RaiseRows(low_, facts_.low);
    RaiseRows(high_, facts_.high);
    if (!table_.default_partition.empty()) return;
    for (const Range& gap : plan_.gaps) {
      Raise(AlarmKind::kGap, table_.quoted + " has no partition from " + BoundText(gap.from) +
                                 " to " + BoundText(gap.to));
    }
  }

  // The range that comes next is missing whenever a new one begins, until the next plan.
  void RaiseRunway() {
    const DatabaseTime least = RangesFrom(interval_, now_, std::max(ahead_ - 1, 0)).back().to;
    const DatabaseTime end = now_ + plan_.runway;
    if (end >= least) return;
    Raise(AlarmKind::kRunway, "the ranges of " + table_.quoted + " end at " + BoundText(end) +
                                  ", and should reach " + BoundText(wish_.to));
  }

  void RaiseRows(const Partition* overflow, const OverflowRows& rows) {
    if (overflow == nullptr || rows.count <= 0) return;
    std::string text = overflow->quoted + " has " + Number(rows.count, "row", "rows");
    if (!rows.at.empty()) {
      text += ", from " + BoundText(rows.at.front()) + " to " + BoundText(rows.at.back());
    }
    Raise(AlarmKind::kOverflowRows, std::move(text));
  }

  void Raise(AlarmKind kind, std::string text) { plan_.alarms.push_back({kind, std::move(text)}); }

  const PartitionedTable& table_;
  const PlanFacts& facts_;
  const Interval interval_;
  const int ahead_;
  const DatabaseTime now_;
  std::optional<DatabaseTime> expired_until_;
  Range wish_;
  std::set<std::string> taken_;

  const Partition* low_ = nullptr;
  const Partition* high_ = nullptr;
  const Partition* everything_ = nullptr;
  std::vector<const Partition*> ranges_;
  std::ptrdiff_t leaving_ = 0;       // of ranges_, the first ones: nothing takes their place
  std::set<std::int64_t> replaced_;  // oids of those that leave, and a remainder takes their place
  Range span_;                       // of all ranges, after the actions
  std::vector<NewRange> added_;
  bool below_added_ = false;

  Plan plan_;
};

}  // namespace

Plan PlanPartitions(const PartitionedTable& table, const PartitionSettings& settings,
                    const PlanFacts& facts) {
  return Planner(table, settings, facts).Make();
}

}  // namespace summa::maintenance
