// Summa's own runners and ours on one lease.
#include <gmock/gmock.h>

#include <atomic>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <random>
#include <thread>

#include "host/database/session.hpp"
#include "host/lease/lease_keeper.hpp"
#include "tests/faults/fleet.hpp"

namespace summa::test {
namespace {

using host::Microseconds;
using std::chrono::milliseconds;

constexpr int kRounds = 1000, kSoakRounds = 100'000;
// Of each run in this test: tiny, so that a thousand of them end by themselves in a short time.
constexpr int kShortestLease = 4, kLongestLease = 24;  // milliseconds
// At most so many times as long, on a machine that is too slow for them.
constexpr int kLongestStretch = 40;
// Each side must have had its share, or nothing was shown.
constexpr int kShare = 100;

// What a runner of Summa does with a lease, statement by statement (facts 1.4): its own clock says
// until when, the server's whether it is over; it never renews; it deletes its rows when it stops.
class NodeRunner {
 public:
  NodeRunner(const std::string& url, std::string holder) : db_(url), holder_(std::move(holder)) {}

  bool Acquire(const std::string& worker, milliseconds lease) {
    return db_.Query(
                  "INSERT INTO worker_lease (worker_id, lease_holder, lease_until) "
                  "VALUES ($1, $2, $3) ON CONFLICT (worker_id) DO UPDATE SET lease_holder = $2, "
                  "lease_until = $3 WHERE worker_lease.lease_until < NOW() RETURNING worker_id",
                  {worker, holder_, IsoTime(std::chrono::system_clock::now() + lease)})
               .size() == 1;
  }
  void Stop() { db_.Change("DELETE FROM worker_lease WHERE lease_holder = $1", {holder_}); }

 private:
  static std::string IsoTime(std::chrono::system_clock::time_point when) {
    const auto since = std::chrono::duration_cast<milliseconds>(when.time_since_epoch()).count();
    const std::time_t seconds = since / 1000;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char text[32], whole[40];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    std::snprintf(whole, sizeof whole, "%s.%03dZ", text, static_cast<int>(since % 1000));
    return whole;
  }

  Db db_;
  const std::string holder_;
};

class Node : public FleetTest {
 protected:
  host::DatabaseSettings Settings() const {
    host::DatabaseSettings settings;
    settings.url = url();
    settings.application_name = "summa-host/ours";
    settings.lock_timeout = kTimeout;  // of the commits: Node may stand still in its statement
    return settings;
  }
  bool Round() {
    if (done_) return false;
    ++rounds_;
    return true;
  }
  milliseconds Span(std::mt19937& random) {
    return stretch_.load() *
           milliseconds(std::uniform_int_distribution<int>(kShortestLease, kLongestLease)(random));
  }
  // Leases that are over before we get to commit leave every round to Node.
  void WasTooShort() {
    if (stretch_ < kLongestStretch) ++stretch_;
  }
  void WasLongEnough() {
    if (stretch_ > 1) --stretch_;
  }
  long long Handovers() {
    return db().Count(
        "SELECT count(*) FROM fleet.lease_log WHERE (holder LIKE 'node%') <> "
        "(before_holder LIKE 'node%')");
  }
  bool EachHadItsShare() {
    return node_ >= kShare && ours_ >= kShare && committed_ >= kShare / 2 && Handovers() >= kShare;
  }

  void RunNode(const std::string& holder, unsigned seed) {
    std::mt19937 random(seed);
    NodeRunner runner(url(), holder);
    while (!done_) {
      if (runner.Acquire("shared", Span(random)) && Round()) {
        ++node_;
        if (random() % 4 == 0) runner.Stop();
      }
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000));
    }
  }

