// `run --once`: outcomes, counts and exit codes.
#include <atomic>
#include <future>

#include "tests/integration/runner_support.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool Never() { return false; }

TEST_F(RunnerTest, OnceRunsEveryWorkerUntilNoneReportsABacklogWhateverIsDue) {
  int left = 3;
  LambdaWorker busy("busy", [&](const Tick& tick) {
    EXPECT_TRUE(tick.once());
    EXPECT_EQ(tick.new_lease(), left == 3);
    WriteEffect(tick);
    --left;
    return TickResult{10, left > 0, std::nullopt};
  });
  LambdaWorker daily("daily", [](const Tick&) { return TickResult{1, false, std::nullopt}; });
  for (int round = 0; round < 2; ++round) {
    left = 3;
    RunningHost host(settings_, "host-" + std::to_string(round),
                     {busy.Continuous(), daily.Periodic(kDay)});
    const std::vector<OnceReport> reports = host.runner().RunOnce(seconds(30), Never);
    ASSERT_EQ(reports.size(), 2U);
    EXPECT_EQ(reports[0].id, "busy");
    EXPECT_EQ(reports[0].plugin, "test");
    EXPECT_EQ(reports[0].outcome, "ok") << reports[0].error;
    EXPECT_EQ(reports[0].runs, 3);
    EXPECT_EQ(reports[0].items, 30);
    EXPECT_EQ(reports[0].exit_code, 0);
    EXPECT_GT(reports[0].duration, Microseconds(0));
    EXPECT_EQ(reports[1].outcome, "ok") << reports[1].error;
    EXPECT_EQ(reports[1].runs, 1);
  }
  EXPECT_EQ(Effects(), 6);
  EXPECT_EQ(db_->Value("SELECT next_due_at > now() + interval '17 hours' FROM "
                       "summa_host.worker_state WHERE worker_id = 'daily'"),
            "t");
}

TEST_F(RunnerTest, OnceTreatsAHintWithoutABacklogAsDone) {
  LambdaWorker worker("hints", [](const Tick&) {
    return TickResult{0, false, std::chrono::microseconds(milliseconds(300))};
  });
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  const std::vector<OnceReport> reports = host.runner().RunOnce(seconds(30), Never);
  EXPECT_EQ(reports[0].outcome, "ok");
  EXPECT_EQ(reports[0].runs, 1);
}

TEST_F(RunnerTest, OnceEndsWhatTakesLongerThanMaxRunAndRunsTheOthers) {
  LambdaWorker slow("slow", [](const Tick& tick) {
    summa::Session(tick.sql()).Exec("SELECT pg_sleep(600)");
    return TickResult{};
  });
  LambdaWorker good("good", [](const Tick&) { return TickResult{}; });
  WorkerPlan plan = slow.Periodic(kDay);
  plan.max_run = milliseconds(300);
  RunningHost host(settings_, "host-a", {plan, good.Continuous()});
  const std::vector<OnceReport> reports = host.runner().RunOnce(seconds(30), Never);
  EXPECT_EQ(reports[0].outcome, "error");
  EXPECT_NE(reports[0].error.find("SH-0328"), std::string::npos) << reports[0].error;
  EXPECT_EQ(reports[0].exit_code, SUMMA_E_INTERNAL);
  EXPECT_LT(reports[0].duration, seconds(300));
  EXPECT_EQ(reports[1].outcome, "ok") << reports[1].error;
}

TEST_F(RunnerTest, OnceLetsTheLeaseOfAWorkerGoThatDoesNotReturn) {
  settings_.idle_in_transaction_timeout = std::chrono::minutes(5);  // the host ends it, not that
  std::promise<void> release;
  std::atomic<bool> hangs{false}, refused{false};
  std::atomic<int> heir_calls{0};
  LambdaWorker worker("sticks", [&](const Tick& tick) {
    summa::Session session(tick.sql());
    session.Begin();
    session.Exec("INSERT INTO effect (fence) VALUES (-1)");
    hangs = true;
    release.get_future().wait();
    try {
      session.Commit();
    } catch (const summa::Error&) {
      refused = true;
    }
    return TickResult{1, true, std::nullopt};
  });
  LambdaWorker heir("sticks", [&](const Tick&) {
    ++heir_calls;
    return TickResult{};
  });
  WorkerPlan plan = worker.Continuous();
  plan.max_run = seconds(10);                // to be reached after it hangs
  plan.lease_ttl = std::chrono::minutes(5);  // it is let go, not waited for
  RunningHost host(settings_, "host-a", {plan});
  auto reports =
      std::async(std::launch::async, [&] { return host.runner().RunOnce(seconds(30), Never); });
  Until([&] { return hangs.load(); }, "the worker to hang");
  RunningHost other(settings_, "host-b", {heir.Continuous()});
  other.runner().Start();
  Until([&] { return heir_calls > 0; }, "another host to take over");
  release.set_value();
  const OnceReport report = reports.get().at(0);
  EXPECT_TRUE(refused) << "what it did was committed after its lease was gone";
  EXPECT_EQ(report.outcome, "error");
  EXPECT_NE(report.error.find("SH-0328"), std::string::npos) << report.error;
  EXPECT_EQ(db_->Count("SELECT count(*) FROM effect WHERE fence = -1"), 0);
  EXPECT_TRUE(other.runner().Stop(kDrain).empty());
}

