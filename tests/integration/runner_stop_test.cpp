// Stopping a runner: in time, with a worker that waits, that sits in the database, that never ends.
#include <atomic>
#include <future>

#include "tests/integration/runner_support.hpp"

namespace summa::host {
namespace {

using std::chrono::seconds;

TEST_F(RunnerTest, AWaitingWorkerIsWokenByTheStop) {
  std::atomic<bool> waits{false}, told{false};
  LambdaWorker worker("waits", [&](const Tick& tick) {
    waits = true;
    told = tick.Wait(std::chrono::hours(1));
    return TickResult{};
  });
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  host.runner().Start();
  Until([&] { return waits.load(); }, "the worker to wait");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kDrain / 2);  // nothing was cancelled
  EXPECT_TRUE(told);
  EXPECT_EQ(db_->Value("SELECT lease_until <= clock_timestamp() FROM worker_lease"), "t");
}

TEST_F(RunnerTest, AWorkerInTheDatabaseIsCancelledAfterHalfTheTime) {
  std::atomic<int> pid{0};
  LambdaWorker worker("sleeps", [&](const Tick& tick) {
    summa::Session session(tick.sql());
    pid = session.Exec("SELECT pg_backend_pid()").Value<std::int32_t>();
    session.Exec("SELECT pg_sleep(600)");
    return TickResult{};
  });
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  host.runner().Start();
  Until([&] { return pid != 0 && Waiting(pid, "Timeout"); }, "the worker to sleep in the server");
  EXPECT_TRUE(host.runner().Stop(seconds(20)).empty());
  EXPECT_EQ(host.Report("sleeps").state, "stopped");
}

TEST_F(RunnerTest, ARunThatEndsInTheSecondHalfOfTheTimeIsWrittenDown) {
  std::atomic<int> pid{0};
  LambdaWorker worker("late", [&](const Tick& tick) {
    summa::Session session(tick.sql());
    pid = session.Exec("SELECT pg_backend_pid()").Value<std::int32_t>();
    EXPECT_THROW(session.Exec("SELECT pg_sleep(600)"), summa::Error);
    return TickResult{};
  });
  RunningHost host(settings_, "host-a", {worker.Periodic(kDay)});
  host.runner().Start();
  Until([&] { return pid != 0 && Waiting(pid, "Timeout"); }, "the worker to sleep in the server");
  EXPECT_TRUE(host.runner().Stop(seconds(20)).empty());
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.worker_state WHERE next_due_at > now() + "
                       "interval '17 hours'"),
            1);
}

// Each statement about the worker has five seconds, and there are several. A busy machine makes a
// round slower, none quicker.
TEST_F(RunnerTest, AWorkerWhoseRunCannotBeWrittenDownIsNotGivenUp) {
  settings_.lock_timeout = test::kTimeout;
  std::vector<std::string> left{"none tried"};
  for (int round = 0; round < 3 && !left.empty(); ++round) {
    std::atomic<bool> waits{false};
    LambdaWorker worker("writes", [&](const Tick& tick) {
      waits = true;
      tick.Wait(std::chrono::hours(1));
      return TickResult{};
    });
    auto host = std::make_unique<RunningHost>(settings_, "host-" + std::to_string(round),
                                              std::vector<WorkerPlan>{worker.Periodic(kDay)});
    host->runner().Start();
    Until([&] { return waits.load(); }, "the worker to wait");
    test::Db blocker(settings_.url);
    blocker.Execute(
        "BEGIN; LOCK TABLE summa_host.worker_state, summa_host.worker_start IN ACCESS EXCLUSIVE "
        "MODE");
    left = host->runner().Stop(seconds(9));
    if (!left.empty()) static_cast<void>(host.release());  // its thread may still use it
    blocker.Execute("ROLLBACK");
  }
  EXPECT_TRUE(left.empty());
}

