// Plans, applied to a model of a table through random histories: changes of the interval, outages,
// clocks that jump, partitions that are lost, detaches that are interrupted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "partition/plan.hpp"

namespace summa::maintenance {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using testing::ElementsAre;

constexpr hours kDay(24);

DatabaseTime At(int year, unsigned month, unsigned day, int hour = 0) {
  const std::chrono::sys_days date =
      std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day);
  return ToDatabase(UnixTime(date) + hours(hour));
}

void Require(bool holds, const std::string& name, const char* what) {
  if (!holds) throw std::runtime_error(name + " " + what);
}

// A table that refuses what PostgreSQL refuses.
class Model {
 public:
  PartitionedTable table;
  std::map<std::int64_t, std::vector<DatabaseTime>> rows;  // by partition
  std::vector<std::string> detached;

  Model() {
    table.name = table.quoted = "ledger_event";
    table.key = "created_at";
  }

  void Attach(const std::string& name, DatabaseTime from, DatabaseTime to) {
    Require(from < to, name, "is empty");
    for (const Partition& other : table.partitions) {
      Require(other.to <= from || to <= other.from, name, "overlaps another partition");
      Require(other.name != name, name, "exists");
    }
    Partition partition;
    partition.oid = ++last_oid_;
    partition.name = partition.quoted = name;
    partition.from = from;
    partition.to = to;
    const auto place = std::upper_bound(
        table.partitions.begin(), table.partitions.end(), partition,
        [](const Partition& one, const Partition& two) { return one.from < two.from; });
    table.partitions.insert(place, partition);
  }

  // False: no partition takes it.
  bool Insert(DatabaseTime at) {
    for (const Partition& partition : table.partitions) {
      if (partition.detach_pending || at < partition.from || at >= partition.to) continue;
      rows[partition.oid].push_back(at);
      return true;
    }
    return false;
  }

  void Remove(std::int64_t oid) {
    rows.erase(oid);
    std::erase_if(table.partitions, [oid](const Partition& one) { return one.oid == oid; });
  }

  Partition& Find(std::int64_t oid) {
    for (Partition& partition : table.partitions) {
      if (partition.oid == oid) return partition;
    }
    throw std::runtime_error("there is no partition " + std::to_string(oid));
  }

  OverflowRows RowsOf(bool low) const {
    OverflowRows found;
    for (const Partition& partition : table.partitions) {
      if (low ? partition.from != DatabaseTime::min() : partition.to != DatabaseTime::max()) {
        continue;
      }
      if (const auto own = rows.find(partition.oid); own != rows.end()) found.at = own->second;
    }
    std::sort(found.at.begin(), found.at.end());
    found.count = std::ssize(found.at);
    return found;
  }

  void Apply(const Action& action) {
    switch (action.kind) {
      case ActionKind::kFinishDetach:
        Require(Find(action.oid).detach_pending, action.name, "is not being detached");
        Leave(action);
        return;
      case ActionKind::kUndoDetach:
        Require(Find(action.oid).detach_pending, action.name, "is not being detached");
        Find(action.oid).detach_pending = false;
        return;
      case ActionKind::kCreate:
      case ActionKind::kCreateOverflow:
        Attach(action.name, action.from, action.to);
        return;
      case ActionKind::kMoveOverflow:
      case ActionKind::kDrain:
        Move(action);
        return;
      case ActionKind::kDetach:
        Require(!Find(action.oid).detach_pending, action.name, "is being detached already");
        Leave(action);
        return;
    }
  }

