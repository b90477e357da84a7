// When a process is started again, and what it may use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

#include "host/process/process_usage.hpp"
#include "host/process/restart_policy.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using End = RestartPolicy::End;

TEST(Restarts, PausesGrowUntilItIsParked) {
  RestartPolicy policy;
  std::vector<Microseconds> pauses;
  for (int i = 1; i < RestartPolicy::kParkAfter; ++i) {
    const auto decision = policy.Ended(End::kOfItself, seconds(1));
    EXPECT_FALSE(decision.parked);
    pauses.push_back(decision.pause);
  }
  EXPECT_THAT(pauses, testing::ElementsAre(milliseconds(500), seconds(1), seconds(2), seconds(4)));
  const auto parked = policy.Ended(End::kOfItself, seconds(1));
  EXPECT_TRUE(parked.parked);
  EXPECT_EQ(parked.pause, RestartPolicy::kParkedPause);
  EXPECT_TRUE(policy.Ended(End::kOfItself, seconds(1)).parked)
      << "a try that fails changes nothing";
}

TEST(Restarts, AnEndAfterALongLifeIsTheFirst) {
  RestartPolicy policy;
  for (int i = 0; i < 20; ++i) {
    const auto decision = policy.Ended(End::kOfItself, RestartPolicy::kWellAfter);
    EXPECT_FALSE(decision.parked);
    EXPECT_EQ(decision.pause, RestartPolicy::kFirstPause);
  }
}

TEST(Restarts, AnOutageNeverParks) {
  RestartPolicy policy;
  Microseconds longest{0};
  for (int i = 0; i < 50; ++i) {
    const auto decision = policy.Ended(End::kOfOthers, seconds(1));
    EXPECT_FALSE(decision.parked);
    longest = std::max(longest, decision.pause);
  }
  EXPECT_EQ(longest, RestartPolicy::kLongestPause);
}

TEST(Restarts, WhatTheFleetHasParkedIsParkedAtOnce) {
  RestartPolicy policy;
  EXPECT_TRUE(policy.Ended(End::kParkNow, seconds(1)).parked);
  EXPECT_FALSE(policy.Ended(End::kOfItself, seconds(1)).parked) << "it was resumed meanwhile";
}

TEST(Restarts, ARepairedOneHasItsAttemptsAgain) {
  RestartPolicy policy;
  for (int i = 0; i < RestartPolicy::kParkAfter; ++i) policy.Ended(End::kOfItself, seconds(1));
  policy.Forget();
  EXPECT_EQ(policy.Ended(End::kOfItself, seconds(1)).pause, RestartPolicy::kFirstPause);
  for (int i = 0; i < RestartPolicy::kParkAfter; ++i) policy.Ended(End::kOfItself, seconds(1));
  EXPECT_FALSE(policy.Ended(End::kOrderly, seconds(1)).parked) << "somebody told it to end";
}

TEST(CpuWindows, OnlyTheLastMinuteCounts) {
  const BootTime begin = BootTime() + minutes(100);
  CpuWindow window(begin);
  EXPECT_EQ(window.Add(begin + seconds(10), seconds(5)), seconds(5));
  EXPECT_EQ(window.Add(begin + seconds(30), seconds(20)), seconds(20));
  EXPECT_EQ(window.Add(begin + seconds(60), seconds(21)), seconds(21));
  // What was used in the first ten seconds is over, then in the first thirty.
  EXPECT_EQ(window.Add(begin + seconds(75), seconds(22)), seconds(17));
  EXPECT_EQ(window.Add(begin + seconds(95), seconds(23)), seconds(3));
  EXPECT_EQ(window.Add(begin + minutes(60), seconds(24)), seconds(1));
}

TEST(Usage, OfThisProcessIsReadAndOfNoneIsNot) {
  const auto usage = ReadUsage(getpid());
  ASSERT_TRUE(usage.has_value());
  EXPECT_GT(usage->memory_bytes, 1 << 20);
  EXPECT_GE(usage->cpu, Microseconds(0));
  std::vector<char> more(std::size_t{64} << 20, 'x');
  EXPECT_GE(ReadUsage(getpid())->memory_bytes, usage->memory_bytes + (48 << 20)) << more.back();
  EXPECT_EQ(ReadUsage(0x3FFFFFFF).has_value(), false);
}

}  // namespace
}  // namespace summa::host
