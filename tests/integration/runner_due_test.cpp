// When periodic workers run: times of the day, missed due times, changed schedules.
#include <atomic>

#include "host/observe/metrics.hpp"
#include "tests/integration/runner_support.hpp"

namespace summa::host {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class RunnerDueTest : public RunnerTest {
 protected:
  // Of the database's day, `from_now` later.
  Microseconds TimeOfDay(Microseconds from_now) {
    const long long now = db_->Count(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint % 86400000000");
    return Microseconds((now + from_now.count() + kDay.count()) % kDay.count());
  }
  std::string Next(const std::string& times, const std::string& after) {
    return db_->Value(
        "SELECT summa_host.next_time_of_day($1::bigint[], $2::timestamptz) AT TIME "
        "ZONE 'UTC'",
        {times, after});
  }
  static WorkerPlan At(const LambdaWorker& worker, std::vector<Microseconds> times) {
    WorkerPlan plan = worker.Periodic(kDay);
    plan.times = std::move(times);
    plan.jitter = 0;
    return plan;
  }
  void WaitsUntilDue(RunningHost& host, const std::string& id) {
    Until(
        [&] {
          const WorkerReport report = host.Report(id);
          return report.state == "waiting" && !report.next_due_at.empty();
        },
        "the worker to wait for its due time");
  }
};

TEST_F(RunnerDueTest, TheNextTimeIsOfTheDayInUtcWhateverTheSessionThinks) {
  for (const char* zone : {"UTC", "Asia/Tokyo", "America/St_Johns"}) {
    db_->Execute(std::string("SET TimeZone = '") + zone + "'");
    EXPECT_EQ(Next("{10800000000}", "2026-03-01 02:59:59.999999+00"), "2026-03-01 03:00:00");
    EXPECT_EQ(Next("{10800000000}", "2026-03-01 03:00:00+00"), "2026-03-02 03:00:00");
    EXPECT_EQ(Next("{10800000000,54000000000}", "2026-12-31 14:00:00+00"), "2026-12-31 15:00:00");
    EXPECT_EQ(Next("{10800000000,54000000000}", "2026-12-31 15:00:00+00"), "2027-01-01 03:00:00");
    EXPECT_EQ(Next("{0}", "2026-02-28 23:59:59+00"), "2026-03-01 00:00:00");
    // No hour is left out or doubled when the clocks of people change.
    EXPECT_EQ(Next("{9000000000}", "2026-03-29 01:00:00+01"), "2026-03-29 02:30:00");
  }
}

TEST_F(RunnerDueTest, AWorkerThatNeverRanWaitsForItsTime) {
  std::atomic<int> runs{0};
  LambdaWorker worker("nightly", [&](const Tick&) {
    ++runs;
    return TickResult{};
  });
  const std::vector<Microseconds> times = {TimeOfDay(hours(12))};
  for (const char* name : {"host-a", "host-b"}) {  // a restart changes nothing
    RunningHost host(settings_, name, {At(worker, times)});
    host.runner().Start();
    WaitsUntilDue(host, "nightly");
    EXPECT_TRUE(host.runner().Stop(kDrain).empty());
  }
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(db_->Value("SELECT (extract(epoch FROM next_due_at) * 1000000)::bigint % 86400000000 "
                       "FROM summa_host.worker_state"),
            std::to_string(times[0].count()));
}

TEST_F(RunnerDueTest, AWorkerRunsOnceAtItsTimeAndIsThenDueTomorrow) {
  std::atomic<int> runs{0};
  Microseconds time{0};
  LambdaWorker worker("nightly", [&](const Tick&) {
    // Not before its time; half a day tells before from after.
    test::Db clock(settings_.url);
    const Microseconds now(clock.Count(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint % 86400000000"));
    EXPECT_LT((now - time + kDay) % kDay, kDay / 2);
    ++runs;
    return TickResult{};
  });
  const auto is_due_tomorrow = [&] {
    return db_->Count(
               "SELECT count(*) FROM summa_host.worker_state WHERE next_due_at > now() + "
               "interval '12 hours'") == 1;
  };
  // Where the hosts start so slowly that the time is over, they are given more of it.
  for (seconds lead{2}; runs == 0 && lead <= seconds(60); lead *= 3) {
    db_->Execute("DELETE FROM summa_host.worker_state");
    time = TimeOfDay(lead);
    RunningHost first(settings_, "host-a", {At(worker, {time})});
    RunningHost second(settings_, "host-b", {At(worker, {time})});
    first.runner().Start();
    second.runner().Start();
    test::WaitUntil(is_due_tomorrow, lead + test::kTimeout, "the time of the day to pass");
    EXPECT_TRUE(first.runner().Stop(kDrain).empty());
    EXPECT_TRUE(second.runner().Stop(kDrain).empty());
  }
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(is_due_tomorrow());
}

TEST_F(RunnerDueTest, ALateRecordDoesNotMoveTheDueTimeOfTheNextHolder) {
  std::atomic<int> runs{0};
  LambdaWorker worker("late", [&](const Tick&) {
    // As if this host had been frozen: another one got the lease and ran the worker.
    test::Db other(settings_.url);
    other.Execute(
        "UPDATE worker_lease SET lease_holder = 'other', lease_until = now() + interval '1 hour';"
        "UPDATE summa_host.worker_fence SET fence = fence + 1;"
        "UPDATE summa_host.worker_state SET next_due_at = now() + interval '1 hour'");
    ++runs;
    return TickResult{};
  });
  RunningHost host(settings_, "host-a", {worker.Periodic(kDay)});
  host.runner().Start();
  Until([&] { return runs == 1 && host.Report("late").state == "waiting"; },
        "the end of the late run");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(
      db_->Value("SELECT next_due_at < now() + interval '2 hours' AND last_success_at IS NULL "
                 "FROM summa_host.worker_state"),
      "t");
}

TEST_F(RunnerDueTest, AMissedTimeIsSkippedAndCountedOrMadeUpForOnce) {
  for (const bool once : {false, true}) {
    SCOPED_TRACE(once ? "once" : "skip");
    const std::string id = once ? "missed-once" : "missed-skip";
    std::atomic<int> runs{0};
    LambdaWorker worker(id, [&](const Tick&) {
      ++runs;
      return TickResult{};
    });
    for (const bool at : {true, false}) {
      SCOPED_TRACE(at ? "at" : "interval");
      runs = 0;
      WorkerPlan plan = at ? At(worker, {TimeOfDay(-hours(2))}) : worker.Periodic(kDay);
      plan.jitter = 0;
      plan.run_missed_once = once;
      db_->Execute("DELETE FROM summa_host.worker_state");
      db_->Execute(
          "INSERT INTO summa_host.worker_state (worker_id, plugin, kind, state, host, next_due_at) "
          "VALUES ('" +
          id + "', 'test', 'periodic', 'waiting', 'h', now() - interval '50 hours')");
      RunningHost host(settings_, "host-a", {plan});
      host.runner().Start();
      WaitsUntilDue(host, id);
      EXPECT_TRUE(host.runner().Stop(kDrain).empty());
      EXPECT_EQ(runs, once ? 1 : 0);
      EXPECT_EQ(db_->Value("SELECT next_due_at BETWEEN now() + interval '21 hours' AND now() + "
                           "interval '25 hours' FROM summa_host.worker_state"),
                "t");
    }
    const std::string counted =
        "summa_worker_runs_total{outcome=\"missed\",worker=\"" + id + "\"} ";
    const std::string text = MetricsText();
    const auto found = text.find(counted);
    ASSERT_NE(found, std::string::npos);
    EXPECT_EQ(text.substr(found + counted.size(), 2), once ? "0\n" : "2\n");
  }
}

TEST_F(RunnerDueTest, AChangedScheduleIsPlannedAnew) {
  LambdaWorker worker("changed", [](const Tick&) { return TickResult{}; });
  const auto due_in_hours = [&](WorkerPlan plan) {
    plan.jitter = 0;
    RunningHost host(settings_, "host-a", {plan});
    host.runner().Start();
    WaitsUntilDue(host, "changed");
    EXPECT_TRUE(host.runner().Stop(kDrain).empty());
    return db_->Count(
        "SELECT round(extract(epoch FROM next_due_at - now()) / 3600) FROM "
        "summa_host.worker_state");
  };
  EXPECT_EQ(due_in_hours(worker.Periodic(kDay)), 24);
  EXPECT_EQ(due_in_hours(worker.Periodic(hours(6))), 6);
  EXPECT_EQ(due_in_hours(worker.Periodic(kDay)), 6);  // what comes earlier may stay
  EXPECT_EQ(due_in_hours(At(worker, {TimeOfDay(hours(9))})), 9);
  EXPECT_EQ(due_in_hours(At(worker, {TimeOfDay(hours(4))})), 4);
}

}  // namespace
}  // namespace summa::host