 private:
  void Leave(const Action& action) {
    detached.push_back(action.name);
    Remove(action.oid);
    if (!action.remainder) return;
    const std::string name = "remainder_" + std::to_string(last_oid_);
    Attach(name, action.from, action.to);
    for (Partition& one : table.partitions) one.remainder = one.remainder || one.name == name;
  }
  void Move(const Action& action) {
    Find(action.oid);
    const std::vector<DatabaseTime> moved = rows[action.oid];
    Remove(action.oid);
    for (const NewRange& added : action.ranges) {
      Attach(added.name, added.range.from, added.range.to);
    }
    Attach(action.name, action.from, action.to);
    for (const DatabaseTime at : moved) {
      const bool stays = action.from <= at && at < action.to;
      Require(stays || action.kind == ActionKind::kDrain, action.name, "has rows that must move");
      Require(Insert(at), action.name, "has a row without a partition");
    }
  }

  std::int64_t last_oid_ = 0;
};

std::set<std::int64_t> All(const PartitionedTable& table) {
  std::set<std::int64_t> oids;
  for (const Partition& partition : table.partitions) oids.insert(partition.oid);
  return oids;
}

PlanFacts FactsOf(const Model& model, DatabaseTime now, std::set<std::int64_t> releasable) {
  PlanFacts facts;
  facts.now = now;
  facts.releasable = std::move(releasable);
  facts.low = model.RowsOf(true);
  facts.high = model.RowsOf(false);
  facts.names.insert(model.detached.begin(), model.detached.end());
  return facts;
}

Plan RunOn(Model& model, const PartitionSettings& settings, DatabaseTime now) {
  const Plan plan = PlanPartitions(model.table, settings, FactsOf(model, now, All(model.table)));
  for (const Action& action : plan.actions) model.Apply(action);
  return plan;
}

std::vector<std::string> NamesOf(const Model& model) {
  std::vector<std::string> names;
  for (const Partition& partition : model.table.partitions) names.push_back(partition.name);
  return names;
}

std::vector<std::string> KindsOf(const Plan& plan) {
  std::vector<std::string> kinds;
  for (const Action& action : plan.actions) kinds.push_back(NameOf(action.kind));
  return kinds;
}

bool Raises(const Plan& plan, AlarmKind kind) {
  return std::any_of(plan.alarms.begin(), plan.alarms.end(),
                     [kind](const Alarm& alarm) { return alarm.kind == kind; });
}

// --- examples ---

TEST(PartitionPlan, AnEmptyTableGetsItsRangesAndBothOverflowPartitions) {
  Model model;
  const Plan plan = RunOn(model, {Interval::kMonthly, 2, {}}, At(2026, 1, 31, 23));
  EXPECT_THAT(NamesOf(model), ElementsAre("ledger_event_overflow_low", "ledger_event_2026_01",
                                          "ledger_event_2026_02", "ledger_event_2026_03",
                                          "ledger_event_overflow_high"));
  EXPECT_EQ(plan.runway, microseconds(0));
  EXPECT_TRUE(Raises(plan, AlarmKind::kRunway));
  EXPECT_TRUE(Raises(plan, AlarmKind::kGap));
}

TEST(PartitionPlan, TheNextRangeComesInOneStepWithTheUpperOverflow) {
  Model model;
  RunOn(model, {Interval::kMonthly, 2, {}}, At(2026, 1, 15));
  const Plan plan = RunOn(model, {Interval::kMonthly, 2, {}}, At(2026, 2, 1));
  ASSERT_THAT(KindsOf(plan), ElementsAre("move-overflow"));
  EXPECT_EQ(plan.actions[0].from, At(2026, 5, 1));
  ASSERT_EQ(plan.actions[0].ranges.size(), 1u);
  EXPECT_EQ(plan.actions[0].ranges[0].name, "ledger_event_2026_04");
  EXPECT_TRUE(plan.alarms.empty()) << "a month that has just begun is no reason for an alarm";
}

TEST(PartitionPlan, AfterAChangeOfTheIntervalNewRangesAreCutAtExistingOnes) {
  Model model;
  RunOn(model, {Interval::kMonthly, 0, {}}, At(2026, 1, 15));
  RunOn(model, {Interval::kWeekly, 1, {}}, At(2026, 1, 28));  // a Wednesday
  EXPECT_THAT(NamesOf(model), ElementsAre("ledger_event_overflow_low", "ledger_event_2026_01",
                                          "ledger_event_2026_02_01t00", "ledger_event_2026_w06",
                                          "ledger_event_overflow_high"));
}

