// A primary with a real synchronous standby, both in the URL of a host that delivers under load:
// the primary is restarted, dies or freezes, and the standby is promoted. Afterwards everything
// that was acknowledged was delivered, in order, by the host that was there all the time.
#include <gtest/gtest.h>

#include <csignal>
#include <iostream>
#include <optional>

#include "tests/faults/checker.hpp"
#include "tests/faults/round.hpp"
#include "tests/services/db.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

constexpr long long kUnits = 10;  // rows that prove that a host works again
constexpr int kOutage = 69;
constexpr int kTryLater = 75;

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

PostgresOptions Durable(const PostgresServer* standby_of = nullptr) {
  PostgresOptions options;
  options.fsync = true;  // what was acknowledged must survive
  // A primary that is restarted before the standby is back must still have what that one needs.
  options.settings = {{"wal_keep_size", "1GB"}};
  options.standby_of = standby_of;
  return options;
}

class StandbyFaults : public testing::Test {
 protected:
  explicit StandbyFaults(bool host_knows_primary_first = false)
      : servers_(Durable(), Redis()),
        standby_(Durable(&servers_.postgres)),
        round_(servers_, scenario_) {
    WaitForStandby();
    round_.LedgerIsAt(UrlOf(standby_, servers_.postgres));
    if (host_knows_primary_first) round_.RouteHostsBy({UrlOf(servers_.postgres, standby_), ""});
    round_.StartTraffic();
    round_.StartHost();
    round_.WaitForProgress(kUnits);
  }
  // A server that is frozen, or waits for its standby, would hold up those that end the traffic.
  void TearDown() override {
    if (!servers_.postgres.Running()) return;
    servers_.postgres.Thaw();
    WaitForNoStandby();
  }
  std::string UrlOf(const PostgresServer& first, const PostgresServer& second) const {
    return "postgresql://postgres@/" + round_.database() + "?host=" + first.SocketDirectory() +
           "," + second.SocketDirectory() + "&port=5432&target_session_attrs=read-write";
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
        kTimeout, "the synchronous standby");
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
        kTimeout, "the standby to have it all");
  }
  // Ends the waits of commits, too.
  void WaitForNoStandby() {
    Db admin(servers_.postgres.Url("postgres"));
    admin.Execute("ALTER SYSTEM SET synchronous_standby_names = ''");
    admin.Execute("SELECT pg_reload_conf()");
  }
  void WaitForLog(const std::string& text) {
    WaitUntil([&] { return round_.host().Log().find(text) != std::string::npos; }, kTimeout,
              text + " in the log of the host");
  }
  void ExpectNothingLost() {
    EXPECT_TRUE(round_.host().process().Running()) << round_.host().Log();
    const auto lines = round_.Finish();
    EXPECT_TRUE(lines.empty()) << Report(lines) << round_.host().Log();
  }

  const Scenario scenario_ = OutboxTo(OnRedis());
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
  // A look at which server is the primary is no session that stays.
  Db standby(standby_.Url("postgres"));
  EXPECT_TRUE(BecomesTrue([&] {
    return standby.Count(
               "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE "
               "'summa-host/%'") == 0;
  }));
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

// Nobody ends the old primary: it takes connections and statements, and answers none. It is the
// first of the host's URL.
class FrozenPrimary : public StandbyFaults {
 protected:
  FrozenPrimary() : StandbyFaults(true) {}
  // What a round does on it at its end would wait for the standby that is none any more.
  void TearDown() override { servers_.postgres.KillNine(); }
  void FreezeAndPromote() {
    servers_.postgres.Freeze();
    standby_.Promote();
    round_.appender().GiveUpConnections();
  }
  // It works again, alone: commits that waited for the standby are done, of nobody's ledger.
  void WakeTheOldOneUp() {
    servers_.postgres.Thaw();
    WaitForNoStandby();
  }
  // Empty: there is none.
  std::string SessionsOnTheOldOne() {
    return Db(servers_.postgres.Url("postgres"))
        .Value(
            "SELECT coalesce(string_agg(concat_ws(' ', pid, application_name, state, "
            "wait_event, backend_start, state_change, query), E'\\n'), '') "
            "FROM pg_stat_activity WHERE application_name LIKE 'summa-host/%'");
  }
};

TEST_F(FrozenPrimary, DeliveryGoesOnAndTheHostStaysWhenTheOldOneWakesUp) {
  FreezeAndPromote();
  const auto begin = std::chrono::steady_clock::now();
  round_.WaitForProgress(kUnits);
  std::cout << "delivery goes on " << SecondsSince(begin) << " s after the promotion\n";
  // Whatever the frozen server kept has been given up, by every thread of the host.
  round_.WaitUntilSettled();
  WakeTheOldOneUp();
  EXPECT_TRUE(BecomesTrue([&] { return SessionsOnTheOldOne().empty(); }))
      << SessionsOnTheOldOne() << "\n"
      << round_.host().Log();
  for (int i = 0; i < 3; ++i) round_.WaitUntilSettled();
  // Whoever stays there is seen by every look; one that only asks who it is has gone by the next.
  EXPECT_TRUE(BecomesTrue([&] { return SessionsOnTheOldOne().empty(); }))
      << SessionsOnTheOldOne() << "\n"
      << round_.host().Log();
  servers_.postgres.KillNine();  // the proof needs one ledger
  ExpectNothingLost();
}

// One that is under way says what has happened; the next one does the work.
TEST_F(FrozenPrimary, RunOnceEndsAndTheNextOneGoesToThePromotedOne) {
  round_.host().process().Signal(SIGTERM);
  ASSERT_EQ(round_.host().process().Wait(kTimeout), 0) << round_.host().Log();
  Db blocker(servers_.postgres.Url(round_.database()));
  blocker.Execute("BEGIN; LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE");
  const std::vector<std::string> options{"--once", "--only", "outbox-processor"};
  FaultHost* once = &round_.StartHost({}, options);
  WaitUntil(
      [&] {
        // The lock, or a busy machine, may have cost it its lease.
        if (!once->process().Running()) once = &round_.StartHost({}, options);
        return Db(servers_.postgres.Url("postgres"))
                   .Count(
                       "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE "
                       "'summa-host/%' AND wait_event_type = 'Lock'") > 0;
      },
      kTimeout, "a statement under way");
  FreezeAndPromote();
  const auto begin = std::chrono::steady_clock::now();
  const std::optional<int> code = once->process().Wait(kTimeout);
  EXPECT_TRUE(code == 0 || code == kOutage || code == kTryLater) << once->Log();
  std::cout << "run --once ended " << SecondsSince(begin) << " s after the promotion\n";
  EXPECT_TRUE(BecomesTrue([&] {
    return round_.StartHost({}, options).process().Wait(kTimeout) == 0;
  })) << round_.host().Log();
  round_.StartHost();
  ExpectNothingLost();
}

}  // namespace
}  // namespace summa::test
