#include "partition/ddl.hpp"

#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/maintenance_support.hpp"

namespace summa::maintenance {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Its clock moves by a microsecond at each look, and by the pauses, which take no time.
struct TestCaller {
  BootTime now{};
  int pauses = 0;
  bool stop = false;  // what should_stop answers
  std::function<bool()> on_pause = [] { return false; };

  WorkCaller caller() {
    return {[this] { return now += std::chrono::microseconds(1); }, [this] { return stop; },
            [this](std::chrono::microseconds time) {
              now += time;
              ++pauses;
              return on_pause();
            }};
  }
};

constexpr LockMode kModes[] = {LockMode::kAccessShare, LockMode::kShareUpdateExclusive,
                               LockMode::kShareRowExclusive, LockMode::kAccessExclusive};
constexpr const char* kModeNames[] = {"ACCESS SHARE", "SHARE UPDATE EXCLUSIVE",
                                      "SHARE ROW EXCLUSIVE", "ACCESS EXCLUSIVE"};

class MaintenanceDdlTest : public MaintenanceTest {
 protected:
  MaintenanceDdlTest() {
    MakeTable();
    // The machine may be slow; no case is about this limit.
    limits_.longest_hold = std::chrono::minutes(10);
    limits_.deadline = std::chrono::seconds(2);
    db_->Execute(
        "CREATE FUNCTION fail(code text) RETURNS void LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = code; END $$");
  }

  DdlOutcome Run(TestCaller& caller) {
    return RunDdl(*session_, caller.caller(), locks_, limits_, [this](Session& session) {
      ++bodies_;
      session.Exec("ALTER TABLE events ADD COLUMN added int");
    });
  }
  bool Added() {
    return Holds(
        "EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'events'::regclass AND attname = "
        "'added')");
  }
  static std::string Process(const Db& db) { return "process " + std::to_string(db.BackendPid()); }