TEST(PartitionPlan, RowsOfAnOutageAreDrainedIntoRangesOfTheirOwn) {
  Model model;
  const PartitionSettings settings{Interval::kMonthly, 1, {}};
  RunOn(model, settings, At(2026, 1, 15));
  ASSERT_TRUE(model.Insert(At(2026, 4, 20)));
  const Plan plan = RunOn(model, settings, At(2026, 5, 2));
  ASSERT_THAT(KindsOf(plan), ElementsAre("drain"));
  EXPECT_EQ(plan.actions[0].ranges.size(), 4u);  // March to June
  EXPECT_TRUE(Raises(plan, AlarmKind::kOverflowRows));
  EXPECT_EQ(model.RowsOf(false).count, 0);
}

TEST(PartitionPlan, AllExpiredRangesGoOldestFirstUpToOneThatDidNotPass) {
  Model model;
  RunOn(model, {Interval::kMonthly, 5, {}}, At(2026, 1, 15));
  const PartitionSettings settings{Interval::kMonthly, 1, kDay * 30};
  std::set<std::int64_t> releasable = All(model.table);
  releasable.erase(model.table.partitions[3].oid);  // March
  const Plan plan =
      PlanPartitions(model.table, settings, FactsOf(model, At(2026, 6, 5), releasable));
  EXPECT_THAT(KindsOf(plan), ElementsAre("move-overflow", "detach", "detach", "move-overflow"));
  EXPECT_EQ(plan.actions[1].name, "ledger_event_2026_01");
  EXPECT_EQ(plan.actions[2].name, "ledger_event_2026_02");
  EXPECT_THAT(plan.held, ElementsAre("ledger_event_2026_03", "ledger_event_2026_04"));
}

TEST(PartitionPlan, ARangeThatEndsWhereTheRetentionBeginsIsExpired) {
  Model model;
  RunOn(model, {Interval::kDaily, 3, {}}, At(2026, 1, 1));
  const PartitionSettings settings{Interval::kDaily, 0, kDay};
  RunOn(model, settings, At(2026, 1, 3) - microseconds(1));
  EXPECT_TRUE(model.detached.empty());
  RunOn(model, settings, At(2026, 1, 3));
  EXPECT_THAT(model.detached, ElementsAre("ledger_event_2026_01_01"));
}

TEST(PartitionPlan, ARemainderStaysAndTakesThePlaceOfAllThatLeavesAboveIt) {
  Model model;
  RunOn(model, {Interval::kMonthly, 5, {}}, At(2026, 1, 15));
  const PartitionSettings settings{Interval::kMonthly, 1, kDay * 30};
  PlanFacts facts = FactsOf(model, At(2026, 6, 5), All(model.table));
  facts.keeps = {model.table.partitions[2].oid};  // February
  const Plan plan = PlanPartitions(model.table, settings, facts);
  std::vector<std::string> leaving;
  for (const Action& action : plan.actions) {
    if (action.kind == ActionKind::kDetach) {
      leaving.push_back(action.name + (action.remainder ? " with a remainder" : ""));
    }
    model.Apply(action);
  }
  EXPECT_THAT(leaving, ElementsAre("ledger_event_2026_01", "ledger_event_2026_02 with a remainder",
                                   "ledger_event_2026_03 with a remainder",
                                   "ledger_event_2026_04 with a remainder"));
  EXPECT_EQ(model.table.overflow_low()->to, At(2026, 2, 1));
  EXPECT_THAT(RunOn(model, settings, At(2026, 6, 5)).actions, testing::IsEmpty());
}

