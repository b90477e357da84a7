// How a host that is told to stop lets go.
#include <algorithm>
#include <iostream>
#include <limits>

#include "tests/faults/fleet.hpp"

namespace summa::test {
namespace {

// What a standby may need at most from the release of a lease to its fence (seconds). It is the
// second best of a series that counts, and the best series: a busy machine makes each hand-over
// slower, none faster.
constexpr double kHandOverSeconds = 0.1;
constexpr int kHandOvers = 5;
constexpr int kSeries = 20;
// Holders that are killed until one is replaced in time.
constexpr int kDeaths = 10;
constexpr std::chrono::milliseconds kShortLease{1500};

class Stop : public FleetTest {
 protected:
  // One clean stop of the holder; a new standby waits afterwards.
  double HandOver(const std::string& worker, long long fence) {
    EXPECT_EQ(holder_->Terminate(), 0) << holder_->Log();
    WaitForRows(worker, fence);
    holder_ = std::move(heir_);
    heir_ = Start("host-" + std::to_string(fence), worker);
    WaitUntil([&] { return heir_->StandsBy(worker); }, kTimeout, "a standby");
    return Gap(worker, fence);
  }

  void ExpectQuickHandOvers(const std::string& worker) {
    StartPair(worker);
    double best = kTimeout.count();
    long long fence = 1;
    for (int series = 0; series < kSeries && best >= kHandOverSeconds; ++series) {
      std::vector<double> gaps;
      gaps.reserve(kHandOvers);
      for (int i = 0; i < kHandOvers; ++i) gaps.push_back(HandOver(worker, ++fence));
      std::sort(gaps.begin(), gaps.end());
      for (const double gap : gaps) {
        EXPECT_GE(gap, 0.0);
        std::cout << gap << " s ";
      }
      std::cout << "\n";
      best = std::min(best, gaps[1]);
    }
    RecordProperty("second_best_seconds", std::to_string(best));
    EXPECT_LT(best, kHandOverSeconds);
  }
};

TEST_F(Stop, OfAnIdleHolderHandsOverAtOnce) { ExpectQuickHandOvers("idle-writer"); }

TEST_F(Stop, OfABusyHolderHandsOverAtOnce) { ExpectQuickHandOvers("fence-streamer"); }

TEST_F(Stop, ADeadHolderIsReplacedWithinASecond) {
  const HostOptions options{.workers = {"fence-writer"}, .lease = kShortLease};
  holder_ = Start("host-0", options);
  WaitForRows("fence-writer", 1);
  double best = std::numeric_limits<double>::infinity();
  for (int death = 1; death <= kDeaths && best > kTakeOverSeconds; ++death) {
    AddStandby("host-" + std::to_string(death), options);
    const std::string since = Now();
    holder_->KillNine();
    if (const auto gap = GapSince("fence-writer", since)) {
      EXPECT_GT(*gap, 0.0) << "taken before the end of the lease";
      std::cout << *gap << " s ";
      best = std::min(best, *gap);
    }
    holder_ = std::move(heir_);
  }
  std::cout << "\n";
  EXPECT_LE(best, kTakeOverSeconds);
}

TEST_F(Stop, AWorkerThatIgnoresItLeavesItsLeaseToExpire) {
  holder_ = Start("holder", HostOptions{.workers = {"deaf-writer"}, .drain_timeout = "500ms"});
  WaitForRows("deaf-writer", 1);
  heir_ = Start("heir", "deaf-writer");
  WaitUntil([&] { return heir_->StandsBy("deaf-writer"); }, kTimeout, "a standby");
  EXPECT_EQ(holder_->Terminate(), 75) << holder_->Log();
  EXPECT_NE(holder_->Log().find("SH-0324"), std::string::npos) << holder_->Log();
  WaitForRows("deaf-writer", 2);
  EXPECT_EQ(db().Count("SELECT count(*) FROM fleet.lease_log WHERE worker = 'deaf-writer' AND "
                       "((holder = before_holder AND until < before_until) OR "
                       "starts_with(holder, 'idle:'))"),
            0)
      << "the lease was let go by a host whose worker still ran";
  const double gap = Gap("deaf-writer", 2);
  RecordProperty("gap_seconds", std::to_string(gap));
  EXPECT_GT(gap, 0.0);
}

}  // namespace
}  // namespace summa::test