  // Guarded writes under a lease that is let go, kept, or left behind as by a process that died.
  void RunOurs(const std::string& holder, unsigned seed) {
    std::mt19937 random(seed);
    std::unique_ptr<host::Session> session;
    std::unique_ptr<host::LeaseKeeper> keeper;
    for (int life = 0; !done_;) {
      if (!keeper) {
        keeper = std::make_unique<host::LeaseKeeper>(Settings(), holder + std::to_string(++life),
                                                     host::SystemClock(), nullptr);
      }
      if (const auto guard = TryAcquire(*keeper, Span(random)); guard && Round()) {
        ++ours_;
        Write(session, *guard);
        const auto end = random() % 8;
        if (end == 0) {
          keeper.reset();
        } else {
          std::optional<Microseconds> keep;
          if (end < 4) keep = Span(random);
          keeper->Release("shared", keep);
        }
      }
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 4000));
    }
  }
  // With leases as short as these an answer may come too late to be trusted; on a machine that
  // stood still for seconds the statement is stopped, or its session ended by the other keeper,
  // whose take-over it blocks.
  std::optional<host::LeaseGuard> TryAcquire(host::LeaseKeeper& keeper, milliseconds lease) {
    try {
      return keeper.TryAcquire("shared", lease);
    } catch (const host::SqlFailure& failure) {
      EXPECT_THAT(failure.error().code, testing::AnyOf("SH-0303", "SH-0402", "SH-0410"))
          << failure.what();
      WasTooShort();
      return std::nullopt;
    }
  }
  void Write(std::unique_ptr<host::Session>& session, const host::LeaseGuard& guard) {
    if (!session || session->broken()) session = host::ConnectSession(Settings());
    session->Begin(host::TransactionMode::kReadWrite);
    session->Exec("INSERT INTO fleet.written (worker, fence, host) VALUES ('shared', " +
                      std::to_string(guard.fence) + ", '" + guard.holder + "')",
                  {}, 0);
    try {
      session->Commit(&guard);
      ++committed_;
      WasLongEnough();
    } catch (const host::FencedFailure&) {
      ++refused_;
      WasTooShort();
    } catch (const host::SqlFailure& failure) {
      // Ended by the other keeper while it stood still in its commit: nothing of it is there.
      EXPECT_EQ(failure.error().code, "SH-0402") << failure.what();
      ++refused_;
      WasTooShort();
    }
  }

  std::atomic<bool> done_{false};
  std::atomic<int> rounds_{0}, stretch_{1};
  std::atomic<int> node_{0}, ours_{0}, committed_{0}, refused_{0};
};

// The ledger writes down every change of the holder; fleet.sql says what must not be among them.
TEST_F(Node, NeverBothHaveTheLeaseAndBothGetItSometimes) {
  const unsigned seed = Seed();
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (unsigned i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] { RunNode("node-" + std::to_string(i), seed + i); });
    threads.emplace_back([&, i] { RunOurs("ours-" + std::to_string(i) + "-", seed + 10 + i); });
  }
  const int rounds = Soaking() ? kSoakRounds : kRounds;
  while (rounds_ < rounds) std::this_thread::sleep_for(kShortestPollInterval);
  BecomesTrue([&] { return EachHadItsShare(); }, 3 * kTimeout);
  done_ = true;
  for (std::thread& thread : threads) thread.join();
  std::cout << rounds_ << " rounds: Summa's runner " << node_ << ", ours " << ours_ << " ("
            << committed_ << " committed, " << refused_ << " refused)\n";
  EXPECT_GE(node_, kShare);
  EXPECT_GE(ours_, kShare);
  EXPECT_GE(committed_, kShare / 2);
  EXPECT_EQ(db().Count("SELECT count(*) FROM fleet.written"), committed_);
  EXPECT_GE(Handovers(), kShare) << "they hardly met";
}

TEST_F(Node, ARunningHostKeepsItAwayAndWaitsForIt) {
  NodeRunner runner(url(), "3f0c6b1e-5d0a-4a8e-9a55-000000000001");
  holder_ = Start("holder", "fence-writer");
  WaitForRows("fence-writer", 1);
  EXPECT_FALSE(runner.Acquire("fence-writer", kLease));
  holder_->KillNine();
  // The heir waits for a lease that ends only when it stands by.
  WaitUntil([&] { return runner.Acquire("fence-writer", std::chrono::minutes(5)); }, kTimeout,
            "the lease");
  heir_ = Start("heir", "fence-writer");
  WaitUntil([&] { return heir_->StandsBy("fence-writer"); }, kTimeout, "a standby");
  const std::string until = db().Value(
      "UPDATE worker_lease SET lease_until = clock_timestamp() + interval '1 s' WHERE "
      "worker_id = 'fence-writer' RETURNING lease_until");
  WaitForRows("fence-writer", 2);
  EXPECT_EQ(db().Count("SELECT count(*) FROM fleet.handover WHERE fence = 2 AND before_until = "
                       "$1::timestamptz AND at > before_until",
                       {until}),
            1);
  const double gap = Gap("fence-writer", 2);
  std::cout << "fence 2 came " << gap << " s after the end of the lease\n";
  EXPECT_GT(gap, 0.0);
  EXPECT_FALSE(runner.Acquire("fence-writer", kLease));
}

}  // namespace
}  // namespace summa::test