TEST(PartitionPlan, WhateverTheRetentionTheRangeOfNowStays) {
  Model model;
  RunOn(model, {Interval::kMonthly, 1, microseconds(0)}, At(2026, 1, 31, 23));
  RunOn(model, {Interval::kMonthly, 1, microseconds(-5)}, At(2026, 2, 1));
  EXPECT_THAT(model.detached, ElementsAre("ledger_event_2026_01"));
  EXPECT_THAT(NamesOf(model), testing::Contains("ledger_event_2026_02"));
}

TEST(PartitionPlan, ALongOutageGetsFewRanges) {
  Model model;
  const PartitionSettings settings{Interval::kHourly, 1, {}};
  RunOn(model, settings, At(2026, 1, 1));
  const Plan plan = RunOn(model, settings, At(2029, 1, 1));
  ASSERT_EQ(plan.actions.size(), 1u);
  EXPECT_LE(plan.actions[0].ranges.size(), 102u);
  EXPECT_TRUE(
      PlanPartitions(model.table, settings, FactsOf(model, At(2029, 1, 1), All(model.table)))
          .actions.empty());
}

TEST(PartitionPlan, ARowOfTheFarFutureStaysWithAnAlarm) {
  Model model;
  const PartitionSettings settings{Interval::kDaily, 1, {}};
  RunOn(model, settings, At(2026, 1, 1));
  ASSERT_TRUE(model.Insert(At(2100, 1, 1)));
  const Plan plan = RunOn(model, settings, At(2026, 1, 1));
  EXPECT_TRUE(plan.actions.empty());
  EXPECT_TRUE(Raises(plan, AlarmKind::kOverflowRows));
}

TEST(PartitionPlan, ATableThatWasAttachedAsTheLowerOverflowIsNoAlarm) {
  Model model;
  RunOn(model, {}, At(2026, 1, 1));
  PlanFacts facts = FactsOf(model, At(2026, 1, 1), {});
  facts.low.count = kMostRowsDrained;
  EXPECT_TRUE(Raises(PlanPartitions(model.table, {}, facts), AlarmKind::kOverflowRows));
  facts.low.count = kMostRowsDrained + 1;
  const Plan plan = PlanPartitions(model.table, {}, facts);
  EXPECT_TRUE(plan.actions.empty());
  EXPECT_FALSE(Raises(plan, AlarmKind::kOverflowRows));
}

TEST(PartitionPlan, TheFlatTableOfAMigrationIsARangeThatStays) {
  Model model;
  RunOn(model, {}, At(2026, 1, 1));
  for (Partition& partition : model.table.partitions) {
    partition.flat = partition.from == DatabaseTime::min();
  }
  PartitionSettings settings;
  settings.retention = std::chrono::hours(1);
  PlanFacts facts = FactsOf(model, At(2026, 3, 1), {});
  facts.low.count = 7;
  const Plan plan = PlanPartitions(model.table, settings, facts);
  for (const Action& action : plan.actions) {
    EXPECT_NE(action.name, "ledger_event_overflow_low") << TextOf(action);
    EXPECT_NE(action.kind, ActionKind::kDetach) << "a gap would arise: " << TextOf(action);
    EXPECT_FALSE(action.kind == ActionKind::kCreateOverflow && action.to < At(2026, 3, 1));
  }
  EXPECT_FALSE(Raises(plan, AlarmKind::kOverflowRows));
  EXPECT_THAT(plan.held, testing::Contains("ledger_event_overflow_low"));
}

TEST(PartitionPlan, APartitionOfAllTimesLeavesNoRoom) {
  Model model;
  model.Attach("everything", DatabaseTime::min(), DatabaseTime::max());
  const Plan plan = RunOn(model, {}, At(2026, 1, 1));
  EXPECT_TRUE(plan.actions.empty());
  EXPECT_TRUE(Raises(plan, AlarmKind::kNoRoom));
}