  std::vector<LockRequest> locks_{{"public.events", LockMode::kAccessExclusive},
                                  {"public.events_old", LockMode::kAccessExclusive}};
  DdlLimits limits_;
  int bodies_ = 0;
};

TEST_F(MaintenanceDdlTest, RunsAtOnceWhenNobodyIsInTheWay) {
  TestCaller caller;
  const DdlOutcome outcome = Run(caller);
  EXPECT_TRUE(outcome.done);
  EXPECT_EQ(outcome.tries, 1);
  EXPECT_EQ(caller.pauses, 0);
  EXPECT_GT(outcome.held.count(), 0);
  EXPECT_THAT(outcome.blockers, IsEmpty());
  EXPECT_TRUE(Added());
}

TEST_F(MaintenanceDdlTest, TriesAgainUntilAnIdleReaderEnds) {
  Db reader(settings_.url + "&application_name=idle-reader");
  reader.Execute("BEGIN");
  reader.Query("SELECT count(*) FROM events");
  TestCaller caller;
  caller.on_pause = [&] {
    EXPECT_FALSE(Added());
    reader.Execute("ROLLBACK");  // a second one is only a warning
    return false;
  };
  const DdlOutcome outcome = Run(caller);
  EXPECT_TRUE(outcome.done);
  EXPECT_EQ(outcome.tries, 2);
  EXPECT_EQ(caller.pauses, 1);
  EXPECT_EQ(bodies_, 1);
  EXPECT_THAT(outcome.blockers,
              ElementsAre(AllOf(
                  Field(&Blocker::table, "public.events"),
                  Field(&Blocker::what,
                        AllOf(HasSubstr(Process(reader)),
                              HasSubstr("idle-reader, postgres, idle in transaction for "),
                              HasSubstr(", transaction since "), HasSubstr(", query since "))))));
  EXPECT_TRUE(Added());
}

TEST_F(MaintenanceDdlTest, GivesUpAtItsDeadlineAndNamesWhoIsInTheWay) {
  Db writer(settings_.url);
  writer.Execute("BEGIN; " + Insert("events", "2026-01-05Z"));
  TestCaller caller;
  const DdlOutcome outcome = Run(caller);
  EXPECT_FALSE(outcome.done);
  EXPECT_GT(outcome.tries, 1);
  EXPECT_EQ(bodies_, 0);
  EXPECT_THAT(outcome.blockers, ElementsAre(Field(&Blocker::what, HasSubstr(Process(writer)))));
  EXPECT_GE(caller.now - BootTime{}, limits_.deadline);
  EXPECT_FALSE(Added());
  writer.Execute("COMMIT");
}

TEST_F(MaintenanceDdlTest, EndsWhenItIsToldToStop) {
  Db reader(settings_.url);
  reader.Execute("BEGIN");
  reader.Query("SELECT count(*) FROM events");
  TestCaller caller;
  caller.on_pause = [] { return true; };
  const DdlOutcome outcome = Run(caller);
  EXPECT_FALSE(outcome.done);
  EXPECT_EQ(outcome.tries, 1);
  EXPECT_THAT(outcome.blockers, SizeIs(1));

  caller.stop = true;
  EXPECT_EQ(Run(caller).tries, 0);
  EXPECT_FALSE(Added());
}

TEST_F(MaintenanceDdlTest, AsksForNoLockBehindAPreparedTransaction) {
  Db preparer(settings_.url);
  preparer.Execute("BEGIN; " + Insert("events", "2026-01-05Z") + "; PREPARE TRANSACTION 'left'");
  TestCaller caller;
  caller.on_pause = [&] {
    if (caller.pauses > 1) return true;
    preparer.Execute("COMMIT PREPARED 'left'");
    return false;
  };
  limits_.deadline = std::chrono::minutes(5);
  DdlOutcome outcome = Run(caller);
  EXPECT_TRUE(outcome.done);
  EXPECT_EQ(outcome.tries, 2);
  EXPECT_THAT(outcome.blockers,
              ElementsAre(Field(&Blocker::what, HasSubstr("prepared transaction left (postgres"))));

  preparer.Execute("BEGIN; " + Insert("events", "2026-01-05Z") + "; PREPARE TRANSACTION 'more'");
  outcome = Run(caller);
  EXPECT_FALSE(outcome.done);
  EXPECT_EQ(outcome.held.count(), 0) << "no lock was asked for";
  preparer.Execute("ROLLBACK PREPARED 'more'");
}

TEST_F(MaintenanceDdlTest, AsksForNoLockBehindATransactionThatIsOld) {
  limits_.longest_wait = std::chrono::microseconds(1);  // so every transaction is old
  Db reader(settings_.url);
  reader.Execute("BEGIN");
  reader.Query("SELECT count(*) FROM events");
  TestCaller caller;
  caller.on_pause = [] { return true; };
  const DdlOutcome outcome = Run(caller);
  EXPECT_FALSE(outcome.done);
  EXPECT_EQ(outcome.held.count(), 0);
  EXPECT_THAT(outcome.blockers, ElementsAre(Field(&Blocker::what, HasSubstr(Process(reader)))));
}

TEST_F(MaintenanceDdlTest, TheBodyRunsAgainAfterAConflict) {
  for (const char* state : {"55P03", "40P01", "40001", "57014"}) {
    TestCaller caller;
    int runs = 0;
    const DdlOutcome outcome =
        RunDdl(*session_, caller.caller(), locks_, limits_, [&](Session& session) {
          session.Exec("INSERT INTO processed_event (id, topic) VALUES (gen_random_uuid(), $1)",
                       {Parameter(state)});
          if (++runs == 1) session.Exec("SELECT fail($1)", {Parameter(state)});
        });
    EXPECT_TRUE(outcome.done) << state;
    EXPECT_EQ(outcome.tries, 2) << state;
    EXPECT_EQ(runs, 2) << state;
    EXPECT_EQ(db_->Count("SELECT count(*) FROM processed_event WHERE topic = $1", {state}), 1);
  }
}

// Each try keeps writers waiting for as long.
TEST_F(MaintenanceDdlTest, GivesUpWhatTakesTooLongAfterAFewTries) {
  limits_.deadline = std::chrono::hours(1);
  limits_.most_timeouts = 3;
  TestCaller caller;
  const DdlOutcome outcome = RunDdl(*session_, caller.caller(), locks_, limits_,
                                    [](Session& session) { session.Exec("SELECT fail('57014')"); });
  EXPECT_FALSE(outcome.done);
  EXPECT_EQ(outcome.tries, 3);
  EXPECT_EQ(outcome.timeouts, 3);
  EXPECT_THAT(outcome.blockers,
              ElementsAre(Field(&Blocker::what, HasSubstr("while writers wait"))));
}

TEST_F(MaintenanceDdlTest, OtherErrorsArePassedOnAndLeaveNoLock) {
  TestCaller caller;
  try {
    RunDdl(*session_, caller.caller(), locks_, limits_, [&](Session& session) {
      ++bodies_;
      session.Exec("ALTER TABLE events ADD COLUMN added int");
      session.Exec("SELECT 1 / 0");
    });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.sqlstate(), "22012");
  }
  EXPECT_EQ(bodies_, 1);
  EXPECT_FALSE(Added());
  Session other(sql_->unleased());
  EXPECT_THAT(BlockersOf(other, locks_), IsEmpty());
  EXPECT_TRUE(Run(caller).done) << "the session is usable";
}

TEST_F(MaintenanceDdlTest, ALostConnectionIsPassedOn) {
  TestCaller caller;
  try {
    RunDdl(*session_, caller.caller(), locks_, limits_, [&](Session& session) {
      ++bodies_;
      session.Exec("SELECT pg_terminate_backend(pg_backend_pid())");
    });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), SUMMA_E_UNAVAILABLE) << error.what();
  }
  EXPECT_EQ(bodies_, 1);
  EXPECT_EQ(caller.pauses, 0);
}

