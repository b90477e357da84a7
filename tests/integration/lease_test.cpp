#include <gmock/gmock.h>

#include <summa/lease.hpp>
#include <thread>

#include "host/abi/host_table.hpp"
#include "tests/integration/lease_support.hpp"

namespace summa::host {
namespace {

TEST_F(LeaseTest, OneHolderAtATimeAndEveryNewHolderRaisesTheFence) {
  auto a = Keeper("a"), b = Keeper("b");
  const auto first = a->TryAcquire("w", seconds(15));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->fence, 1);
  EXPECT_TRUE(a->Trusted("w"));
  EXPECT_FALSE(b->TryAcquire("w", seconds(15)));
  EXPECT_FALSE(b->Trusted("w"));
  a->Release("w");
  EXPECT_FALSE(a->Trusted("w"));
  const auto second = b->TryAcquire("w", seconds(15));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->fence, 2);
  EXPECT_EQ(Lost(), 0) << "letting go is no loss";
}

TEST_F(LeaseTest, HolderKeepsItsFenceWhileValidAndGetsANewOneAfterwards) {
  FakeClock clock;
  auto keeper = Keeper("a", clock);
  EXPECT_EQ(keeper->TryAcquire("w", seconds(15))->fence, 1);
  EXPECT_EQ(keeper->TryAcquire("w", seconds(15))->fence, 1);
  keeper->Release("w", seconds(60));
  EXPECT_EQ(keeper->TryAcquire("w", seconds(15))->fence, 2) << "idle: anybody could have had it";
  Expire();
  EXPECT_EQ(keeper->TryAcquire("w", seconds(15))->fence, 3) << "anybody could have had it";
  db_->Execute("DELETE FROM worker_lease");
  EXPECT_EQ(keeper->TryAcquire("w", seconds(15))->fence, 4) << "the count outlives the row";
}

TEST_F(LeaseTest, ExcludesSummasOwnRunnersAndIsExcludedByThem) {
  auto keeper = Keeper("ours");
  ASSERT_TRUE(keeper->TryAcquire("w", seconds(15)));
  EXPECT_FALSE(SummaTakes("node"));
  keeper->Release("w");
  EXPECT_TRUE(SummaTakes("node"));
  EXPECT_FALSE(keeper->TryAcquire("w", seconds(15)));
  Expire();
  EXPECT_EQ(keeper->TryAcquire("w", seconds(15))->fence, 2);
  keeper->Release("w", seconds(60));
  EXPECT_FALSE(SummaTakes("node")) << "kept until the next due time";
}

TEST_F(LeaseTest, AnIdleLeaseIsFreeForEveryHostOfOursAndTakenForSummasOwnRunners) {
  const std::string long_name = "summa-host/" + std::string(89, 'a');
  auto first = Keeper(long_name), second = Keeper("second");
  ASSERT_TRUE(first->TryAcquire("w", seconds(15)));
  first->Release("w", std::chrono::hours(6));
  EXPECT_EQ(db_->Value("SELECT lease_holder FROM worker_lease"), "idle:" + long_name.substr(0, 95));
  EXPECT_FALSE(SummaTakes("node"));
  EXPECT_TRUE(second->WaitUntilFree("w", test::kTimeout, [] { return false; }));
  EXPECT_EQ(second->Status("w").holder, "") << "nobody works";
  const auto guard = second->TryAcquire("w", seconds(15));
  ASSERT_TRUE(guard);
  EXPECT_EQ(guard->fence, 2);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM worker_lease WHERE lease_holder = 'second' AND "
                       "lease_until < clock_timestamp() + interval '16 s'"),
            1);
  EXPECT_FALSE(first->TryAcquire("w", seconds(15)));
  EXPECT_FALSE(SummaTakes("node"));
  second->Release("w", seconds(60));
  Expire();
  EXPECT_TRUE(SummaTakes("node")) << "the next due time has come";
}

