// What the fleet shares about workers, over the one connection that it has for it.
#include <algorithm>
#include <future>
#include <vector>

#include "host/database/worker_store.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

class WorkerStoreTest : public DatabaseTest {
 protected:
  static constexpr const char* kOurs = "application_name = 'summa-host/test fleet'";

  std::string Backend(const std::string& where = "true") {
    return db_->Value("SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE " +
                      std::string(kOurs) + " AND datname = current_database() AND " + where);
  }
  // How long four at once take who get no answer. The best of some rounds: a busy machine makes
  // each of them slower, none quicker.
  static Clock::duration TimeOfFour(WorkerStore& store) {
    auto best = Clock::duration::max();
    for (int round = 0; round < 3 && best >= seconds(4); ++round) {
      const auto begin = Clock::now();
      std::vector<std::future<void>> asked;
      for (int i = 0; i < 4; ++i) {
        asked.push_back(std::async(std::launch::async, [&] {
          const SqlFailure failure = CatchSql([&] {
            store.RecordState({"w", "p", false}, "waiting", "h");
          });
          EXPECT_EQ(ExitCode(failure.error()), 69) << failure.what();
        }));
      }
      for (auto& each : asked) each.get();
      best = std::min(best, Clock::now() - begin);
    }
    return best;
  }
  // Tried again: a statement of a store that was hurried has one second, which a busy machine may
  // take.
  static bool Recorded(WorkerStore& store, const std::string& state) {
    return test::BecomesTrue([&] {
      try {
        store.RecordState({"w", "p", false}, state, "h");
        return true;
      } catch (const SqlFailure&) {
        return false;
      }
    });
  }
  std::string State() { return db_->Value("SELECT state FROM summa_host.worker_state"); }
  void UntilItWaits() {
    test::WaitUntil([&] { return Backend("wait_event_type = 'Lock'") != "0"; }, test::kTimeout,
                    "a statement that waits for the lock");
  }
};

TEST_F(WorkerStoreTest, RemembersRunsAndDueTimesByTheServersClock) {
  WorkerStore store(settings_);
  EXPECT_FALSE(store.Due("w").until);
  store.RecordRun({{"w", "p", false}, "h", true, "", seconds(100)});
  const auto due = store.Due("w").until;
  ASSERT_TRUE(due);
  EXPECT_GT(*due, seconds(50));
  EXPECT_LE(*due, seconds(100));
  store.RecordRun({{"w", "p", false}, "h", false, "SH-0320 no", seconds(-5)});
  EXPECT_LT(*store.Due("w").until, seconds(0));
  store.RecordState({"w2", "p", true}, "standby", "h");
  db_->Execute(
      "INSERT INTO worker_lease VALUES ('w', 'me', now() + interval '1 min'), ('old', "
      "'you', now() - interval '1 min'); INSERT INTO summa_host.worker_fence VALUES "
      "('w', 5)");
  const auto workers = store.Workers();
  ASSERT_EQ(workers.size(), 2u);
  EXPECT_EQ(workers[0].id, "w");
  EXPECT_EQ(workers[0].state, "error");
  EXPECT_EQ(workers[0].last_error, "SH-0320 no");
  EXPECT_EQ(workers[0].holder, "me");
  EXPECT_EQ(workers[0].fence, 5);
  EXPECT_EQ(workers[0].last_success_at.size(), std::string("2026-01-01T00:00:00.000Z").size());
  EXPECT_EQ(workers[0].last_success_at.back(), 'Z');
  EXPECT_EQ(workers[1].state, "standby");
  EXPECT_TRUE(workers[1].last_run_at.empty());
}

TEST_F(WorkerStoreTest, TellsWhatAGoodRunLeavesBehindByTheKindOfTheWorker) {
  WorkerStore store(settings_);
  store.RecordRun({{"c", "p", true}, "h", true, "", {}});
  store.RecordRun({{"p", "p", false}, "h", true, "", seconds(100)});
  EXPECT_EQ(store.Workers().at(0).state, "running");
  EXPECT_EQ(store.Workers().at(1).state, "waiting");
  store.RecordRun({{"c", "p", true}, "h", false, "SH-0320 no", {}});
  EXPECT_EQ(store.Workers().at(0).state, "error");
}

