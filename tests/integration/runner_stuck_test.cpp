// Workers that run too long, and those whose lease is lost while they sit in the database.
#include <atomic>
#include <future>

#include "tests/integration/runner_support.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A worker that sleeps in the server, once.
LambdaWorker::Function SleepingOnce(std::atomic<int>& pid, std::atomic<int>& calls) {
  return [&](const Tick& tick) {
    if (++calls > 1) return TickResult{};
    summa::Session session(tick.sql());
    pid = session.Exec("SELECT pg_backend_pid()").Value<std::int32_t>();
    session.Exec("SELECT pg_sleep(600)");
    return TickResult{};
  };
}

TEST_F(RunnerTest, AStatementThatTakesTooLongIsCancelledAndTheWorkerIsCalledAgain) {
  std::atomic<int> pid{0}, calls{0};
  LambdaWorker worker("slow-query", SleepingOnce(pid, calls));
  WorkerPlan plan = worker.Continuous();
  plan.max_run = milliseconds(300);
  RunningHost host(settings_, "host-a", {plan});
  host.runner().Start();
  Until([&] { return calls > 1; }, "the worker to be called again");
  EXPECT_FALSE(Waiting(pid, "Timeout"));
  EXPECT_EQ(host.Report("slow-query").fence, 1);  // it kept its lease
  Until([&] { return host.Report("slow-query").last_error.empty(); }, "it to recover");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

TEST_F(RunnerTest, AStuckWorkerLosesItsDatabaseThenItsLeaseAndStartsAnewWhenItReturns) {
  settings_.idle_in_transaction_timeout = std::chrono::minutes(5);  // the host ends it, not that
  std::promise<void> release;
  std::atomic<bool> stuck{false}, refused{false};
  std::atomic<int> calls{0}, other_calls{0}, heir_calls{0};  // calls: after it stuck
  LambdaWorker worker("sticks", [&](const Tick& tick) {
    if (stuck) {
      ++calls;
      return TickResult{};
    }
    summa::Session session(tick.sql());
    session.Begin();
    session.Exec("INSERT INTO effect (fence) VALUES (-1)");
    stuck = true;
    release.get_future().wait();
    EXPECT_TRUE(tick.ShouldStop());
    try {
      session.Commit();
    } catch (const summa::Error&) {
      refused = true;
    }
    return TickResult{1, true, std::nullopt};
  });
  LambdaWorker other("other", [&](const Tick&) {
    ++other_calls;
    return TickResult{};
  });
  LambdaWorker heir("sticks", [&](const Tick& tick) {
    EXPECT_TRUE(++heir_calls > 1 || tick.fence() == 2) << tick.fence();
    return TickResult{};
  });
  WorkerPlan plan = worker.Continuous();
  plan.max_run = seconds(2);                 // a call that does not stick in time is made again
  plan.lease_ttl = std::chrono::minutes(5);  // it is let go, not waited for
  RunningHost first(settings_, "host-a", {plan, other.Continuous()});
  RunningHost second(settings_, "host-b", {heir.Continuous()});
  first.runner().Start();
  Until([&] { return stuck.load(); }, "the worker to stick");
  second.runner().Start();
  Until([&] { return first.Report("sticks").state == "error"; }, "it to be reported");
  EXPECT_EQ(first.Report("sticks").last_error.substr(0, 7), "SH-0328");
  Until([&] { return heir_calls > 0; }, "the other host to take over");
  EXPECT_NE(first.Report("sticks").holder, "host-a");
  EXPECT_EQ(db_->Value("SELECT lease_holder FROM worker_lease WHERE worker_id = 'sticks'"),
            "host-b");
  Until([&, before = other_calls.load()] { return other_calls > before; },
        "the other worker of the first host to go on");
  EXPECT_EQ(Effects(), 0);
  EXPECT_EQ(calls, 0);

  release.set_value();
  Until([&] { return first.Report("sticks").state == "standby"; }, "it to start anew");
  EXPECT_TRUE(refused);
  EXPECT_EQ(Effects(), 0);
  EXPECT_EQ(db_->Value("SELECT host || ' ' || state FROM summa_host.worker_state WHERE worker_id "
                       "= 'sticks'"),
            "host-b running");
  EXPECT_TRUE(second.runner().Stop(kDrain).empty());
  Until([&] { return calls > 0; }, "it to run here again");
  EXPECT_TRUE(first.runner().Stop(kDrain).empty());
}

TEST_F(RunnerTest, APeriodicRunThatTakesTooLongStaysDueAndCountsTowardsParking) {
  std::atomic<int> calls{0};
  LambdaWorker worker("endless", [&](const Tick& tick) {
    ++calls;
    tick.Wait(std::chrono::hours(1));
    return TickResult{1, true, std::nullopt};
  });
  WorkerPlan plan = worker.Periodic(kDay);
  plan.max_run = milliseconds(200);
  plan.park_after = 2;
  RunningHost host(settings_, "host-a", {plan});
  host.runner().Start();
  Until([&] { return host.Report("endless").state == "parked"; }, "it to be parked");
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(db_->Value("SELECT next_due_at IS NULL FROM summa_host.worker_state"), "t");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

TEST_F(RunnerTest, ALostLeaseEndsTheStatementThatRunsUnderIt) {
  std::atomic<int> pid{0}, calls{0};
  LambdaWorker worker("robbed", SleepingOnce(pid, calls));
  WorkerPlan plan = worker.Continuous();
  plan.lease_ttl = seconds(15);
  RunningHost host(settings_, "host-a", {plan});
  host.runner().Start();
  Until([&] { return pid != 0 && Waiting(pid, "Timeout"); }, "the worker to sleep in the server");
  db_->Execute(
      "UPDATE worker_lease SET lease_holder = 'thief', lease_until = now() + interval '1 hour'");
  Until([&] { return !Waiting(pid, "Timeout"); }, "the statement to end");
  Until([&] { return host.Report("robbed").state == "standby"; }, "the worker to stand by");
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

}  // namespace
}  // namespace summa::host
