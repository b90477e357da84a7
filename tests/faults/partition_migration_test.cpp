// kill -9 at every crash point of the migration to partitions, with writers at work: another host
// goes on, no event is lost or doubled, nothing is left over, and no writer sees an error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/faults/partition_migration_support.hpp"

namespace summa::test {
namespace {

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

// After the exchange of strategy attach.
bool OfSlices(const std::string& point) {
  return point.starts_with("migration.slice") || point == "migration.freeze" ||
         point == "migration.frozen";
}

// The action during which a crash point is reached.
std::string ActionOf(const std::string& point) {
  const std::map<std::string, std::string> of_slices = {
      {"migration.slice_again", "slice again"},
      {"migration.slices_drop", "leave slices"},
      {"migration.slices_dropped", "leave slices"},
      {"migration.slices_left", "leave slices"},
      {"migration.slices_restore", "restore"},
      {"migration.slices_restored", "restore"},
      {"migration.slice_freed", "finalize slices"},
      {"migration.slices_finalize", "finalize slices"}};
  if (const auto found = of_slices.find(point); found != of_slices.end()) return found->second;
  if (OfSlices(point)) return "slice";
  if (point == "migration.seal") return "begin";
  for (const char* name : {"migration.swap_back", "migration.swapped_back", "migration.restored",
                           "migration.detach"}) {
    if (point == name) return "rollback";
  }
  if (point.starts_with("migration.finalize")) return "finalize";
  if (point.starts_with("migration.abort") || point == "migration.end_sync") return "abort";
  return "swap";
}

std::string StrategyOf(const std::string& point) {
  if (OfSlices(point)) return "attach";
  for (const char* name : {"migration.bound", "migration.validate_bound",
                           "migration.bound_verified", "migration.attach", "migration.detach"}) {
    if (point == name) return "attach";
  }
  return "online";
}

class PartitionMigrationTest : public testing::TestWithParam<CrashAt> {};

TEST_P(PartitionMigrationTest, AnotherHostGoesOnAndNothingIsLost) {
  const CrashAt at = GetParam();
  const std::string action = ActionOf(at.name);
  MigratedLedger ledger(Server(), StrategyOf(at.name));
  ledger.StartTraffic();
  ledger.Prepare(action);
  ASSERT_TRUE(ledger.Dies(0, action, at)) << "it came not to the place";
  const std::string goal = action == "begin" ? "swap" : action;
  ledger.GoOn(1, goal);
  EXPECT_THAT(ledger.Problems(goal), testing::IsEmpty());
}

// Else the comparison with an undisturbed migration would say little.
TEST(UndisturbedMigrationTest, LeavesNothingWhenItIsTakenBack) {
  for (const char* strategy : {"online", "attach"}) {
    const std::vector<std::string> before = MigratedLedger(Server(), strategy).Inventory();
    for (const char* action : {"abort", "rollback"}) {
      EXPECT_EQ(UndisturbedRun(Server(), strategy, action).inventory, before)
          << strategy << ", " << action;
    }
  }
}

std::string NameOf(const testing::TestParamInfo<CrashAt>& info) {
  std::string name = info.param.name + "_at_" + std::to_string(info.param.hit);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

std::vector<CrashAt> AllPoints() {
  std::vector<CrashAt> points;
  for (const std::string& name : CrashPointsInSources({"plugins/maintenance/migration"})) {
    if (name == "migration.differs") continue;  // only where the copy was changed by somebody
    points.push_back({name, 1, false});
    const bool often = name == "migration.copied" || name == "migration.chunk_committed" ||
                       name == "migration.index" || name == "migration.guard" ||
                       name == "migration.slice_index" || name == "migration.verify";
    if (often) points.push_back({name, 3, false});
  }
  return points;
}

INSTANTIATE_TEST_SUITE_P(EveryPoint, PartitionMigrationTest, testing::ValuesIn(AllPoints()),
                         NameOf);

}  // namespace
}  // namespace summa::test