TEST_F(WorkerStoreTest, AnIdleLeaseHasNoHolder) {
  WorkerStore store(settings_);
  store.RecordState({"w", "p", false}, "waiting", "h");
  db_->Execute("INSERT INTO worker_lease VALUES ('w', 'idle:me', now() + interval '1 hour')");
  const auto workers = store.Workers();
  ASSERT_EQ(workers.size(), 1u);
  EXPECT_EQ(workers[0].holder, "");
  EXPECT_EQ(workers[0].lease_until, "");
}

TEST_F(WorkerStoreTest, AnOlderSchemaIsCalledNotMigrated) {
  db_->Execute("ALTER TABLE summa_host.worker_state DROP COLUMN paused_reason");
  EXPECT_EQ(CatchSql([&] { WorkerStore(settings_).Workers(); }).error().code, "SH-0412");
  EXPECT_EQ(CatchSql([&] {
              FleetOrders(settings_).Pause({"w", "p", false}, "me", "");
            })
                .error()
                .code,
            "SH-0412");
}

TEST_F(WorkerStoreTest, OpensANewConnectionAfterItsOwnWasKilled) {
  WorkerStore store(settings_);
  store.RecordState({"w", "p", false}, "running", "h");
  for (int i = 0; i < 3; ++i) {
    const std::string killed = Backend();
    ASSERT_NE(killed, "0");
    Kill(std::stoi(killed));
    EXPECT_FALSE(store.Due("w").until);
    EXPECT_NE(Backend(), killed);
  }
}

// A busy machine may use up the time of a round, which proves nothing; no round is good by chance.
TEST_F(WorkerStoreTest, AStateWhoseAnswerIsLostIsRecordedOverANewConnection) {
  settings_.lock_timeout = test::kTimeout;
  bool recorded = false;
  for (int round = 0; round < 5 && !recorded; ++round) {
    WorkerStore store(settings_);
    store.RecordState({"w", "p", false}, "running", "h");
    const std::string first = Backend();
    test::Db blocker(settings_.url);
    blocker.Execute("BEGIN; LOCK TABLE summa_host.worker_state IN ACCESS EXCLUSIVE MODE");
    auto result = std::async(std::launch::async, [&] {
      try {
        store.RecordState({"w", "p", false}, "waiting", "h");
        return true;
      } catch (const SqlFailure&) {
        return false;
      }
    });
    UntilItWaits();
    blocker.Execute("SELECT pg_terminate_backend(" + first + "); COMMIT");
    recorded = result.get() && store.Workers().at(0).state == "waiting";
    if (recorded) {
      EXPECT_NE(Backend(), first);
    }
  }
  EXPECT_TRUE(recorded);
}

TEST_F(WorkerStoreTest, AnOrderWhoseAnswerIsLostIsNotGivenTwice) {
  settings_.lock_timeout = test::kTimeout;
  WorkerStore store(settings_);
  store.orders().RequestRun("w", "me", seconds(60));
  test::Db blocker(settings_.url);
  blocker.Execute("BEGIN; LOCK TABLE summa_host.worker_request IN ACCESS EXCLUSIVE MODE");
  auto requested = std::async(std::launch::async, [&] {
    return CatchSql([&] { store.orders().RequestRun("w", "me", seconds(60)); }).error().code;
  });
  UntilItWaits();
  blocker.Execute("SELECT pg_terminate_backend(" + Backend() + "); COMMIT");
  EXPECT_EQ(requested.get(), "SH-0402");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.worker_request"), 1);
}

TEST_F(WorkerStoreTest, AHurriedOneStillRecordsAndWaitsForNobodyLong) {
  settings_.lock_timeout = test::kTimeout;
  WorkerStore store(settings_);
  store.BeginShutdown();
  EXPECT_TRUE(Recorded(store, "running"));
  EXPECT_EQ(State(), "running");
  test::Db blocker(settings_.url);
  blocker.Execute("BEGIN; LOCK TABLE summa_host.worker_state IN ACCESS EXCLUSIVE MODE");
  EXPECT_LT(TimeOfFour(store), seconds(4)) << "not hurried it takes five";
  blocker.Execute("COMMIT");
  EXPECT_TRUE(Recorded(store, "stopped"));
  EXPECT_EQ(State(), "stopped");
}