TEST_F(LeaseTest, StatusTellsUntilWhenOthersHoldALeaseAndForgetsOurOwn) {
  FakeClock clock;
  auto a = Keeper("a"), b = Keeper("b", clock);
  ASSERT_TRUE(a->TryAcquire("w", seconds(15)));
  EXPECT_TRUE(test::BecomesTrue([&] {
    EXPECT_FALSE(b->WaitUntilFree("w", milliseconds(50), [] { return false; }));
    return b->Status("w").holder == "a";
  }));
  const LeaseStatus seen = b->Status("w");
  EXPECT_FALSE(seen.ours);
  EXPECT_GT(seen.remaining, seconds(5));
  EXPECT_LE(seen.remaining, seconds(15));
  clock.Advance(seconds(16));
  EXPECT_EQ(b->Status("w").holder, "") << "nobody looked again";
  a->Release("w");
  EXPECT_EQ(a->Status("w").holder, "");
  EXPECT_EQ(a->Status("w").remaining, Microseconds(0));
}

TEST_F(LeaseTest, AStandbyTakesALeaseSoonAfterItWasLetGo) {
  auto a = Keeper("a"), b = Keeper("b");
  // A busy machine makes each round slower, none quicker: one quick round is enough.
  constexpr milliseconds kSoon{150};
  Microseconds quickest = seconds(60), slowest{0};
  for (int round = 0; round < 5 || (quickest >= kSoon && round < 50); ++round) {
    ASSERT_TRUE(a->TryAcquire("w", seconds(15)));
    std::atomic<bool> waits{false};
    std::chrono::steady_clock::time_point taken;
    std::thread standby([&] {
      b->WaitUntilFree("w", seconds(60), [&] {
        waits = b->Status("w").holder == "a";
        return false;
      });
      EXPECT_TRUE(b->TryAcquire("w", seconds(15)));
      taken = std::chrono::steady_clock::now();
    });
    EXPECT_TRUE(test::BecomesTrue([&] { return waits.load(); }));
    const auto released = std::chrono::steady_clock::now();
    a->Release("w");
    standby.join();
    const auto gap = std::chrono::duration_cast<Microseconds>(taken - released);
    quickest = std::min(quickest, gap);
    slowest = std::max(slowest, gap);
    b->Release("w");
  }
  RecordProperty("slowest_microseconds", std::to_string(slowest.count()));
  EXPECT_LT(quickest, kSoon);
}

TEST_F(LeaseTest, RenewsAtAThirdAndStaysTrusted) {
  auto keeper = Keeper("a");
  ASSERT_TRUE(keeper->TryAcquire("w", seconds(9)));
  for (int i = 0; i < 3; ++i) {
    const std::string before = Until();
    EXPECT_TRUE(test::BecomesTrue([&] { return Until() != before; }));
  }
  EXPECT_TRUE(keeper->Trusted("w"));
  EXPECT_EQ(db_->Count("SELECT fence FROM summa_host.worker_fence"), 1);
  EXPECT_EQ(Lost(), 0);
}

TEST_F(LeaseTest, TakenAwayIsReportedOnce) {
  auto keeper = Keeper("a");
  TakeShort(*keeper, "w", milliseconds(600));
  db_->Execute(
      "UPDATE worker_lease SET lease_holder = 'thief', lease_until = now() + interval '1 hour'");
  EXPECT_TRUE(test::BecomesTrue([&] { return Lost() == 1; }));
  EXPECT_FALSE(keeper->Trusted("w"));
  EXPECT_FALSE(keeper->Status("w").ours);
  EXPECT_FALSE(keeper->TryAcquire("w", milliseconds(600)));
  EXPECT_EQ(db_->Value("SELECT lease_holder FROM worker_lease"), "thief");
  EXPECT_EQ(Lost(), 1);
}

TEST_F(LeaseTest, TrustEndsByTheLocalSpanWhateverTheClocksSay) {
  FakeClock clock;
  auto keeper = Keeper("a", clock);
  ASSERT_TRUE(keeper->TryAcquire("w", seconds(15)));
  EXPECT_EQ(keeper->Status("w").remaining, Microseconds(seconds(15)));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM worker_lease WHERE lease_until BETWEEN now() AND "
                       "now() + interval '16 s'"),
            1)
      << "the server's clock decides";
  test::Db locker(settings_.url);  // no renewal comes through
  locker.Execute("BEGIN; SELECT FROM worker_lease WHERE worker_id = 'w' FOR SHARE");
  clock.Advance(seconds(14) - milliseconds(1));
  EXPECT_TRUE(keeper->Trusted("w"));
  EXPECT_EQ(Lost(), 0);
  clock.Advance(milliseconds(1));
  EXPECT_FALSE(keeper->Trusted("w"));
  EXPECT_TRUE(test::BecomesTrue([&] { return Lost() == 1; }));
}

