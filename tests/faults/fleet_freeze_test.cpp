// A holder that stands still past the end of its lease: another host takes over, and whatever the
// old one does afterwards is refused.
#include <algorithm>
#include <iostream>
#include <limits>

#include "tests/faults/fleet.hpp"

namespace summa::test {
namespace {

constexpr const char* kFenced = "SH-0301";
constexpr const char* kCancelled = "SH-0409";
// The server ended the transaction of a holder that stood still inside it.
constexpr const char* kIdleLimit = "25P03";
// Holders that are frozen in a commit until one is replaced in time, and their lease.
constexpr int kFrozenCommits = 5;
constexpr std::chrono::milliseconds kShortLease{3000};

class Frozen : public FleetTest {
 protected:
  // A holder that freezes itself at the place, once it is armed, and a standby.
  void StartPairThatFreezesAt(const std::string& worker, const std::string& place) {
    holder_ = Start("holder",
                    HostOptions{.workers = {worker}, .environment = {{"SUMMA_FREEZE_AT", place}}});
    WaitForRows(worker, 1);
    heir_ = Start("heir", worker);
    WaitUntil([&] { return heir_->StandsBy(worker); }, kTimeout, "a standby");
    db().Execute("INSERT INTO fleet.armed VALUES ('summa-host/holder')");
    WaitUntil([&] { return holder_->Frozen(); }, kTimeout, "the holder at " + place);
  }

  // The server is in a COMMIT of the holder; with wait_event: seen behind the guard.
  bool InCommit(const std::string& wait_event = "%") {
    return db().Count(
               "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state = "
               "'active' AND query LIKE '%COMMIT' AND coalesce(wait_event, '') LIKE $2",
               {holder_->application(), wait_event}) == 1;
  }

  // A holder that is frozen while the server is in its COMMIT, behind the guard.
  void StartPairThatFreezesInACommit() {
    StartPair("fence-writer");
    db().Execute("INSERT INTO fleet.closed VALUES ('summa-host/holder')");
    WaitUntil([&] { return InCommit("PgSleep"); }, kTimeout, "a commit that waits");
    holder_->Freeze();
    ASSERT_TRUE(InCommit()) << "the lease was over before the holder stood still";
  }

  // The holder is frozen: another host goes on, not before the end of the lease. How soon after it:
  // ADeadHolderIsReplacedWithinASecond, AHolderFrozenInACommitIsReplacedWithinASecond.
  void ExpectTakeOver(const std::string& worker) {
    WaitForRows(worker, 2);
    const double gap = Gap(worker, 2);
    std::cout << "fence 2 came " << gap << " s after the end of the lease\n";
    EXPECT_GT(gap, 0.0) << "taken before the end of the lease";
  }