TEST(PartitionPlan, ADefaultPartitionIsAnAlarm) {
  Model model;
  model.table.default_partition = "ledger_event_default";
  const Plan plan = RunOn(model, {}, At(2026, 1, 1));
  EXPECT_TRUE(Raises(plan, AlarmKind::kDefaultPartition));
  EXPECT_FALSE(Raises(plan, AlarmKind::kGap)) << "every row has a place";
}

TEST(PartitionPlan, ANameThatIsTakenIsNotUsedAgain) {
  Model model;
  model.detached.push_back("ledger_event_2026_01");
  RunOn(model, {Interval::kMonthly, 0, {}}, At(2026, 1, 1));
  EXPECT_THAT(NamesOf(model), testing::Contains("ledger_event_2026_01_2"));
}

TEST(PartitionPlan, ActionsAreTextAndJson) {
  const Action action{ActionKind::kMoveOverflow,
                      "e_high",
                      7,
                      At(2026, 3, 1),
                      DatabaseTime::max(),
                      {{"e_2026_02", {At(2026, 2, 1), At(2026, 3, 1)}}},
                      "why"};
  EXPECT_EQ(TextOf(action),
            "move-overflow e_high, 2026-03-01T00:00:00Z to MAXVALUE, create e_2026_02, "
            "2026-02-01T00:00:00Z to 2026-03-01T00:00:00Z: why");
  JsonWriter json;
  Write(action, "e", json);
  EXPECT_EQ(
      json.text(),
      R"({"table":"e","kind":"move-overflow","name":"e_high","from":"2026-03-01T00:00:00Z","to":null,)"
      R"("ranges":[{"name":"e_2026_02","from":"2026-02-01T00:00:00Z",)"
      R"("to":"2026-03-01T00:00:00Z"}],"remainder":false,"reason":"why"})");
}

// --- random histories ---