TEST_F(RunnerTest, AWorkerThatNeverEndsIsNamedItsLeaseExpiresAndAnotherHostTakesOver) {
  auto release = std::make_shared<std::promise<void>>();
  auto returned = std::make_shared<std::promise<void>>();
  std::atomic<bool> stuck{false};
  LambdaWorker hanging("hangs", [&, release, returned](const Tick& tick) {
    stuck = true;
    release->get_future().wait();
    EXPECT_TRUE(tick.ShouldStop());
    returned->set_value();
    return TickResult{1, true, std::nullopt};
  });
  LambdaWorker other("other", [](const Tick&) { return TickResult{}; });
  std::atomic<int> took_over{0};
  LambdaWorker heir("hangs", [&](const Tick& tick) {
    EXPECT_EQ(tick.fence(), 2);
    EXPECT_TRUE(took_over > 0 || tick.new_lease());
    ++took_over;
    return TickResult{};
  });
  WorkerPlan short_lease = hanging.Continuous();
  short_lease.lease_ttl = seconds(15);
  auto first = std::make_unique<RunningHost>(
      settings_, "host-a", std::vector<WorkerPlan>{short_lease, other.Continuous()});
  RunningHost second(settings_, "host-b", {heir.Continuous()});
  first->runner().Start();
  Until([&] { return stuck.load(); }, "the worker to hang");
  Until([&] { return first->Report("other").runs > 0; }, "the other one to work");
  second.runner().Start();

  const auto begin = std::chrono::steady_clock::now();
  const std::vector<std::string> left = first->runner().Stop(seconds(5));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, test::kTimeout);
  EXPECT_EQ(left, std::vector<std::string>{"hangs"});
  EXPECT_EQ(db_->Value("SELECT lease_until > clock_timestamp() FROM worker_lease "
                       "WHERE worker_id = 'hangs' AND lease_holder = 'host-a'"),
            "t");
  EXPECT_EQ(took_over, 0);
  first.reset();  // renews no more, like a process that has ended

  Until([&] { return took_over > 0; }, "the other host to take over");
  // The abandoned one comes back after all and must touch nothing of its host.
  release->set_value();
  returned->get_future().wait();
  EXPECT_TRUE(second.runner().Stop(kDrain).empty());
}

TEST_F(RunnerTest, AStopDuringAnErrorBackoffIsImmediate) {
  LambdaWorker worker("fails", [](const Tick&) -> TickResult { throw std::runtime_error("no"); });
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  host.runner().Start();
  Until([&] { return host.Report("fails").runs >= 3; }, "some failures");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kDrain / 2);
}

TEST_F(RunnerTest, AStandbyStopsAtOnce) {
  LambdaWorker worker("taken", [](const Tick&) { return TickResult{}; });
  db_->Execute(
      "INSERT INTO worker_lease (worker_id, lease_holder, lease_until) VALUES "
      "('taken', 'somebody', now() + interval '1 hour')");
  RunningHost host(settings_, "host-a", {worker.Continuous()});
  host.runner().Start();
  Until([&] { return host.Report("taken").state == "standby"; }, "standby");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kDrain / 2);
  EXPECT_EQ(db_->Value("SELECT lease_holder FROM worker_lease"), "somebody");
}

TEST_F(RunnerTest, AWorkerIsToldToStopWhenItsLeaseIsLost) {
  std::atomic<int> ticks{0};
  std::atomic<bool> told{false};
  LambdaWorker worker("robbed", [&](const Tick& tick) {
    if (++ticks == 1) told = tick.Wait(std::chrono::hours(1));
    return TickResult{};
  });
  WorkerPlan plan = worker.Continuous();
  plan.lease_ttl = seconds(15);
  RunningHost host(settings_, "host-a", {plan});
  host.runner().Start();
  Until([&] { return ticks == 1; }, "the worker to wait");
  db_->Execute(
      "UPDATE worker_lease SET lease_holder = 'thief', "
      "lease_until = now() + interval '300 milliseconds'");
  Until([&] { return told.load(); }, "the worker to be told");
  Until([&] { return ticks > 1; }, "the lease to be taken back");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

}  // namespace
}  // namespace summa::host
