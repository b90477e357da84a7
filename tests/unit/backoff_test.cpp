#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <summa/backoff.hpp>
#include <thread>
#include <vector>

namespace summa {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Number = std::numeric_limits<std::int64_t>;

constexpr double kAlmostOne = 0.999999;

Backoff::Random Always(double value) {
  return [value] { return value; };
}

TEST(Backoff, TheCeilingDoublesUpToTheLimit) {
  Backoff backoff(milliseconds(100), seconds(1), Jitter::kFull, Always(kAlmostOne));
  for (const int ceiling : {100, 200, 400, 800, 1000, 1000}) {
    const microseconds pause = backoff.Next();
    EXPECT_LE(pause, milliseconds(ceiling));
    EXPECT_GT(pause, milliseconds(ceiling) * 99 / 100);
  }
  EXPECT_EQ(backoff.failures(), 6);
}

TEST(Backoff, WithoutJitterThePauseIsTheCeilingAndChanceIsNotAsked) {
  int asked = 0;
  Backoff backoff(milliseconds(3), milliseconds(50), Jitter::kNone, [&asked] {
    ++asked;
    return 0.0;
  });
  for (const int pause : {3, 6, 12, 24, 48, 50, 50}) EXPECT_EQ(backoff.Next(), milliseconds(pause));
  EXPECT_EQ(asked, 0);
}

TEST(Backoff, FullJitterDrawsFromTheWholeOfIt) {
  double random = 0;
  const Backoff backoff(milliseconds(100), seconds(60), Jitter::kFull, [&] { return random; });
  random = 0.25;
  EXPECT_EQ(backoff.Pause(1), milliseconds(25));
  random = 0.5;
  EXPECT_EQ(backoff.Pause(2), milliseconds(100));
}

TEST(Backoff, HalfJitterNeverComesAtOnce) {
  double random = 0;
  const Backoff backoff(milliseconds(100), seconds(60), Jitter::kHalf, [&] { return random; });
  EXPECT_EQ(backoff.Pause(1), milliseconds(50));
  EXPECT_EQ(backoff.Pause(2), milliseconds(100));
  random = 0.5;
  EXPECT_EQ(backoff.Pause(2), milliseconds(150));
}

TEST(Backoff, OneNumberIsDrawnForEachPause) {
  int asked = 0;
  Backoff backoff(milliseconds(100), seconds(60), Jitter::kFull, [&asked] {
    ++asked;
    return 0.5;
  });
  backoff.Next();
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(backoff.Pause(7), backoff.Pause(7));
  EXPECT_EQ(asked, 3);
}

TEST(Backoff, APauseIsNeverABusyLoop) {
  EXPECT_EQ(Backoff(milliseconds(100), seconds(60), Jitter::kFull, Always(0)).Pause(1),
            milliseconds(1));
}

TEST(Backoff, LimitsBelowAMillisecondAreKept) {
  Backoff backoff(microseconds(200), microseconds(700), Jitter::kFull, Always(0));
  for (const int pause : {200, 400, 700, 700}) EXPECT_EQ(backoff.Next(), microseconds(pause));
  EXPECT_EQ(Backoff(microseconds(0), microseconds(0)).Pause(1), microseconds(0));
  EXPECT_EQ(Backoff(microseconds(0), seconds(1)).Pause(50), microseconds(0));
}

TEST(Backoff, AFirstPauseAboveTheLimitIsTheLimit) {
  EXPECT_EQ(Backoff(seconds(5), seconds(1), Jitter::kNone).Pause(1), seconds(1));
}

TEST(Backoff, TheLimitIsReachedExactly) {
  const Backoff even(microseconds(1), microseconds(8), Jitter::kNone);
  EXPECT_EQ(even.Pause(4), microseconds(8));
  EXPECT_EQ(even.Pause(5), microseconds(8));
  const Backoff odd(microseconds(3), microseconds(25), Jitter::kNone);
  EXPECT_EQ(odd.Pause(4), microseconds(24));
  EXPECT_EQ(odd.Pause(5), microseconds(25));
}

TEST(Backoff, ResetStartsAnew) {
  Backoff backoff(milliseconds(100), seconds(60), Jitter::kNone);
  for (int i = 0; i < 50; ++i) backoff.Next();
  EXPECT_EQ(backoff.Next(), seconds(60));
  backoff.Reset();
  EXPECT_EQ(backoff.failures(), 0);
  EXPECT_EQ(backoff.Next(), milliseconds(100));
}

TEST(Backoff, FailuresThatTheCallerCountsChangeNothingInIt) {
  Backoff backoff(milliseconds(100), seconds(60), Jitter::kNone);
  EXPECT_EQ(backoff.Pause(3), milliseconds(400));
  EXPECT_EQ(backoff.Next(), milliseconds(100));
}

TEST(Backoff, ACountBelowOneIsTheFirstFailure) {
  const Backoff backoff(milliseconds(100), seconds(60), Jitter::kNone);
  for (const std::int64_t count : {Number::min(), std::int64_t{-1}, std::int64_t{0}})
    EXPECT_EQ(backoff.Pause(count), milliseconds(100)) << count;
}

TEST(Backoff, ManyFailuresDoNotOverflow) {
  const Backoff backoff(milliseconds(100), seconds(60), Jitter::kFull, Always(kAlmostOne));
  for (const std::int64_t count :
       {std::int64_t{31}, std::int64_t{32}, std::int64_t{33}, std::int64_t{62}, std::int64_t{63},
        std::int64_t{64}, std::int64_t{65}, std::int64_t{100'000}, Number::max()}) {
    EXPECT_LE(backoff.Pause(count), seconds(60)) << count;
    EXPECT_GT(backoff.Pause(count), seconds(59)) << count;
  }
}

TEST(Backoff, TheLargestLimitsDoNotOverflow) {
  for (const Jitter jitter : {Jitter::kFull, Jitter::kHalf, Jitter::kNone}) {
    for (const double random : {0.0, kAlmostOne, 1.0}) {
      const Backoff backoff(microseconds(1), microseconds::max(), jitter, Always(random));
      microseconds last{0};
      for (int failures = 1; failures < 70; ++failures) {
        const microseconds pause = backoff.Pause(failures);
        EXPECT_GE(pause, last) << failures;
        last = pause;
      }
      if (random == 1.0) {
        EXPECT_EQ(last, microseconds::max());
      }
    }
  }
}

TEST(Backoff, ItsOwnChanceStaysWithinTheLimits) {
  const Backoff full(milliseconds(100), seconds(1));
  const Backoff half(milliseconds(100), seconds(1), Jitter::kHalf);
  std::set<microseconds> seen;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LE(full.Pause(2), milliseconds(200));
    EXPECT_GE(full.Pause(2), milliseconds(1));
    EXPECT_GE(half.Pause(2), milliseconds(100));
    seen.insert(full.Pause(20));
  }
  EXPECT_GT(seen.size(), 900U);
}

TEST(RandomFraction, IsSpreadOverItsRange) {
  std::vector<int> tenths(10);
  for (int i = 0; i < 10'000; ++i) {
    const double fraction = RandomFraction();
    ASSERT_GE(fraction, 0.0);
    ASSERT_LT(fraction, 1.0);
    ++tenths[static_cast<std::size_t>(fraction * 10)];
  }
  for (const int count : tenths) EXPECT_GT(count, 700);  // 1,000 expected, 30 is one deviation
}

TEST(RandomFraction, ThreadsDrawDifferentNumbers) {
  double first = 0, second = 0;
  std::thread([&] { first = RandomFraction(); }).join();
  std::thread([&] { second = RandomFraction(); }).join();
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace summa