TEST_F(LeaseTest, ANameThatMarksLeasesNobodyHoldsIsRefused) {
  try {
    Keeper("idle:a", SystemClock());
    FAIL() << "a lease of it would be taken for one that nobody holds";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.error().code, "SH-0304");
    EXPECT_THAT(failure.error().message, testing::HasSubstr("\"idle:a\""));
  }
}

// Each look finds it 20 s later, as when the answers of a server come late.
class LeapingClock final : public Clock {
 public:
  BootTime BootNow() const override { return FromMicroseconds<BootTime>(now_ += 20'000'000); }
  UnixTime UnixNow() const override { return UnixTime(); }

 private:
  mutable std::atomic<std::int64_t> now_{0};
};

TEST_F(LeaseTest, ALeaseThatCameTooLateIsNotHandedOut) {
  const LeapingClock clock;
  auto keeper = Keeper("a", clock);
  const auto failure = CatchSql([&] { keeper->TryAcquire("w", seconds(15)); });
  EXPECT_EQ(failure.error().code, "SH-0303");
  EXPECT_FALSE(keeper->Trusted("w"));
}

TEST_F(LeaseTest, WaiterLearnsOfAReleaseAndOfAnExpiryInTime) {
  auto a = Keeper("a"), b = Keeper("b");
  const auto never = [] { return false; };
  EXPECT_TRUE(b->WaitUntilFree("w", test::kTimeout, never)) << "nobody has it";
  ASSERT_TRUE(a->TryAcquire("w", seconds(15)));
  EXPECT_TRUE(test::BecomesTrue([&] {
    EXPECT_FALSE(b->WaitUntilFree("w", milliseconds(200), never));
    return b->Status("w").holder == "a";
  }));
  std::atomic<bool> stop{false};
  bool answer = true;
  std::thread stopped(
      [&] { answer = b->WaitUntilFree("w", seconds(60), [&] { return stop.load(); }); });
  stop = true;
  stopped.join();
  EXPECT_FALSE(answer);
  std::thread waiter([&] { answer = b->WaitUntilFree("w", seconds(60), never); });
  a->Release("w");
  waiter.join();
  EXPECT_TRUE(answer);
  EXPECT_TRUE(b->TryAcquire("w", seconds(15)));
}

TEST_F(LeaseTest, ALeaseThatIsOverIsLostAndNotRenewed) {
  auto keeper = Keeper("a");
  ASSERT_TRUE(keeper->TryAcquire("w", seconds(9)));  // renewed after three
  db_->Execute("UPDATE worker_lease SET lease_until = clock_timestamp() - interval '1 second'");
  EXPECT_TRUE(test::BecomesTrue([&] { return Lost() == 1; }));
  EXPECT_FALSE(keeper->Trusted("w"));
  EXPECT_EQ(db_->Value("SELECT lease_until < clock_timestamp() FROM worker_lease"), "t");
}

TEST_F(LeaseTest, DeadHolderIsReplacedWithinItsLeaseAndOneSecond) {
  auto heir = Keeper("heir");
  // A busy machine makes each round slower, none quicker: one quick round is enough.
  constexpr milliseconds kSoon{2500};
  auto took = std::chrono::steady_clock::duration::max();
  for (int round = 1; round <= 5 && took >= kSoon; ++round) {
    auto dead = Keeper("dead");
    const LeaseGuard last = TakeShort(*dead, "w", milliseconds(1500));
    dead.reset();  // releases nothing
    const auto start = std::chrono::steady_clock::now();
    std::optional<LeaseGuard> guard;
    ASSERT_TRUE(test::BecomesTrue([&] {
      heir->WaitUntilFree("w", seconds(5), [] { return false; });
      guard = heir->TryAcquire("w", seconds(15));
      return guard.has_value();
    }));
    took = std::chrono::steady_clock::now() - start;
    EXPECT_EQ(guard->fence, last.fence + 1);
    heir->Release("w");
  }
  EXPECT_LT(took, kSoon);
}

