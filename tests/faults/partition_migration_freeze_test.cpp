// A host is frozen in the middle of the migration to partitions, with writers at work, until its
// lease is over and another host has come to the end. What it does when it comes back changes
// nothing, and no writer has seen an error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <string>

#include "tests/faults/partition_migration_support.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

struct Place {
  std::string strategy, action, point;
};

class PartitionMigrationFreezeTest : public testing::TestWithParam<Place> {};

TEST_P(PartitionMigrationFreezeTest, AHostThatComesBackLateChangesNothing) {
  const auto& [strategy, action, point] = GetParam();
  MigratedLedger ledger(Server(), strategy);
  ledger.StartTraffic();
  ledger.Prepare(action);
  const auto frozen = ledger.Freezes(0, action, {point, 1, false});
  ledger.GoOn(1, action);
  frozen->Signal(SIGCONT);
  frozen->WaitOrKill(kTimeout);
  EXPECT_THAT(ledger.Problems(action), testing::IsEmpty());
}

// Scripts look at the exit code alone.
TEST(PartitionMigrationStopTest, AVerbThatIsToldToStopSaysThatItsWorkIsNotDone) {
  MigratedLedger ledger(Server(), "online");
  const auto frozen = ledger.Freezes(0, "swap", {"migration.backfilled", 1, false});
  Db reader(ledger.url());  // it cannot come to the exchange
  reader.Execute("BEGIN; SELECT FROM ledger_event_new");
  frozen->Signal(SIGTERM);
  frozen->Signal(SIGCONT);
  EXPECT_EQ(frozen->WaitOrKill(kTimeout), 75) << frozen->Stderr();
  EXPECT_NE(frozen->Stderr().find("SH-0904"), std::string::npos) << frozen->Stderr();
}

std::string NameOf(const testing::TestParamInfo<Place>& info) {
  std::string name = info.param.strategy + "_" + info.param.point;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

// Under locks, between two commits, and where only the record tells who is right.
INSTANTIATE_TEST_SUITE_P(Places, PartitionMigrationFreezeTest,
                         testing::Values(Place{"online", "swap", "migration.sync"},
                                         Place{"online", "swap", "migration.copied"},
                                         Place{"online", "swap", "migration.attach_index"},
                                         Place{"online", "swap", "migration.swap"},
                                         Place{"online", "rollback", "migration.swapped_back"},
                                         Place{"attach", "abort", "migration.abort"},
                                         Place{"attach", "slice", "migration.slice_exchange"},
                                         Place{"attach", "leave slices",
                                               "migration.slices_dropped"},
                                         Place{"attach", "restore", "migration.slices_restore"}),
                         NameOf);

}  // namespace
}  // namespace summa::test
