// A primary with a real synchronous standby, both in the URL of a host that delivers under load:
// the primary is restarted, dies or freezes, and the standby is promoted. Afterwards everything
// that was acknowledged was delivered, in order, by the host that was there all the time.
#include <gtest/gtest.h>

#include "tests/faults/checker.hpp"
#include "tests/faults/round.hpp"
#include "tests/services/db.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

constexpr long long kUnits = 10;  // rows that prove that a host works again

PostgresOptions Durable(const PostgresServer* standby_of = nullptr) {
  PostgresOptions options;
  options.fsync = true;  // what was acknowledged must survive
  options.standby_of = standby_of;
  return options;
}

class StandbyFaults : public testing::Test {
 protected:
  StandbyFaults()
      : servers_(Durable(), Redis()),
        standby_(Durable(&servers_.postgres)),
        round_(servers_, scenario_) {
    WaitForStandby();
    round_.LedgerIsAt(
        "postgresql://postgres@/" + round_.database() + "?host=" + standby_.SocketDirectory() +
        "," + servers_.postgres.SocketDirectory() + "&port=5432&target_session_attrs=read-write");
    round_.StartTraffic();
    round_.StartHost();
    round_.WaitForProgress(kUnits);
  }
  // A frozen server would hold up those that end the traffic.
  void TearDown() override {
    if (servers_.postgres.Running()) servers_.postgres.Thaw();
  }
  static RedisOptions Redis() {
    RedisOptions redis;
    redis.append_only = true;
    return redis;
  }
  // From now on what is acknowledged is on both. The standby was copied before, so that it waits
  // for nobody when it is promoted.
  void WaitForStandby() {
    Db admin(servers_.postgres.Url("postgres"));
    admin.Execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    admin.Execute("SELECT pg_reload_conf()");
    WaitUntil(
        [&] {
          return admin.Count(
                     "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1;
        },
        kPatience, "the synchronous standby");
    // A sequence of a copied database has values in hand that no WAL says, until a checkpoint: the
    // promoted one would give them out again.
    admin.Execute("CHECKPOINT");
    // The database of the round, too.
    const std::string written = admin.Value("SELECT pg_current_wal_lsn()");
    Db follower(standby_.Url("postgres"));
    WaitUntil(
        [&] {
          return follower.Value("SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", {written}) == "t";
        },
        kPatience, "the standby to have it all");
  }
  void WaitForLog(const std::string& text) {
    WaitUntil([&] { return round_.host().Log().find(text) != std::string::npos; }, kPatience,
              text + " in the log of the host");
  }
  void ExpectNothingLost() {
    EXPECT_TRUE(round_.host().process().Running()) << round_.host().Log();
    const auto lines = round_.Finish();
    EXPECT_TRUE(lines.empty()) << Report(lines) << round_.host().Log();
  }

  const Scenario scenario_ = OutboxToRedis();
  FaultServers servers_;
  // Longer than the round, whose database is dropped on a primary that waits for it.
  PostgresServer standby_;
  Round round_;
};

TEST_F(StandbyFaults, ThePrimaryIsRestartedAndNobodyStaysOnTheStandby) {
  for (int i = 0; i < 2; ++i) {
    servers_.postgres.Restart();
    round_.WaitForProgress(kUnits);
  }
  EXPECT_EQ(Db(standby_.Url("postgres"))
                .Count("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE "
                       "'summa-host/%'"),
            0);
  ExpectNothingLost();
}

TEST_F(StandbyFaults, ThePrimaryDiesUnderLoadAndTheStandbyIsPromoted) {
  servers_.postgres.KillNine();
  WaitForLog("SH-0423");  // nobody but a standby is there
  standby_.Promote();
  round_.WaitForProgress(kUnits);
  ExpectNothingLost();
}

TEST_F(StandbyFaults, ThePrimaryFreezesUnderLoadAndIsFencedAfterThePromotion) {
  servers_.postgres.Freeze();
  standby_.Promote();
  servers_.postgres.KillNine();
  round_.WaitForProgress(kUnits);
  ExpectNothingLost();
}

}  // namespace
}  // namespace summa::test