  // reasons: what the log of the holder may say of the work that it goes on with.
  void ExpectNothingStaleAfterTheThaw(const std::string& worker,
                                      const std::vector<std::string>& reasons) {
    const long long written = Written(worker, 1);
    db().Execute("DELETE FROM fleet.armed");
    db().Execute("DELETE FROM fleet.closed");
    holder_->Thaw();
    WaitUntil(
        [&] {
          const std::string log = holder_->Log();
          return std::any_of(reasons.begin(), reasons.end(), [&](const std::string& reason) {
            return log.find(reason) != std::string::npos;
          });
        },
        kTimeout, reasons.front() + " in the log");
    WaitUntil([&] { return holder_->StandsBy(worker); }, kTimeout, "the old holder standing by");
    EXPECT_EQ(holder_->Metric("summa_fence_rejections_total", worker), 1);
    EXPECT_EQ(Written(worker, 1), written) << "committed under an old fence";
    EXPECT_EQ(Fence(worker), 2);
  }
};

TEST_F(Frozen, BetweenStatements) {
  StartPairThatFreezesAt("fence-writer", "ledger-writer.between");
  ExpectTakeOver("fence-writer");
  // Refused at its commit, or stopped in a statement before it.
  ExpectNothingStaleAfterTheThaw("fence-writer", {kFenced, kCancelled});
}

TEST_F(Frozen, InsideATransaction) {
  StartPairThatFreezesAt("fence-writer", "ledger-writer.written");
  ExpectTakeOver("fence-writer");
  // The limit counts from the last statement, the lease from its last renewal: either ends first.
  WaitUntil(
      [&] {
        return db().Count(
                   "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                   "'summa-host/holder' AND state LIKE 'idle in transaction%'") == 0;
      },
      kTimeout, "the server to end the transaction");
  ExpectNothingStaleAfterTheThaw("fence-writer", {kIdleLimit});
}

TEST_F(Frozen, InTheMiddleOfALongCopy) {
  StartPairThatFreezesAt("fence-streamer", "ledger-writer.streaming");
  EXPECT_EQ(db().Count("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                       "'summa-host/holder' AND state = 'active' AND query LIKE 'COPY%'"),
            1)
      << "the server waits for its reader";
  ExpectTakeOver("fence-streamer");
  ExpectNothingStaleAfterTheThaw("fence-streamer", {kCancelled});
}

// The guard has locked lease and fence, and the server is not done with COMMIT: the successor waits
// for it, so the commit comes before the new fence, and the old holder learns of both.
TEST_F(Frozen, InsideACommitThatIsDoneBeforeTheTakeOver) {
  // Nobody ends the session of the holder here, however long the commit takes.
  db().Execute("ALTER FUNCTION pg_catalog.pg_terminate_backend RENAME TO nobody_terminates");
  ASSERT_NO_FATAL_FAILURE(StartPairThatFreezesInACommit());
  const long long written = Written("fence-writer", 1);
  WaitUntil(
      [&] {
        return db().Count(
                   "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE "
                   "'summa-host/heir%' AND wait_event_type = 'Lock'") > 0;
      },
      kTimeout, "a successor that waits for the commit");
  EXPECT_EQ(Fence("fence-writer"), 1);
  db().Execute("DELETE FROM fleet.closed");
  WaitForRows("fence-writer", 2);
  EXPECT_EQ(Written("fence-writer", 1), written + 1) << "the commit was under way in time";
  holder_->Thaw();
  WaitUntil([&] { return holder_->StandsBy("fence-writer"); }, kTimeout, "the old holder");
  EXPECT_EQ(Written("fence-writer", 1), written + 1);
}

// The same, and the COMMIT never ends: the successor has its session ended, and nothing of it is
// there.
TEST_F(Frozen, InsideACommitThatNeverEnds) {
  ASSERT_NO_FATAL_FAILURE(StartPairThatFreezesInACommit());
  const long long written = Written("fence-writer", 1);
  ExpectTakeOver("fence-writer");
  EXPECT_TRUE(BecomesTrue([&] { return heir_->Log().find("SH-0306") != std::string::npos; }))
      << heir_->Log();
  db().Execute("DELETE FROM fleet.closed");
  holder_->Thaw();
  WaitUntil([&] { return holder_->StandsBy("fence-writer"); }, kTimeout, "the old holder");
  EXPECT_EQ(Written("fence-writer", 1), written) << "committed under an old fence";
}

TEST_F(Frozen, AHolderFrozenInACommitIsReplacedWithinASecond) {
  const HostOptions options{.workers = {"fence-writer"}, .lease = kShortLease};
  holder_ = Start("host-0", options);
  WaitForRows("fence-writer", 1);
  double best = std::numeric_limits<double>::infinity();
  for (int round = 1; round <= kFrozenCommits && best > kTakeOverSeconds; ++round) {
    AddStandby("host-" + std::to_string(round), options);
    db().Execute("INSERT INTO fleet.closed VALUES ('" + holder_->application() + "')");
    // Or the other one has the lease already.
    WaitUntil([&] { return InCommit("PgSleep") || holder_->StandsBy("fence-writer"); }, kTimeout,
              "a commit that waits");
    const std::string since = Now();
    holder_->Freeze();
    const bool in_commit = InCommit();
    const auto gap = GapSince("fence-writer", since);
    if (in_commit && gap) {
      EXPECT_GT(*gap, 0.0) << "taken before the end of the lease";
      EXPECT_TRUE(BecomesTrue([&] { return heir_->Log().find("SH-0306") != std::string::npos; }))
          << heir_->Log();
      std::cout << *gap << " s ";
      best = std::min(best, *gap);
    }
    holder_->KillNine();
    holder_ = std::move(heir_);
  }
  std::cout << "\n";
  EXPECT_LE(best, kTakeOverSeconds);
}

}  // namespace
}  // namespace summa::test