TEST_F(RunnerTest, OnceReportsAnErrorWithItsExitCodeAndRunsTheOthers) {
  LambdaWorker bad("bad", [](const Tick&) -> TickResult {
    throw summa::Error(SUMMA_E_DATA, "SH-0599", "broken row");
  });
  LambdaWorker good("good", [](const Tick&) { return TickResult{}; });
  RunningHost host(settings_, "host-a", {bad.Continuous(), good.Continuous()});
  const std::vector<OnceReport> reports = host.runner().RunOnce(seconds(30), Never);
  EXPECT_EQ(reports[0].outcome, "error");
  EXPECT_EQ(reports[0].exit_code, 65);
  EXPECT_EQ(reports[0].runs, 1);
  EXPECT_NE(reports[0].error.find("SH-0599"), std::string::npos);
  EXPECT_EQ(reports[1].outcome, "ok");
}

TEST_F(RunnerTest, OnceRetriesADependencyThatIsDownWithinTheWait) {
  int ticks = 0;
  LambdaWorker worker("flaky", [&](const Tick&) -> TickResult {
    if (++ticks < 3) throw summa::Error(SUMMA_E_UNAVAILABLE, "", "the bus is away");
    return {4, false, std::nullopt};
  });
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  const std::vector<OnceReport> reports = host.runner().RunOnce(seconds(30), Never);
  EXPECT_EQ(reports[0].outcome, "ok") << reports[0].error;
  EXPECT_EQ(reports[0].runs, 3);
  EXPECT_EQ(reports[0].items, 4);
}

TEST_F(RunnerTest, OnceGivesUpOnADependencyThatStaysDown) {
  LambdaWorker worker("down", [](const Tick&) -> TickResult {
    throw summa::Error(SUMMA_E_UNAVAILABLE, "", "the bus is away");
  });
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  const std::vector<OnceReport> reports = host.runner().RunOnce(milliseconds(300), Never);
  EXPECT_EQ(reports[0].outcome, "error");
  EXPECT_EQ(reports[0].exit_code, 69);
  EXPECT_NE(reports[0].error.find("SH-0321"), std::string::npos);
}

TEST_F(RunnerTest, OnceThatIsToldToStopWhileADependencyIsDownSaysTryLater) {
  std::atomic<int> ticks{0};
  LambdaWorker worker("down", [&](const Tick&) -> TickResult {
    ++ticks;
    throw summa::Error(SUMMA_E_UNAVAILABLE, "", "the bus is away");
  });
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  const std::vector<OnceReport> reports = host.runner().RunOnce(kDrain, [&] { return ticks >= 2; });
  EXPECT_EQ(reports[0].outcome, "skipped");
  EXPECT_EQ(reports[0].exit_code, 75);
}

// Before its call the worker's tables are looked at, which waits here until the database counts as
// away. On a busy machine the lease may still be there by then: another round.
TEST_F(RunnerTest, OnceThatLosesItsLeaseWhileTheDatabaseIsAwaySaysTryLater) {
  settings_.lock_timeout = test::kTimeout;
  LambdaWorker worker("robbed", [](const Tick&) -> TickResult { throw std::runtime_error("ran"); });
  WorkerPlan plan = worker.Continuous();
  plan.tables = {"public.outbox"};
  plan.lease_ttl = seconds(3);
  OnceReport report;
  for (int round = 0; round < 5 && report.outcome != "fenced"; ++round) {
    db_->Execute("DELETE FROM worker_lease");
    test::Db blocker(settings_.url);
    blocker.Execute("BEGIN; LOCK TABLE pg_catalog.pg_policy IN ACCESS EXCLUSIVE MODE");
    RunningHost host(settings_, "host-a", {plan});
    auto reports = std::async(std::launch::async,
                              [&] { return host.runner().RunOnce(milliseconds(0), Never); });
    Until(
        [&] {
          return db_->Count(
                     "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '% fleet' "
                     "AND wait_event_type = 'Lock' AND datname = current_database()") > 0;
        },
        "the look at the tables");
    db_->Execute(
        "UPDATE worker_lease SET lease_holder = 'thief', lease_until = now() + interval '1 hour'");
    report = reports.get().at(0);
  }
  EXPECT_EQ(report.outcome, "fenced") << report.error;
  EXPECT_EQ(report.exit_code, 75);
  EXPECT_EQ(report.runs, 1);
}