TEST_F(LeaseTest, TwoKeepersTakeTurnsAndTheFenceOnlyGrows) {
  constexpr int kRounds = 100;
  std::mutex mutex;
  std::vector<std::int64_t> fences;
  std::atomic<int> inside{0}, together{0};
  const auto run = [&](const std::string& holder) {
    auto keeper = Keeper(holder);
    for (int round = 0; round < kRounds;) {
      const auto guard = keeper->TryAcquire("w", seconds(15));
      if (!guard) {
        keeper->WaitUntilFree("w", seconds(5), [] { return false; });
        continue;
      }
      if (++inside > 1) ++together;
      {
        const std::lock_guard lock(mutex);
        fences.push_back(guard->fence);
      }
      --inside;
      keeper->Release("w");
      ++round;
    }
  };
  std::thread a(run, "a"), b(run, "b");
  a.join();
  b.join();
  EXPECT_EQ(together, 0);
  ASSERT_EQ(fences.size(), 2u * kRounds);
  for (std::size_t i = 1; i < fences.size(); ++i) EXPECT_LT(fences[i - 1], fences[i]);
  EXPECT_EQ(Lost(), 0);
}

TEST_F(LeaseTest, LeaseWithoutEndIsWaitedForLikeAnyOther) {
  auto keeper = Keeper("a");
  db_->Execute("INSERT INTO worker_lease VALUES ('w', 'forever', 'infinity')");
  EXPECT_FALSE(keeper->TryAcquire("w", seconds(15)));
  EXPECT_TRUE(test::BecomesTrue([&] {
    EXPECT_FALSE(keeper->WaitUntilFree("w", milliseconds(50), [] { return false; }));
    return keeper->Status("w").holder == "forever";
  }));
  db_->Execute("UPDATE worker_lease SET lease_until = '-infinity'");
  EXPECT_TRUE(keeper->WaitUntilFree("w", test::kTimeout, [] { return false; }));
  EXPECT_TRUE(keeper->TryAcquire("w", seconds(15)));
}

TEST_F(LeaseTest, ReleaseAllFreesEveryLeaseAtOnce) {
  auto keeper = Keeper("a");
  for (const char* worker : {"w", "odd \"\\,{} name"}) {
    ASSERT_TRUE(keeper->TryAcquire(worker, seconds(15)));
  }
  keeper->ReleaseAll();
  EXPECT_EQ(db_->Count("SELECT count(*) FROM worker_lease WHERE lease_until > clock_timestamp()"),
            0);
}

TEST_F(LeaseTest, RefusesNamesThatDoNotFit) {
  EXPECT_THROW(Keeper(std::string(101, 'x')), Failure);
  EXPECT_THROW(Keeper("idle:a"), Failure) << "everybody would take its leases";
  auto keeper = Keeper("a");
  EXPECT_THROW(keeper->TryAcquire(std::string(101, 'x'), seconds(15)), Failure);
}

TEST_F(LeaseTest, PluginsSeeWhoHoldsALeaseAndHowLongItIsTrusted) {
  FakeClock clock;
  auto ours = Keeper("ours", clock), theirs = Keeper("theirs");
  LeaseService service(clock);
  HostTableSettings settings;
  settings.leases = &service;
  const HostTable table("plugin-a", settings);
  const auto look = [&](const std::string& worker) {
    return summa::ReadLease(summa::Host(table.table()), worker);
  };
  EXPECT_FALSE(look("w").held) << "no keeper yet";
  service.Show(ours.get());
  ASSERT_TRUE(ours->TryAcquire("w", seconds(15)));
  summa::LeaseView view = look("w");
  EXPECT_TRUE(view.held && view.trusted);
  EXPECT_EQ(view.fence, 1);
  EXPECT_EQ(view.holder, "ours");
  EXPECT_EQ(view.trust_left, seconds(14)) << "the clock stands still";
  EXPECT_EQ(*view.lease_until, clock.UnixNow() + seconds(15));

  ASSERT_TRUE(theirs->TryAcquire("v", seconds(15)));
  EXPECT_EQ(look("v").holder, "") << "nobody has looked";
  EXPECT_TRUE(test::BecomesTrue([&] {
    EXPECT_FALSE(ours->WaitUntilFree("v", milliseconds(200), [] { return false; }));
    return look("v").holder == "theirs";
  }));
  view = look("v");
  EXPECT_EQ(view.holder, "theirs");
  EXPECT_FALSE(view.held || view.trusted);
  EXPECT_EQ(view.fence, 0);
  EXPECT_TRUE(view.lease_until);

  service.Show(nullptr);
  ours.reset();
  EXPECT_FALSE(look("w").held);
}

}  // namespace
}  // namespace summa::host
