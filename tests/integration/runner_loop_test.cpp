// Loops of a runner: continuous and periodic work, take-over, fences, failures.
#include <atomic>

#include "host/observe/metrics.hpp"
#include "tests/integration/runner_support.hpp"

namespace summa::host {
namespace {

TEST_F(RunnerTest, AContinuousWorkerLoopsUnderOneLeaseAndItsSuccessIsRecorded) {
  std::atomic<int> ticks{0}, new_leases{0};
  LambdaWorker worker("loop", [&](const Tick& tick) {
    if (tick.new_lease()) ++new_leases;
    WriteEffect(tick);
    ++ticks;
    return TickResult{1, ticks < 5, std::nullopt};
  });
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  host.runner().Start();
  Until([&] { return ticks >= 20; }, "twenty ticks");
  const WorkerReport report = host.Report("loop");
  EXPECT_EQ(report.state, "running");
  EXPECT_EQ(report.kind, "continuous");
  EXPECT_EQ(report.holder, "host-a");
  EXPECT_EQ(report.fence, 1);
  EXPECT_FALSE(report.last_success_at.empty());
  EXPECT_FALSE(report.lease_until.empty());
  EXPECT_TRUE(report.last_error.empty());
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
  EXPECT_EQ(new_leases, 1);
  EXPECT_EQ(Effects(), ticks);
  EXPECT_EQ(db_->Value("SELECT string_agg(DISTINCT fence::text, ',') FROM effect"), "1");
  EXPECT_EQ(host.Report("loop").state, "stopped");
  const std::vector<WorkerRow> states = host.store().Workers();
  ASSERT_EQ(states.size(), 1U);
  EXPECT_EQ(states[0].state, "stopped");
  EXPECT_FALSE(states[0].last_success_at.empty());
}

TEST_F(RunnerTest, ADailyWorkerRunsOnceThoughItsHostRestartsThreeTimes) {
  std::atomic<int> ticks{0};
  LambdaWorker worker("daily", [&](const Tick& tick) {
    WriteEffect(tick);
    ++ticks;
    return TickResult{1, ticks < 3, std::nullopt};  // one run of three ticks
  });
  for (const char* name : {"host-a", "host-b", "host-c"}) {
    RunningHost host(settings_, name, {worker.Periodic(kDay)});
    host.runner().Start();
    Until(
        [&] {
          const WorkerReport report = host.Report("daily");
          return report.state == "waiting" && !report.next_due_at.empty();
        },
        "the worker to wait for its due time");
    EXPECT_TRUE(host.runner().Stop(kDrain).empty());
  }
  EXPECT_EQ(Effects(), 3);
  EXPECT_EQ(ticks, 3);
  // Summa's own runner, which knows no due times, is kept away until then.
  EXPECT_EQ(db_->Value("SELECT lease_until > now() + interval '17 hours' FROM worker_lease "
                       "WHERE worker_id = 'daily'"),
            "t");
  EXPECT_EQ(db_->Value("SELECT next_due_at BETWEEN now() + interval '17 hours' AND "
                       "now() + interval '31 hours' FROM summa_host.worker_state"),
            "t");
}

TEST_F(RunnerTest, WithoutNodeInTheFleetTheLeaseOfAnIdlePeriodicWorkerIsFree) {
  LambdaWorker worker("daily", [](const Tick&) { return TickResult{}; });
  WorkerPlan plan = worker.Periodic(kDay);
  plan.keep_lease_row = false;
  RunningHost host(settings_, "host-a", {plan});
  host.runner().Start();
  Until(
      [&] {
        return db_->Count(
                   "SELECT count(*) FROM worker_lease WHERE lease_until <= "
                   "clock_timestamp()") == 1;
      },
      "the lease to be let go");
  EXPECT_EQ(host.Report("daily").state, "waiting");
  RunningHost command(settings_, "command", {plan});
  EXPECT_EQ(command.runner().RunOnce(kDrain, [] { return false; })[0].outcome, "ok");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

TEST_F(RunnerTest, APeriodicRunThatIsToldToStopStaysDue) {
  std::atomic<bool> runs{false};
  LambdaWorker worker("long", [&](const Tick& tick) {
    runs = true;
    tick.Wait(std::chrono::hours(1));
    return TickResult{1, true, std::nullopt};
  });
  RunningHost host(settings_, "host-a", {worker.Periodic(kDay)});
  host.runner().Start();
  Until([&] { return runs.load(); }, "the run to begin");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
  EXPECT_EQ(db_->Value("SELECT state FROM summa_host.worker_state WHERE next_due_at IS NULL"),
            "waiting");
}

TEST_F(RunnerTest, APeriodicWorkerRunsAgainWhenItIsDue) {
  std::atomic<int> runs{0};
  LambdaWorker worker("often", [&](const Tick&) {
    ++runs;
    return TickResult{};
  });
  RunningHost host(settings_, "host-a", {worker.Periodic(std::chrono::milliseconds(30))});
  host.runner().Start();
  Until([&] { return runs >= 5; }, "five runs");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

TEST_F(RunnerTest, TwoHostsShareThePeriodicRunsAndNoneIsDoubled) {
  std::atomic<int> runs{0}, at_once{0}, most{0};
  const auto function = [&](const Tick& tick) {
    most = std::max(most.load(), ++at_once);
    WriteEffect(tick);
    ++runs;
    --at_once;
    return TickResult{1, false, std::nullopt};
  };
  LambdaWorker first("shared", function), second("shared", function);
  RunningHost a(settings_, "host-a", {first.Periodic(std::chrono::milliseconds(50))});
  RunningHost b(settings_, "host-b", {second.Periodic(std::chrono::milliseconds(50))});
  a.runner().Start();
  b.runner().Start();
  Until([&] { return runs >= 10; }, "ten runs");
  EXPECT_TRUE(a.runner().Stop(kDrain).empty());
  EXPECT_TRUE(b.runner().Stop(kDrain).empty());
  EXPECT_EQ(most, 1);
  EXPECT_EQ(Effects(), runs);
}

TEST_F(RunnerTest, AStandbyTakesOverWhenTheHolderStopsCleanly) {
  std::atomic<int> a_ticks{0}, b_ticks{0};
  LambdaWorker first("handed", [&](const Tick&) { return TickResult{++a_ticks, false, {}}; });
  LambdaWorker second("handed", [&](const Tick& tick) {
    EXPECT_EQ(tick.fence(), 2);
    return TickResult{++b_ticks, false, {}};
  });
  RunningHost a(settings_, "host-a", {first.Continuous()});
  RunningHost b(settings_, "host-b", {second.Continuous()});
  a.runner().Start();
  Until([&] { return a_ticks > 0; }, "the first host to work");
  b.runner().Start();
  Until([&] { return b.Report("handed").state == "standby"; }, "the second to stand by");
  Until([&] { return b.Report("handed").holder == "host-a"; }, "the holder to be known");
  EXPECT_FALSE(b.Report("handed").lease_until.empty());
  EXPECT_EQ(b_ticks, 0);
  EXPECT_TRUE(a.runner().Stop(kDrain).empty());
  Until([&] { return b_ticks > 0; }, "the second host to work");
  EXPECT_EQ(a.Report("handed").holder, "");
  EXPECT_EQ(b.Report("handed").state, "running");
  Until([&] { return b.store().Workers().at(0).state == "running"; }, "the fleet to see it");
  EXPECT_TRUE(b.runner().Stop(kDrain).empty());
}

TEST_F(RunnerTest, AFencedRunCommitsNothingAndTheLeaseIsTakenAnew) {
  std::atomic<int> ticks{0};
  std::atomic<std::int64_t> last_fence{0};
  std::atomic<bool> told_new_lease{false};
  LambdaWorker worker("fenced", [&](const Tick& tick) {
    const bool first = ++ticks == 1;
    if (tick.fence() > 1) told_new_lease = told_new_lease || tick.new_lease();
    WriteEffect(tick, [&] {
      if (!first) return;
      test::Db(settings_.url)
          .Execute(
              "UPDATE worker_lease SET lease_holder = 'thief', "
              "lease_until = now() + interval '200 milliseconds'; "
              "UPDATE summa_host.worker_fence SET fence = fence + 1");
    });
    last_fence = tick.fence();
    return TickResult{1, false, std::nullopt};
  });
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  host.runner().Start();
  Until([&] { return last_fence > 0; }, "a run under a new fence");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
  EXPECT_GE(last_fence, 3);
  EXPECT_TRUE(told_new_lease);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM effect WHERE fence < 3"), 0);
  EXPECT_NE(MetricsText().find("summa_fence_rejections_total{worker=\"fenced\"} 1"),
            std::string::npos);
}

std::int32_t ThrowAcross(void*, const summa_tick*, summa_tick_result*, summa_error*) {
  throw std::runtime_error("not caught by the plugin");
}

TEST_F(RunnerTest, AWorkerThatThrowsIsRetriedAndTheOthersGoOn) {
  std::atomic<int> good_ticks{0}, bad_ticks{0};
  LambdaWorker good("good", [&](const Tick&) { return TickResult{++good_ticks, false, {}}; });
  LambdaWorker bad("bad", [&](const Tick&) -> TickResult {
    if (++bad_ticks < 3) throw summa::Error(SUMMA_E_UNAVAILABLE, "SH-0503", "the bus is away");
    return {};
  });
  const summa_worker foreign_table{sizeof(summa_worker), 0, nullptr, {"foreign", 7}, &ThrowAcross};
  WorkerPlan foreign = good.Continuous();
  foreign.id = "foreign";
  foreign.worker = &foreign_table;
  RunningHost host(settings_, "host-a", {good.Continuous(), bad.Continuous(), foreign});
  host.runner().Start();
  Until([&] { return host.Report("foreign").state == "error"; }, "the exception to be seen");
  EXPECT_EQ(host.Report("foreign").last_error.substr(0, 7), "SH-0322");
  Until([&] { return bad_ticks >= 4 && host.Report("bad").state == "running"; }, "the recovery");
  EXPECT_TRUE(host.Report("bad").last_error.empty());
  const int before = good_ticks;
  Until([&] { return good_ticks > before; }, "the good one to go on");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

TEST_F(RunnerTest, AFailingPeriodicWorkerStaysDueAndIsRetried) {
  std::atomic<int> ticks{0};
  LambdaWorker worker("failing", [&](const Tick&) -> TickResult {
    if (++ticks < 3) throw std::runtime_error("not yet");
    return {};
  });
  RunningHost host(settings_, "host-a", {worker.Periodic(kDay)});
  host.runner().Start();
  Until([&] { return ticks >= 3 && host.Report("failing").state == "waiting"; }, "the third try");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
  EXPECT_EQ(ticks, 3);
  const std::vector<WorkerRow> states = host.store().Workers();
  ASSERT_EQ(states.size(), 1U);
  EXPECT_TRUE(states[0].last_error.empty());
}

TEST_F(RunnerTest, AWorkerWithoutALeaseRunsOnEveryHost) {
  std::atomic<int> a_ticks{0}, b_ticks{0};
  LambdaWorker first("free", [&](const Tick& tick) {
    EXPECT_EQ(tick.fence(), 0);
    WriteEffect(tick);
    return TickResult{++a_ticks, false, {}};
  });
  LambdaWorker second("free", [&](const Tick&) { return TickResult{++b_ticks, false, {}}; });
  WorkerPlan first_plan = first.Continuous(), second_plan = second.Continuous();
  first_plan.leased = second_plan.leased = false;
  RunningHost a(settings_, "host-a", {first_plan}), b(settings_, "host-b", {second_plan});
  a.runner().Start();
  b.runner().Start();
  Until([&] { return a_ticks > 2 && b_ticks > 2; }, "both to work");
  EXPECT_TRUE(a.runner().Stop(kDrain).empty());
  EXPECT_TRUE(b.runner().Stop(kDrain).empty());
  EXPECT_EQ(db_->Count("SELECT count(*) FROM worker_lease"), 0);
}

}  // namespace
}  // namespace summa::host
