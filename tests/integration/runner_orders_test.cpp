// What people and commands ask of workers: pause, resume, run now, the lease; and parked workers.
#include <atomic>
#include <future>

#include "tests/integration/runner_support.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class RunnerOrdersTest : public RunnerTest {
 protected:
  static std::function<TickResult(const Tick&)> Counting(std::atomic<int>& calls) {
    return [&calls](const Tick&) {
      ++calls;
      return TickResult{};
    };
  }
  bool LeaseIsFree(const std::string& id) {
    return db_->Count(
               "SELECT count(*) FROM worker_lease WHERE worker_id = $1 AND lease_until > "
               "clock_timestamp()",
               {id}) == 0;
  }
  void MoreCalls(const std::atomic<int>& calls, const std::string& what) {
    Until([&, before = calls.load()] { return calls > before; }, what);
  }
  RequestedRun Finished(std::int64_t request) {
    Until(
        [&] {
          const auto run = orders_.ReadRun(request);
          return run && run->finished;
        },
        "the outcome of the requested run");
    return *orders_.ReadRun(request);
  }

  FleetOrders orders_{settings_};
};

TEST_F(RunnerOrdersTest, APauseHoldsOnEveryHostUntilTheWorkerIsResumed) {
  std::atomic<int> calls{0}, other_calls{0};
  LambdaWorker worker("paused", Counting(calls)), other("other", Counting(other_calls));
  RunningHost first(settings_, "host-a", {worker.Continuous(), other.Continuous()});
  RunningHost second(settings_, "host-b", {worker.Continuous()});
  first.runner().Start();
  second.runner().Start();
  MoreCalls(calls, "the worker to run");
  orders_.Pause({"paused", "test", true}, "me@here", "because");
  const auto stopped = [&](RunningHost& host) {
    const WorkerReport report = host.Report("paused");
    return report.paused && report.state == "stopped";
  };
  Until([&] { return stopped(first) && stopped(second); }, "both hosts to stop it");
  EXPECT_TRUE(LeaseIsFree("paused"));
  const int calls_at_pause = calls;
  MoreCalls(other_calls, "the other worker to go on");
  // A host that starts now does not run it either, nor does `run --once`.
  RunningHost third(settings_, "host-c", {worker.Continuous()});
  third.runner().Start();
  Until([&] { return stopped(third); }, "a new host to see the pause");
  const auto once = third.runner().RunOnce(kDrain, [] { return false; });
  EXPECT_EQ(once.at(0).outcome, "skipped");
  EXPECT_EQ(once.at(0).exit_code, 0);
  EXPECT_EQ(calls, calls_at_pause);
  const WorkerRow state = first.store().Workers().at(1);
  EXPECT_TRUE(state.paused);
  EXPECT_EQ(state.paused_by, "me@here");
  EXPECT_EQ(state.paused_reason, "because");
  EXPECT_FALSE(state.paused_since.empty());

  EXPECT_TRUE(orders_.Resume("paused"));
  EXPECT_FALSE(orders_.Resume("paused"));
  MoreCalls(calls, "the worker to run again");
  for (RunningHost* host : {&first, &second, &third}) {
    EXPECT_TRUE(host->runner().Stop(kDrain).empty());
  }
}