class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed) {
    now_ = At(Any(1990, 2090), static_cast<unsigned>(Any(1, 12)), static_cast<unsigned>(Any(1, 28)),
              Any(0, 23));
  }

  // What happens between two runs of the manager, and the second run. Throws what is wrong then.
  void Step() {
    PassTime();
    ChangeSettings();
    InsertRows();
    Damage();
    PlanFacts facts = FactsOf(model_, now_, Releasable());
    for (const std::int64_t oid : facts.releasable) {
      if (OneOf(6)) facts.keeps.insert(oid);
    }
    const std::set<std::int64_t> expired = ExpectedToLeave(facts);
    const PartitionedTable before = model_.table;
    for (const Action& action : PlanPartitions(before, settings_, facts).actions) {
      model_.Apply(action);
    }
    CheckCover();
    CheckWhoLeft(before, expired);
    CheckIdempotence(facts.releasable);
  }

 private:
  int Any(int from, int to) { return std::uniform_int_distribution<int>(from, to)(random_); }
  bool OneOf(int many) { return Any(1, many) == 1; }

  void PassTime() {
    switch (Any(0, 6)) {
      case 0:
        now_ += hours(Any(0, 48));
        break;
      case 1:
        now_ += kDay * Any(0, 3000);
        break;
      case 2:
        now_ -= kDay * Any(0, 400);
        break;
      case 3:
        now_ -= hours(Any(0, 5));
        break;
      default:
        now_ += kDay * Any(0, 60) + microseconds(Any(0, 1'000'000));
        break;
    }
  }

  void ChangeSettings() {
    if (OneOf(2)) settings_.interval = static_cast<Interval>(Any(0, 3));
    if (OneOf(2)) settings_.ahead = Any(0, 8);
    if (OneOf(2)) {
      settings_.retention.reset();
      if (OneOf(2)) settings_.retention = hours(Any(0, 24 * 500));
    }
  }

  void InsertRows() {
    for (int i = Any(0, 4); i > 0; --i) {
      const int days = OneOf(4) ? 4000 : 100;
      model_.Insert(now_ + kDay * Any(-days, days) + hours(Any(0, 23)));
    }
  }

  void Damage() {
    std::vector<Partition>& partitions = model_.table.partitions;
    if (partitions.empty()) return;
    Partition& one =
        partitions[static_cast<std::size_t>(Any(0, static_cast<int>(partitions.size()) - 1))];
    if (OneOf(4)) {
      model_.Remove(one.oid);
    } else if (OneOf(4)) {
      one.detach_pending = true;
    }
  }

  std::set<std::int64_t> Releasable() {
    std::set<std::int64_t> oids = All(model_.table);
    if (OneOf(3)) std::erase_if(oids, [this](std::int64_t) { return OneOf(10); });
    return oids;
  }

  std::set<std::int64_t> ExpectedToLeave(const PlanFacts& facts) const {
    std::set<std::int64_t> leaving;
    if (!settings_.retention) return leaving;
    for (const Partition& partition : model_.table.partitions) {
      if (partition.overflow() || partition.remainder) continue;
      if (partition.to + *settings_.retention > now_) break;
      if (!facts.releasable.contains(partition.oid)) break;
      leaving.insert(partition.oid);
    }
    return leaving;
  }

  // Every instant has one partition: the lower overflow, ranges, the upper overflow.
  void CheckCover() const {
    const std::vector<Partition>& all = model_.table.partitions;
    Require(all.size() >= 3, "the table", "has less than three partitions");
    Require(all.front().from == DatabaseTime::min(), "the table", "has no lower overflow");
    Require(all.back().to == DatabaseTime::max(), "the table", "has no upper overflow");
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
      Require(all[i].to == all[i + 1].from, all[i].name, "has a gap behind it");
      Require(!all[i].detach_pending, all[i].name, "is still being detached");
    }
    Require(all[1].from <= now_, "now", "has no range");
    const std::vector<Range> wished = RangesFrom(settings_.interval, now_, settings_.ahead);
    Require(all.back().from >= wished.back().to, "the runway", "is too short");
  }

  void CheckWhoLeft(const PartitionedTable& before, const std::set<std::int64_t>& expired) const {
    std::map<std::int64_t, Range> after;
    for (const Partition& partition : model_.table.partitions) {
      after[partition.oid] = {partition.from, partition.to};
    }
    for (const Partition& partition : before.partitions) {
      if (partition.overflow()) continue;
      const auto found = after.find(partition.oid);
      if (expired.contains(partition.oid)) {
        Require(found == after.end(), partition.name, "is still there");
      } else {
        Require(found != after.end(), partition.name, "is gone");
        Require(found->second == Range{partition.from, partition.to}, partition.name,
                "has other bounds");
      }
    }
  }

  void CheckIdempotence(const std::set<std::int64_t>& releasable) const {
    const Plan again = PlanPartitions(model_.table, settings_, FactsOf(model_, now_, releasable));
    for (const Action& action : again.actions) Require(false, TextOf(action), "(once more)");
    Require(again.gaps.empty(), "the next plan", "sees a gap");
    Require(again.runway == model_.table.partitions.back().from - now_, "the runway", "is wrong");
    Require(again.runway >= again.wish, "the runway", "is shorter than the wish");
    Require(!Raises(again, AlarmKind::kRunway), "the runway", "is still an alarm");
  }

  std::mt19937_64 random_;
  Model model_;
  PartitionSettings settings_;
  DatabaseTime now_;
};

TEST(PartitionPlan, HoldsWhatItPromisesAfterWhateverHappened) {
  constexpr std::uint64_t kFirstSeed = 1;
  for (std::uint64_t seed = kFirstSeed; seed < kFirstSeed + 500; ++seed) {
    History history(seed);
    for (int step = 0; step < 10; ++step) {
      try {
        history.Step();
      } catch (const std::runtime_error& error) {
        FAIL() << "seed " << seed << ", step " << step << ": " << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace summa::maintenance