TEST_F(RunnerTest, OnceSkipsAForeignLeaseAfterTheWaitAndNamesItsHolder) {
  db_->Execute(
      "INSERT INTO worker_lease (worker_id, lease_holder, lease_until) VALUES "
      "('taken', 'somebody', now() + interval '1 hour')");
  LambdaWorker taken("taken", [](const Tick&) -> TickResult { throw std::runtime_error("ran"); });
  LambdaWorker free_one("free", [](const Tick&) { return TickResult{}; });
  RunningHost host(settings_, "host-a", {taken.Continuous(), free_one.Continuous()});
  // It has a fifth of a second to find out the name.
  EXPECT_TRUE(test::BecomesTrue([&] {
    const std::vector<OnceReport> reports = host.runner().RunOnce(milliseconds(300), Never);
    EXPECT_EQ(reports[0].outcome, "skipped");
    EXPECT_EQ(reports[0].exit_code, 75);
    EXPECT_EQ(reports[0].runs, 0);
    EXPECT_NE(reports[0].error.find("SH-0323"), std::string::npos);
    EXPECT_EQ(reports[1].outcome, "ok");
    return reports[0].error.find("somebody") != std::string::npos;
  }));
}

TEST_F(RunnerTest, OnceTakesAForeignLeaseThatEndsWithinTheWait) {
  db_->Execute(
      "INSERT INTO worker_lease (worker_id, lease_holder, lease_until) VALUES "
      "('ending', 'somebody', now() + interval '700 milliseconds')");
  LambdaWorker worker("ending", [](const Tick&) { return TickResult{}; });
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  const std::vector<OnceReport> reports = host.runner().RunOnce(seconds(30), Never);
  EXPECT_EQ(reports[0].outcome, "ok") << reports[0].error;
}

TEST_F(RunnerTest, OnceTakesTheIdleLeaseOfAPeriodicWorkerAtOnceAndKeepsSummasRunnersAway) {
  LambdaWorker worker("daily", [](const Tick&) { return TickResult{}; });
  const auto kept = [&] {
    return db_->Count(
        "SELECT count(*) FROM worker_lease WHERE lease_holder LIKE 'idle:%' AND "
        "lease_until > now() + interval '17 hours'");
  };
  {
    RunningHost host(settings_, "host-a", {worker.Periodic(kDay)});
    host.runner().Start();
    Until([&] { return host.Report("daily").state == "waiting" && kept() == 1; }, "the run");
    EXPECT_EQ(host.Report("daily").holder, "");
    EXPECT_TRUE(host.runner().Stop(kDrain).empty());
  }
  RunningHost command(settings_, "command", {worker.Periodic(kDay)});
  const std::vector<OnceReport> reports = command.runner().RunOnce(milliseconds(0), Never);
  EXPECT_EQ(reports[0].outcome, "ok") << reports[0].error;
  EXPECT_EQ(kept(), 1);
  EXPECT_EQ(db_->Count("SELECT fence FROM summa_host.worker_fence"), 2);
}

TEST_F(RunnerTest, OnceReportsAFencedRun) {
  LambdaWorker worker("fenced-once", [&](const Tick& tick) {
    WriteEffect(tick,
                [&] { db_->Execute("UPDATE summa_host.worker_fence SET fence = fence + 1"); });
    return TickResult{};
  });
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  const std::vector<OnceReport> reports = host.runner().RunOnce(seconds(30), Never);
  EXPECT_EQ(reports[0].outcome, "fenced");
  EXPECT_EQ(reports[0].exit_code, 75);
  EXPECT_EQ(Effects(), 0);
}

TEST_F(RunnerTest, OnceStopsWhenItIsTold) {
  std::atomic<bool> stop{false};
  LambdaWorker endless("endless", [&](const Tick& tick) {
    stop = true;
    EXPECT_TRUE(tick.ShouldStop());
    EXPECT_TRUE(tick.Wait(std::chrono::hours(1)));
    return TickResult{1, true, std::nullopt};
  });
  LambdaWorker after("after", [](const Tick&) -> TickResult { throw std::runtime_error("ran"); });
  RunningHost host(settings_, "host-a", {endless.Continuous(), after.Continuous()});
  const std::vector<OnceReport> reports =
      host.runner().RunOnce(seconds(30), [&] { return stop.load(); });
  EXPECT_EQ(reports[0].runs, 1);
  EXPECT_EQ(reports[0].exit_code, 75);
  EXPECT_EQ(reports[1].outcome, "skipped");
  EXPECT_EQ(reports[1].runs, 0);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM worker_lease WHERE lease_until > clock_timestamp()"),
            0);
}

}  // namespace
}  // namespace summa::host
