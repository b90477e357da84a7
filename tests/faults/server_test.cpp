// The host stays while its servers are restarted, killed and frozen, and while its sessions are
// ended one by one. Afterwards everything was delivered, by itself.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <thread>

#include "tests/faults/checker.hpp"
#include "tests/faults/round.hpp"
#include "tests/services/db.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Longer than everything that the host waits for: a renewal (2 s), a connection or a lease (5 s),
// the server's limit for an idle transaction (10 s), and the search for the outcome of a commit
// (15 s).
constexpr seconds kFreeze{20};
constexpr int kRestarts = 3;
constexpr int kTerminations = 60;
constexpr int kTogether = 3;      // without waiting for the host in between
constexpr long long kUnits = 10;  // rows that prove that a host works again

class ServerFaults : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    PostgresOptions postgres;
    postgres.fsync = true;  // what was acknowledged must survive
    RedisOptions redis;
    redis.append_only = true;
    servers_ = new FaultServers(postgres, redis);
  }
  static void TearDownTestSuite() {
    delete servers_;
    servers_ = nullptr;
  }
  void SetUp() override {
    round_ = std::make_unique<Round>(*servers_, scenario_);
    round_->StartTraffic();
    round_->StartHost();
    round_->WaitForProgress(kUnits);
  }
  void TearDown() override { round_.reset(); }

  void ExpectNothingLost() {
    EXPECT_TRUE(round_->host().process().Running()) << round_->host().Log();
    const auto lines = round_->Finish();
    EXPECT_TRUE(lines.empty()) << Report(lines) << round_->host().Log();
  }

  static FaultServers* servers_;
  const Scenario scenario_ = OutboxTo(OnRedis());
  std::unique_ptr<Round> round_;
};

FaultServers* ServerFaults::servers_ = nullptr;

TEST_F(ServerFaults, PostgresIsRestarted) {
  for (int i = 0; i < kRestarts; ++i) {
    servers_->postgres.Restart();
    round_->WaitForProgress(kUnits);
  }
  ExpectNothingLost();
}

TEST_F(ServerFaults, PostgresIsKilled) {
  for (int i = 0; i < kRestarts; ++i) {
    servers_->postgres.KillNine();
    servers_->postgres.Start();
    round_->WaitForProgress(kUnits);
  }
  ExpectNothingLost();
}

// One backend that dies by a signal makes PostgreSQL end all the others and recover.
TEST_F(ServerFaults, ABackendOfTheHostIsKilledAndPostgresRecovers) {
  const std::string victim = Db(round_->world().ledger_url)
                                 .Value(
                                     "SELECT pid FROM pg_stat_activity WHERE application_name "
                                     "LIKE 'summa-host/%' ORDER BY pid LIMIT 1");
  kill(std::stoi(victim), SIGKILL);
  WaitUntil(
      [&] {
        try {
          return Db(round_->world().ledger_url)
                     .Count("SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int",
                            {victim}) == 0;
        } catch (const DbError&) {
          return false;  // recovering
        }
      },
      kTimeout, "PostgreSQL's recovery");
  round_->WaitForProgress(kUnits);
  ExpectNothingLost();
}

TEST_F(ServerFaults, PostgresIsFrozenForLongerThanEveryTimeout) {
  servers_->postgres.Freeze();
  std::this_thread::sleep_for(kFreeze);  // the fault itself, not a wait for something
  servers_->postgres.Thaw();
  ExpectNothingLost();
}

TEST_F(ServerFaults, EverySessionOfTheHostIsTerminatedInTurnAtManyMoments) {
  Db db(round_->world().ledger_url);
  std::string last = "0";
  for (int i = 0; i < kTerminations; ++i) {
    // The next one by pid, round and round: workers, leases and renewals all get their turn.
    std::string victim;
    WaitUntil(
        [&] {
          victim = db.Value(
              "SELECT coalesce(min(pid) FILTER (WHERE pid > $1::int), min(pid), 0) FROM "
              "pg_stat_activity WHERE application_name LIKE 'summa-host%' AND datname = "
              "current_database()",
              {last});
          return victim != "0";
        },
        kTimeout, "a session of the host");
    db.Query("SELECT pg_terminate_backend($1::int)", {victim});
    last = victim;
    if (i % kTogether == kTogether - 1) round_->WaitUntilSettled();
  }
  ExpectNothingLost();
}

TEST_F(ServerFaults, RedisIsRestarted) {
  for (int i = 0; i < kRestarts; ++i) {
    servers_->redis.Restart();
    round_->WaitForProgress(kUnits);
  }
  ExpectNothingLost();
}

TEST_F(ServerFaults, RedisIsKilled) {
  for (int i = 0; i < kRestarts; ++i) {
    servers_->redis.KillNine();
    servers_->redis.Start();
    round_->WaitForProgress(kUnits);
  }
  ExpectNothingLost();
}

TEST_F(ServerFaults, RedisIsAwayForAWhileAndNothingIsGivenUp) {
  servers_->redis.Stop();
  const long long before = round_->appender().Acknowledged();
  WaitUntil([&] { return round_->appender().Acknowledged() > before + 100; }, kTimeout,
            "traffic without Redis");
  servers_->redis.Start();
  ExpectNothingLost();
  EXPECT_EQ(
      Db(round_->world().ledger_url).Count("SELECT count(*) FROM outbox WHERE retry_count > 0"), 0);
}

}  // namespace
}  // namespace summa::test