TEST_F(RunnerOrdersTest, ACallThatIsUnderWayIsToldAndEndsBeforeThePause) {
  std::promise<void> release;
  std::atomic<bool> inside{false}, told{false};
  LambdaWorker worker("slow", [&](const Tick& tick) {
    if (!inside.exchange(true)) release.get_future().wait();
    told = told || tick.ShouldStop();
    WriteEffect(tick);
    return TickResult{};
  });
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  host.runner().Start();
  Until([&] { return inside.load(); }, "the call to begin");
  orders_.Pause({"slow", "test", true}, "me", "");
  Until([&] { return host.Report("slow").paused; }, "the host to see the pause");
  EXPECT_FALSE(LeaseIsFree("slow"));
  release.set_value();
  Until([&] { return LeaseIsFree("slow"); }, "the lease to be released");
  EXPECT_TRUE(told);
  EXPECT_EQ(Effects(), 1);
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

TEST_F(RunnerOrdersTest, APauseEndsACallThatLooksWhetherItShouldStop) {
  std::atomic<int> calls{0};
  const auto until_told = [&](const Tick& tick) {
    ++calls;
    while (!tick.ShouldStop()) tick.Wait(milliseconds(10));
    if (calls > 1) throw summa::Error(SUMMA_E_CANCELLED, "", "told to stop");  // as Session does
    return TickResult{1, true, std::nullopt};
  };
  LambdaWorker continuous("loops", until_told), periodic("daily", until_told);
  RunningHost host(settings_, "host-a", {continuous.Continuous(), periodic.Periodic(kDay)});
  host.runner().Start();
  Until([&] { return calls == 2; }, "both calls to begin");
  for (const char* id : {"loops", "daily"}) orders_.Pause({id, "test", true}, "me", "");
  for (const char* id : {"loops", "daily"}) {
    Until([&] { return host.Report(id).state == "stopped"; }, "the call to end");
    Until([&] { return LeaseIsFree(id); }, "the lease to be released");
    EXPECT_EQ(host.Report(id).last_error, "");
  }
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

TEST_F(RunnerOrdersTest, APauseReachesACallOfRunOnce) {
  std::atomic<bool> inside{false};
  LambdaWorker worker("once", [&](const Tick& tick) {
    inside = true;
    while (!tick.Wait(milliseconds(10))) {
    }
    return TickResult{1, true, std::nullopt};
  });
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  auto reports = std::async(std::launch::async,
                            [&] { return host.runner().RunOnce(kDrain, [] { return false; }); });
  Until([&] { return inside.load(); }, "the call to begin");
  orders_.Pause({"once", "test", true}, "me", "");
  const OnceReport report = reports.get().at(0);
  EXPECT_EQ(report.outcome, "skipped");
  EXPECT_EQ(report.error.substr(0, 7), "SH-0341");
  EXPECT_EQ(report.exit_code, SUMMA_E_TRY_LATER);
}

TEST_F(RunnerOrdersTest, AWorkerThatAsksInVainDoesNotSpinAndIsNamed) {
  std::atomic<int> calls{0}, runs{0};
  std::atomic<bool> works{false};
  const auto function = [&](std::atomic<int>& counter) {
    return [&](const Tick&) {
      ++counter;
      return TickResult{works ? 1 : 0, !works, std::nullopt};
    };
  };
  LambdaWorker continuous("vain", function(calls)), periodic("vain-daily", function(runs));
  RunningHost host(settings_, "host-a", {continuous.Continuous(), periodic.Periodic(kDay)});
  host.runner().Start();
  for (const char* id : {"vain", "vain-daily"}) {
    Until([&] { return host.Report(id).warning.substr(0, 7) == "SH-0358"; }, "it to be named");
  }
  EXPECT_LT(calls, 100);
  EXPECT_LT(runs, 100);
  works = true;
  for (const char* id : {"vain", "vain-daily"}) {
    Until([&] { return host.Report(id).warning.empty(); }, "the warning to go");
  }
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

TEST_F(RunnerOrdersTest, AWorkerThatKeepsFailingIsParkedHereAndRunsWhereItWorks) {
  std::atomic<int> failures{0}, calls{0};
  LambdaWorker broken("parks", [&](const Tick&) -> TickResult {
    ++failures;
    throw summa::Error(SUMMA_E_INTERNAL, "T-0001", "broken here");
  });
  LambdaWorker sound("parks", Counting(calls));
  WorkerPlan plan = broken.Continuous();
  plan.park_after = 3;
  {
    RunningHost first(settings_, "host-a", {plan});
    first.runner().Start();
    Until([&] { return first.Report("parks").state == "parked"; }, "the worker to be parked");
    EXPECT_EQ(failures, 3);
    EXPECT_EQ(first.Report("parks").last_error, "T-0001 broken here");
    Until([&] { return LeaseIsFree("parks"); }, "the lease to be released");
    const WorkerRow state = first.store().Workers().at(0);
    EXPECT_EQ(state.state, "parked");
    EXPECT_EQ(state.parked_on, std::vector<std::string>{"host-a"});
    EXPECT_EQ(state.last_error, "T-0001 broken here");
    EXPECT_EQ(first.runner().RunOnce(kDrain, [] { return false; }).at(0).outcome, "parked");
    EXPECT_TRUE(first.runner().Stop(kDrain).empty());
  }
  RunningHost again(settings_, "host-a", {plan});
  RunningHost second(settings_, "host-b", {sound.Continuous()});
  again.runner().Start();
  second.runner().Start();
  Until([&] { return again.Report("parks").state == "parked"; }, "a restart to remember it");
  MoreCalls(calls, "the sound host to run it");
  EXPECT_EQ(second.store().Workers().at(0).state, "running");
  EXPECT_TRUE(second.runner().Stop(kDrain).empty());
  EXPECT_EQ(failures, 3);
  EXPECT_TRUE(orders_.Resume("parks"));
  Until([&] { return failures == 6; }, "it to have all its attempts again");
  Until([&] { return again.Report("parks").state == "parked"; }, "it to be parked again");
  EXPECT_TRUE(again.runner().Stop(kDrain).empty());
}

TEST_F(RunnerOrdersTest, WhatCannotHealParksAtOnceAndWhatIsAwayNever) {
  std::atomic<int> config_calls{0}, denied_calls{0}, away_calls{0}, never_calls{0};
  const auto failing = [](std::atomic<int>& calls, int status) {
    return [&calls, status](const Tick&) -> TickResult {
      ++calls;
      throw summa::Error(status, "T-0002", "no");
    };
  };
  LambdaWorker config("config", failing(config_calls, SUMMA_E_CONFIG));
  LambdaWorker denied("denied", failing(denied_calls, SUMMA_E_DENIED));
  LambdaWorker away("away", failing(away_calls, SUMMA_E_UNAVAILABLE));
  LambdaWorker never("never", failing(never_calls, SUMMA_E_CONFIG));
  std::vector<WorkerPlan> plans = {config.Continuous(), denied.Periodic(kDay), away.Continuous(),
                                   never.Continuous()};
  for (WorkerPlan& plan : plans) plan.park_after = 2;
  plans.back().park_after = 0;
  RunningHost host(settings_, "host-a", plans);
  host.runner().Start();
  Until([&] { return host.Report("config").state == "parked"; }, "a wrong configuration");
  Until([&] { return host.Report("denied").state == "parked"; }, "a missing privilege");
  Until([&] { return away_calls >= 4 && never_calls >= 4; }, "the others to go on");
  EXPECT_EQ(config_calls, 1);
  EXPECT_EQ(denied_calls, 1);
  EXPECT_EQ(host.Report("away").state, "error");
  EXPECT_EQ(host.Report("never").state, "error");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

TEST_F(RunnerOrdersTest, ARequestedRunOfAPeriodicWorkerIsMadeOnceInTheFleet) {
  std::atomic<int> runs{0};
  LambdaWorker worker("daily", [&](const Tick&) {
    ++runs;
    return TickResult{2, runs == 2, std::nullopt};  // the second run begins with a backlog
  });
  RunningHost first(settings_, "host-a", {worker.Periodic(kDay)});
  RunningHost second(settings_, "host-b", {worker.Periodic(kDay)});
  first.runner().Start();
  second.runner().Start();
  Until(
      [&] {
        return first.Report("daily").state == "waiting" &&
               !first.Report("daily").next_due_at.empty() &&
               !second.Report("daily").next_due_at.empty();
      },
      "both to wait");
  EXPECT_EQ(runs, 1);
  const RequestedRun run = Finished(orders_.RequestRun("daily", "me", seconds(60)));
  EXPECT_EQ(run.outcome, "ok");
  EXPECT_TRUE(run.host == "host-a" || run.host == "host-b") << run.host;
  EXPECT_EQ(run.runs, 2);
  EXPECT_EQ(run.items, 4);
  EXPECT_EQ(runs, 3);
  EXPECT_TRUE(first.runner().Stop(kDrain).empty());
  EXPECT_TRUE(second.runner().Stop(kDrain).empty());
}

TEST_F(RunnerOrdersTest, ARequestedRunThatFailsSaysWhyAndAContinuousWorkerIsCalledAtOnce) {
  std::atomic<int> calls{0};
  std::atomic<bool> fail{false};
  LambdaWorker worker("idle", [&](const Tick&) {
    ++calls;
    if (fail.exchange(false)) throw summa::Error(SUMMA_E_DATA, "T-0003", "a bad row");
    return TickResult{};
  });
  WorkerPlan plan = worker.Continuous();
  plan.idle_poll = std::chrono::hours(1);
  RunningHost host(settings_, "host-a", {plan});
  host.runner().Start();
  // The pause doubles with every call: after these it is longer than the test.
  for (int wanted = 1; wanted <= 12; ++wanted) {
    Until([&] { return calls >= wanted; }, "the worker to become idle");
  }
  EXPECT_EQ(Finished(orders_.RequestRun("idle", "me", seconds(60))).outcome, "ok");
  fail = true;
  const RequestedRun failed = Finished(orders_.RequestRun("idle", "me", seconds(60)));
  EXPECT_EQ(failed.outcome, "error");
  EXPECT_EQ(failed.exit_code, SUMMA_E_DATA);
  EXPECT_NE(failed.error.find("T-0003"), std::string::npos) << failed.error;
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

TEST_F(RunnerOrdersTest, ARequestIsWithdrawnOnlyWhileNobodyHasTakenIt) {
  const std::int64_t request = orders_.RequestRun("nobody", "me", seconds(60));
  EXPECT_FALSE(orders_.ReadRun(request)->seen);
  EXPECT_TRUE(orders_.Withdraw(request));
  EXPECT_FALSE(orders_.ReadRun(request));
  const std::int64_t taken = orders_.RequestRun("nobody", "me", seconds(60));
  EXPECT_TRUE(orders_.Take(taken, "host-a"));
  EXPECT_FALSE(orders_.Take(taken, "host-b"));
  EXPECT_FALSE(orders_.Withdraw(taken));
  const std::int64_t expired = orders_.RequestRun("nobody", "me", -seconds(1));
  EXPECT_FALSE(orders_.Take(expired, "host-a"));
  EXPECT_EQ(orders_.Read("host-a", {"nobody"}).at(0).run_request, 0);
  db_->Execute("UPDATE summa_host.worker_request SET expires_at = now() - interval '2 hours'");
  orders_.RequestRun("nobody", "me", seconds(60));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.worker_request"), 1);
}

TEST_F(RunnerOrdersTest, ACommandIsGivenTheLeaseAndTheWorkerGoesOnAfterIt) {
  std::atomic<int> calls{0};
  LambdaWorker worker("busy", [&](const Tick& tick) {
    WriteEffect(tick);
    ++calls;
    return TickResult{1, true, std::nullopt};
  });
  RunningHost first(settings_, "host-a", {worker.Continuous()});
  RunningHost second(settings_, "host-b", {worker.Continuous()});
  first.runner().Start();
  second.runner().Start();
  // A standby looks at the requests before it takes a lease; one that starts may have looked.
  Until(
      [&] {
        const std::string a = first.Report("busy").state, b = second.Report("busy").state;
        return (a == "running" && b == "standby") || (a == "standby" && b == "running");
      },
      "one host to work and the other to stand by");
  MoreCalls(calls, "the worker to run");
  LeaseKeeper command(settings_, "command", SystemClock(), [](const std::string&) {});
  EXPECT_FALSE(command.TryAcquire("busy", seconds(15)));
  const std::int64_t request = orders_.RequestLease("busy", "command", seconds(60));
  std::optional<LeaseGuard> guard;
  Until(
      [&] {
        command.WaitUntilFree("busy", seconds(1), {});
        guard = command.TryAcquire("busy", seconds(15));
        return guard.has_value();
      },
      "the holder to let the lease go");
  EXPECT_EQ(guard->fence, 2);  // nobody came between
  EXPECT_TRUE(orders_.Withdraw(request));
  const int calls_before = calls;
  Until(
      [&] {
        return first.Report("busy").state == "standby" && second.Report("busy").state == "standby";
      },
      "both hosts to stand by");
  EXPECT_EQ(calls, calls_before);
  command.Release("busy");
  MoreCalls(calls, "the worker to go on");
  EXPECT_TRUE(first.runner().Stop(kDrain).empty());
  EXPECT_TRUE(second.runner().Stop(kDrain).empty());
  EXPECT_EQ(db_->Value("SELECT max(fence) > 2 FROM effect"), "t");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM effect WHERE fence = 2"), 0);
}

TEST_F(RunnerOrdersTest, ACommandThatDiedHoldsTheWorkerUpOnlyUntilItsRequestExpires) {
  std::atomic<int> calls{0};
  LambdaWorker worker("held-up", Counting(calls));
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  host.runner().Start();
  MoreCalls(calls, "the worker to run");
  orders_.RequestLease("held-up", "dead", seconds(20));
  Until([&] { return LeaseIsFree("held-up"); }, "the lease to be let go");
  Until([&] { return host.Report("held-up").state == "standby"; }, "the worker to stand back");
  MoreCalls(calls, "the request to expire");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

}  // namespace
}  // namespace summa::host