TEST_F(MaintenanceDdlTest, TheBodyHasTheLocksAndShortWaits) {
  locks_ = {{"public.events", LockMode::kShareUpdateExclusive},
            {"public.outbox", LockMode::kShareUpdateExclusive},
            {"public.ledger_event", LockMode::kAccessExclusive}};
  std::set<std::string> locks;
  std::string lock_timeout;
  TestCaller caller;
  RunDdl(*session_, caller.caller(), locks_, limits_, [&](Session& session) {
    const Result rows = session.Exec(
        "SELECT c.relname || ' ' || l.mode AS text FROM pg_locks l JOIN pg_class c ON c.oid = "
        "l.relation WHERE l.pid = pg_backend_pid() AND l.granted AND c.relnamespace = "
        "'public'::regnamespace");
    for (const Row row : rows) locks.insert(row.Get<std::string>("text"));
    lock_timeout = session.Exec("SELECT current_setting('lock_timeout')").Value<std::string>();
  });
  EXPECT_THAT(locks,
              ElementsAre("events ShareUpdateExclusiveLock", "ledger_event AccessExclusiveLock",
                          "outbox ShareUpdateExclusiveLock"))
      << "and none on the partition";
  EXPECT_EQ(lock_timeout, "50ms");
}

// A host that freezes in there, or whose connection is cut without a word, keeps them no longer.
TEST_F(MaintenanceDdlTest, TheServerKeepsTheLocksOfAnIdleHostForTheTimeOfTheWhole) {
  const auto idle_seconds = [this](std::chrono::microseconds longest_hold) {
    limits_.longest_hold = longest_hold;
    TestCaller caller;
    std::int64_t seconds = 0;
    RunDdl(*session_, caller.caller(), locks_, limits_, [&](Session& session) {
      seconds = session
                    .Exec(
                        "SELECT extract(epoch FROM current_setting("
                        "'idle_in_transaction_session_timeout')::interval)::bigint")
                    .Value<std::int64_t>();
    });
    return seconds;
  };
  EXPECT_EQ(idle_seconds(std::chrono::seconds(2)), 2);
  EXPECT_EQ(idle_seconds(std::chrono::minutes(10)), 10) << "the session may be idle for less";
}

TEST_F(MaintenanceDdlTest, BlockersAreThoseOfWhomTheServerSaysSo) {
  const char* every_mode[] = {
      "ACCESS SHARE", "ROW SHARE",           "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE",
      "SHARE",        "SHARE ROW EXCLUSIVE", "EXCLUSIVE",     "ACCESS EXCLUSIVE"};
  Db holder(settings_.url), judge(settings_.url);
  for (const char* held : every_mode) {
    holder.Execute(std::string("BEGIN; LOCK TABLE ONLY events IN ") + held + " MODE");
    for (std::size_t i = 0; i < std::size(kModes); ++i) {
      bool conflicts = false;
      judge.Execute("BEGIN");
      try {
        judge.Execute(std::string("LOCK TABLE ONLY events IN ") + kModeNames[i] + " MODE NOWAIT");
      } catch (const DbError& error) {
        conflicts = error.sqlstate == "55P03";
      }
      judge.Execute("ROLLBACK");
      EXPECT_THAT(BlockersOf(*session_, {{"public.events", kModes[i]}}),
                  SizeIs(conflicts ? 1U : 0U))
          << held << " against " << kModeNames[i];
    }
    holder.Execute("ROLLBACK");
  }
}

TEST_F(MaintenanceDdlTest, WhoWaitsForALockIsABlockerToo) {
  Db reader(settings_.url), waiter(settings_.url);
  reader.Execute("BEGIN");
  reader.Query("SELECT count(*) FROM events");
  std::thread thread(
      [&] { waiter.Execute("BEGIN; LOCK TABLE ONLY events IN ACCESS EXCLUSIVE MODE; ROLLBACK"); });
  const bool waits = test::BecomesTrue([&] { return WaitsForLock(waiter.BackendPid()); });
  const std::vector<Blocker> blockers =
      BlockersOf(*session_, {{"public.events", LockMode::kAccessShare}});
  reader.Execute("ROLLBACK");
  thread.join();
  EXPECT_TRUE(waits);
  EXPECT_THAT(blockers, ElementsAre(Field(&Blocker::what, HasSubstr(Process(waiter)))));
}

TEST_F(MaintenanceDdlTest, OwnLocksAndUnknownTablesAreNoBlockers) {
  session_->Begin();
  session_->Exec("LOCK TABLE events IN ACCESS EXCLUSIVE MODE");
  EXPECT_THAT(BlockersOf(*session_, locks_), IsEmpty());
  session_->Rollback();
  EXPECT_THAT(BlockersOf(*session_, {{"public.nothing", LockMode::kAccessExclusive}}), IsEmpty());
  EXPECT_THAT(BlockersOf(*session_, {}), IsEmpty());
}

}  // namespace
}  // namespace summa::maintenance