TEST_F(WorkerStoreTest, AFrozenServerHoldsAllWhoAskNoLongerThanOne) {
  test::PostgresServer server;
  settings_.url = server.CreateDatabase("frozen");
  ControlPlane(settings_).Migrate();
  WorkerStore store(settings_);
  store.RecordState({"w", "p", false}, "running", "h");
  server.Freeze();
  EXPECT_LT(TimeOfFour(store), seconds(12)) << "one after the other they take twenty";
  server.Thaw();
  EXPECT_TRUE(Recorded(store, "stopped"));
}

// The connection below it, with all the time that a busy machine needs.
class ReopeningTest : public WorkerStoreTest {
 protected:
  ReopeningTest() {
    settings_.application_name = "summa-host/test fleet";
    settings_.statement_timeout = test::kTimeout;
    connection_ = std::make_unique<ReopeningConnection>(settings_);
  }
  TextRows Query(const std::string& sql, WhenLost when_lost = WhenLost::kFail) {
    return connection_->Query(sql, {}, Clock::now() + test::kTimeout, when_lost);
  }
  std::future<std::string> Sleep() {
    return std::async(std::launch::async, [this] {
      return CatchSql([this] { Query("SELECT pg_sleep(600)", WhenLost::kRepeat); }).error().code;
    });
  }
  void UntilItSleeps() {
    test::WaitUntil([&] { return Backend("wait_event = 'PgSleep'") != "0"; }, test::kTimeout,
                    "a statement under way");
  }

  std::unique_ptr<ReopeningConnection> connection_;
};

TEST_F(ReopeningTest, AnInterruptionEndsWhatIsUnderWayAndNothingElse) {
  auto sleeper = Sleep();
  UntilItSleeps();
  connection_->Interrupt();
  EXPECT_EQ(sleeper.get(), "SH-0402") << "it is not repeated";
  EXPECT_EQ(Query("SELECT 1").at(0).at(0), "1");
  connection_->Interrupt();  // nothing is under way
  EXPECT_EQ(Query("SELECT 2").at(0).at(0), "2");
}

TEST_F(ReopeningTest, AStopEndsWhatIsUnderWayAndWhatComesLater) {
  auto sleeper = Sleep();
  UntilItSleeps();
  connection_->Stop();
  EXPECT_EQ(sleeper.get(), "SH-0402");
  EXPECT_EQ(CatchSql([&] { Query("SELECT 1"); }).error().code, "SH-0402");
}

TEST_F(ReopeningTest, TheWaitForATurnEndsAtTheDeadline) {
  auto sleeper = Sleep();
  UntilItSleeps();
  const auto deadline = Clock::now() + milliseconds(100);
  const auto late = [&] { connection_->Query("SELECT 1", {}, deadline, WhenLost::kFail); };
  EXPECT_EQ(CatchSql(late).error().code, "SH-0402");
  EXPECT_GE(Clock::now(), deadline);
  EXPECT_EQ(sleeper.wait_for(seconds(0)), std::future_status::timeout);
  connection_->Stop();
  EXPECT_EQ(sleeper.get(), "SH-0402");
}

TEST_F(ReopeningTest, WhatIsUsedForMoreThanOneStatementIsDroppedWhenItBreaks) {
  const auto in_future = Clock::now() + test::kTimeout;
  int first = 0, second = 0;
  EXPECT_THROW(connection_->Use(in_future,
                                [&](DeadlineConnection& connection) {
                                  first = connection.backend_pid();
                                  Kill(first);
                                  connection.Query("SELECT 1", {}, in_future);
                                }),
               SqlFailure);
  connection_->Use(in_future, [&](DeadlineConnection& connection) {
    second = connection.backend_pid();
    connection.Query("SELECT 1", {}, in_future);
  });
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace summa::host
