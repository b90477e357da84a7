// summa/work.hpp over a clock that the test moves.
#include <gtest/gtest.h>

#include <optional>
#include <summa/testkit/fake_host.hpp>
#include <summa/work.hpp>

namespace summa {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

BootTime At(microseconds since_boot) { return BootTime(since_boot); }

TEST(Pace, RestsForAsLongAsTheRateAsks) {
  Pace pace;
  EXPECT_EQ(pace.Rest(100, 50, At(10s), At(10s)), 2s);
  EXPECT_EQ(pace.Rest(100, 50, At(12s), At(13s)), 1s) << "the work itself took a second";
  EXPECT_EQ(pace.Rest(100, 50, At(14s), At(30s)), 0s) << "it was slower than the rate";
  EXPECT_EQ(pace.Rest(100, 0, At(30s), At(30s)), 0s) << "no limit";
  EXPECT_EQ(pace.Rest(0, 50, At(30s), At(30s)), 0s) << "nothing was done";
}

// A machine that was busy for a minute is not made busier afterwards.
TEST(Pace, MakesUpForNothing) {
  Pace pace;
  EXPECT_EQ(pace.Rest(10, 10, At(0s), At(60s)), 0s);
  EXPECT_EQ(pace.Rest(10, 10, At(60s), At(60s)), 1s);
}

// Work that is measured in small pieces rests as if it were measured whole.
TEST(Pace, AddsUpSmallPieces) {
  Pace pace;
  for (int i = 1; i <= 100; ++i) EXPECT_EQ(pace.Rest(1, 10, At(5s), At(5s)), i * 100ms);
}

TEST(Pace, TakesAnyNumber) {
  Pace pace;
  EXPECT_GT(pace.Rest(std::numeric_limits<std::int64_t>::max(), 1, At(0s), At(0s)), 24h);
}

TEST(Speed, IsThatOfLately) {
  Speed speed;
  EXPECT_EQ(speed.rows_per_second(), 0);
  EXPECT_FALSE(speed.Left(5, 10)) << "nobody knows yet";
  speed.Add(100, 1s);
  EXPECT_DOUBLE_EQ(speed.rows_per_second(), 100);
  EXPECT_EQ(speed.Left(500, 1000), 5s);
  EXPECT_FALSE(speed.Left(500, 0)) << "no total, no end";
  EXPECT_EQ(speed.Left(1500, 1000), 0s) << "more than was expected";
  for (int i = 0; i < 300; ++i) speed.Add(10, 1s);
  EXPECT_NEAR(speed.rows_per_second(), 10, 0.1);
  EXPECT_DOUBLE_EQ(Speed(42).rows_per_second(), 42) << "as it was known before";
}

TEST(BatchSize, ComesToHalfASecond) {
  BatchSize size(1000, 50'000);
  // 10,000 rows a second.
  for (int i = 0; i < 20; ++i) {
    const std::int64_t rows = size.Next(0);
    size.Took(rows, microseconds(rows * 100));
  }
  EXPECT_NEAR(static_cast<double>(size.Next(0)), 5000, 50);
}

TEST(BatchSize, ChangesByTwiceAtMostAndKeepsItsLimits) {
  BatchSize size(1000, 3000);
  size.Took(1000, 0us);
  EXPECT_EQ(size.Next(0), 2000);
  size.Took(2000, 0us);
  EXPECT_EQ(size.Next(0), 3000) << "never more than the most";
  size.Took(3000, 1h);
  EXPECT_EQ(size.Next(0), 1500);
  for (int i = 0; i < 20; ++i) size.Took(size.Next(0), 1h);
  EXPECT_EQ(size.Next(0), 1) << "never less than one";
  size.Took(0, 1h);
  EXPECT_EQ(size.Next(0), 1) << "no rows say nothing";
}

TEST(BatchSize, IsNoMoreThanASecondsWorth) {
  const BatchSize size(1000);
  EXPECT_EQ(size.Next(70), 70);
  EXPECT_EQ(size.Next(100'000), 1000);
}

// A caller whose clock moves while it waits.
struct FakeCaller {
  BootTime now = At(1h);
  bool stop = false;
  std::optional<BootTime> stop_at;  // none: never
  std::vector<microseconds> waits;

  WorkCaller Caller() {
    return {[this] { return now; }, [this] { return stop; },
            [this](microseconds time) {
              waits.push_back(time);
              now += time;
              stop = stop || (stop_at && now >= *stop_at);
              return stop;
            }};
  }
};

TEST(Work, RestsInShortPiecesAndFollowsTheRate) {
  FakeCaller caller;
  std::int64_t rate = 100;
  Work work(caller.Caller(), [&] { return rate; });
  EXPECT_TRUE(work.Done(500));
  EXPECT_EQ(caller.now, At(1h + 5s));
  for (const microseconds wait : caller.waits) EXPECT_LE(wait, 2s);
  rate = 1000;
  EXPECT_TRUE(work.Done(500));
  EXPECT_EQ(caller.now, At(1h + 5500ms));
  rate = 0;
  EXPECT_TRUE(work.Done(1'000'000));
  EXPECT_EQ(caller.now, At(1h + 5500ms));
}

TEST(Work, StopsBeforeAndDuringARest) {
  FakeCaller caller;
  caller.stop_at = At(1h + 3s);
  Work work(caller.Caller(), [] { return 100; });
  EXPECT_FALSE(work.Done(100'000));
  EXPECT_LT(caller.now, At(1h + 6s));
  const std::size_t waits = caller.waits.size();
  EXPECT_FALSE(work.Done(1));
  EXPECT_EQ(caller.waits.size(), waits) << "it was told before";
}

TEST(Work, SaysItsProgressToWhoeverWantsIt) {
  FakeCaller caller;
  WorkCaller listening = caller.Caller();
  std::string said;
  listening.progress = [&](std::string_view label, std::int64_t done, std::int64_t total) {
    said = std::string(label) + " " + std::to_string(done) + "/" + std::to_string(total);
  };
  Work(listening, [] { return 0; }).Progress("rows", 3, 7);
  EXPECT_EQ(said, "rows 3/7");
  Work(caller.Caller(), [] { return 0; }).Progress("rows", 4, 7);  // nobody listens
  EXPECT_EQ(said, "rows 3/7");
}

TEST(Work, IsCalledForByATick) {
  testkit::FakeHost host;
  testkit::FakeTick fake(nullptr);
  const Tick tick(fake.abi());
  Work work(CallerOf(host.host(), tick), [] { return 0; });
  EXPECT_TRUE(work.Done(1));
  fake.Stop();
  EXPECT_TRUE(work.ShouldStop());
  EXPECT_FALSE(work.Done(1));
}

TEST(KeyBatch, HasAConditionWithItsParameters) {
  std::vector<Parameter> parameters{Parameter("first")};
  const KeyBatch from_start{std::nullopt, "9", 5};
  EXPECT_EQ(from_start.Where("id", 2), "id <= $2");
  from_start.AddTo(parameters);
  EXPECT_EQ(parameters.size(), 2u);
  const KeyBatch next{"9", "17", 5};
  EXPECT_EQ(next.Where("id"), "id > $1 AND id <= $2");
  next.AddTo(parameters);
  EXPECT_EQ(parameters.size(), 4u);
}

}  // namespace
}  // namespace summa
