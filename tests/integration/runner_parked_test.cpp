// Parked workers are tried again and go on when what kept them from working is gone, without a
// person.
#include <atomic>

#include "host/database/fleet_orders.hpp"
#include "tests/integration/runner_support.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;

// The first try comes after a sixteenth of it at most.
constexpr Microseconds kRetry = milliseconds(1600);

class RunnerParkedTest : public RunnerTest {
 protected:
  // What a worker fails with; none: it works.
  class Cause {
   public:
    explicit Cause(int status) : status_(status) {}
    void Gone() { status_ = SUMMA_OK; }
    void Becomes(int status) { status_ = status; }
    LambdaWorker::Function Function() {
      return [this](const Tick&) -> TickResult {
        ++calls;
        if (const int status = status_; status != SUMMA_OK) {
          throw summa::Error(status, "T-0003", "status " + std::to_string(status));
        }
        ++successes;
        return TickResult{};
      };
    }
    std::atomic<int> calls{0}, successes{0};

   private:
    std::atomic<int> status_;
  };

  static WorkerPlan Retried(WorkerPlan plan) {
    plan.park_after = 2;
    plan.retry_parked = kRetry;
    return plan;
  }
  static void UntilParked(RunningHost& host, const std::string& id) {
    Until([&] { return host.Report(id).state == "parked"; }, id + " to be parked");
  }
  long long ParkedRows() { return db_->Count("SELECT count(*) FROM summa_host.worker_parked"); }
  // Runs one statement under the worker's lease.
  static LambdaWorker::Function Running(std::string sql) {
    return [sql = std::move(sql)](const Tick& tick) {
      summa::Session session(tick.sql());
      session.Begin();
      session.Exec(sql);
      session.Commit();
      return TickResult{};
    };
  }

  FleetOrders orders_{settings_};
};

TEST_F(RunnerParkedTest, AParkedWorkerGoesOnByItselfWhenTheCauseIsGone) {
  Cause config(SUMMA_E_CONFIG), denied(SUMMA_E_DENIED), defect(SUMMA_E_INTERNAL);
  LambdaWorker a("config", config.Function()), b("denied", denied.Function()),
      c("defect", defect.Function());
  RunningHost host(settings_, "host-a",
                   {Retried(a.Continuous()), Retried(b.Periodic(kDay)), Retried(c.Continuous())});
  host.runner().Start();
  for (const char* id : {"config", "denied", "defect"}) UntilParked(host, id);
  Until([&] { return config.calls >= 3 && denied.calls >= 3 && defect.calls >= 4; },
        "two tries of each");
  EXPECT_EQ(host.Report("config").state, "parked") << "a try that fails is no end of the parking";
  EXPECT_FALSE(host.Report("config").next_due_at.empty()) << "nobody is told when it is tried";
  EXPECT_EQ(ParkedRows(), 3);
  for (Cause* cause : {&config, &denied, &defect}) cause->Gone();
  Until([&] { return host.Report("config").state == "running"; }, "the first to run again");
  Until([&] { return host.Report("denied").state == "waiting"; }, "the periodic one to have run");
  Until([&] { return host.Report("defect").state == "running"; }, "the last to run again");
  EXPECT_EQ(ParkedRows(), 0);
  EXPECT_EQ(denied.successes, 1) << "a daily worker ran more than once";
  Until([&] { return host.Report("defect").last_error.empty(); }, "its error to be forgotten");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

TEST_F(RunnerParkedTest, ATableOrAGrantThatComesLaterIsFound) {
  db_->Execute("CREATE ROLE poor LOGIN");
  db_->Execute("GRANT ALL ON ALL TABLES IN SCHEMA public, summa_host TO poor");
  db_->Execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public, summa_host TO poor");
  db_->Execute("GRANT USAGE ON SCHEMA summa_host TO poor");
  db_->Execute("CREATE TABLE secret (id int)");
  LambdaWorker table("table", Running("INSERT INTO comes_later VALUES (1)"));
  LambdaWorker grant("grant", Running("INSERT INTO secret VALUES (1)"));
  DatabaseSettings poor = settings_;
  poor.url.replace(poor.url.find("postgres@"), 8, "poor");
  RunningHost host(poor, "host-a", {Retried(table.Continuous()), Retried(grant.Periodic(kDay))});
  host.runner().Start();
  UntilParked(host, "table");
  UntilParked(host, "grant");
  db_->Execute("CREATE TABLE comes_later (id int)");
  db_->Execute("GRANT INSERT ON comes_later, secret TO poor");
  Until([&] { return host.Report("table").state == "running"; }, "the table to be found");
  Until([&] { return host.Report("grant").state == "waiting"; }, "the grant to be found");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM secret"), 1);
  EXPECT_EQ(ParkedRows(), 0);
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
  db_->Execute("DROP OWNED BY poor");
  db_->Execute("DROP ROLE poor");
}

// A full disk, one that fails, a transaction that idled or lasted too long.
TEST_F(RunnerParkedTest, WhatTheServerLacksOrEndsEarlyParksNothing) {
  db_->Execute("CREATE TABLE trouble AS SELECT 1");
  db_->Execute(
      "CREATE FUNCTION work(state text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN IF EXISTS "
      "(SELECT "
      "FROM trouble) THEN RAISE 'trouble' USING ERRCODE = state; END IF; END $$");
  for (const std::string state : {"53100", "58030", "25P03", "25P04"}) {
    std::atomic<int> calls{0};
    LambdaWorker worker("w" + state,
                        [&, run = Running("SELECT work('" + state + "')")](const Tick& tick) {
                          ++calls;
                          return run(tick);
                        });
    RunningHost host(settings_, "host-a", {Retried(worker.Continuous())});
    host.runner().Start();
    Until([&] { return calls > 4; }, state + " to be met more often than park_after");
    EXPECT_EQ(ParkedRows(), 0) << state;
    EXPECT_NE(host.Report("w" + state).last_error.find(state), std::string::npos);
    db_->Execute("DELETE FROM trouble");
    Until([&] { return host.Report("w" + state).last_error.empty(); }, state + " to be over");
    EXPECT_TRUE(host.runner().Stop(kDrain).empty());
    db_->Execute("INSERT INTO trouble VALUES (1)");
  }
}

TEST_F(RunnerParkedTest, ARestartedHostTriesWhatItHadParked) {
  Cause cause(SUMMA_E_CONFIG);
  LambdaWorker worker("parks", cause.Function());
  const WorkerPlan plan = Retried(worker.Continuous());
  {
    RunningHost host(settings_, "host-a", {plan});
    host.runner().Start();
    UntilParked(host, "parks");
    EXPECT_TRUE(host.runner().Stop(kDrain).empty());
  }
  cause.Gone();
  RunningHost again(settings_, "host-a", {plan});
  again.runner().Start();
  Until([&] { return again.Report("parks").state == "running"; }, "the restarted host to run it");
  EXPECT_EQ(ParkedRows(), 0);
  EXPECT_TRUE(again.runner().Stop(kDrain).empty());
}

TEST_F(RunnerParkedTest, WhatIsOnlyAwayAtATryIsNotParkedAnyMore) {
  Cause cause(SUMMA_E_CONFIG);
  LambdaWorker worker("parks", cause.Function());
  RunningHost host(settings_, "host-a", {Retried(worker.Continuous())});
  host.runner().Start();
  UntilParked(host, "parks");
  cause.Becomes(SUMMA_E_UNAVAILABLE);
  Until([&] { return host.Report("parks").state == "error"; }, "it to wait for what is away");
  EXPECT_EQ(ParkedRows(), 0);
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

TEST_F(RunnerParkedTest, ItIsNotTriedWhileAnotherHostRunsIt) {
  Cause cause(SUMMA_E_CONFIG);
  std::atomic<int> calls{0};
  LambdaWorker broken("parks", cause.Function());
  LambdaWorker sound("parks", [&](const Tick&) {
    ++calls;
    return TickResult{};
  });
  RunningHost first(settings_, "host-a", {Retried(broken.Continuous())});
  first.runner().Start();
  UntilParked(first, "parks");
  RunningHost second(settings_, "host-b", {sound.Continuous()});
  second.runner().Start();
  Until([&] { return calls > 0; }, "the sound host to run it");
  const int before = cause.calls;
  for (int i = 0; i < 2; ++i) {  // two planned tries later nothing was called
    const std::string planned = first.Report("parks").next_due_at;
    Until([&] { return first.Report("parks").next_due_at > planned; }, "the next try");
  }
  EXPECT_EQ(cause.calls, before);
  EXPECT_EQ(second.Report("parks").state, "running");
  EXPECT_TRUE(second.runner().Stop(kDrain).empty());
  cause.Gone();
  Until([&] { return first.Report("parks").state == "running"; }, "the first host to take over");
  EXPECT_TRUE(first.runner().Stop(kDrain).empty());
}

TEST_F(RunnerParkedTest, APausedWorkerThatIsParkedWaitsForBoth) {
  Cause cause(SUMMA_E_DENIED);
  LambdaWorker worker("parks", cause.Function());
  RunningHost host(settings_, "host-a", {Retried(worker.Continuous())});
  host.runner().Start();
  UntilParked(host, "parks");
  orders_.Pause({"parks", "test", true}, "me", "");
  Until([&] { return host.Report("parks").paused && host.Report("parks").next_due_at.empty(); },
        "the pause to be seen");
  const int before = cause.calls;
  cause.Gone();
  RunningHost once(settings_, "host-a", {Retried(worker.Continuous())});
  EXPECT_EQ(once.runner().RunOnce(kDrain, [] { return false; }).at(0).outcome, "skipped");
  EXPECT_EQ(cause.calls, before);
  EXPECT_TRUE(orders_.Resume("parks"));
  Until([&] { return host.Report("parks").state == "running"; }, "it to run again");
  EXPECT_TRUE(host.runner().Stop(kDrain).empty());
}

TEST_F(RunnerParkedTest, OnceTriesWhatAHostOfItsNameHadParked) {
  Cause cause(SUMMA_E_CONFIG);
  LambdaWorker worker("parks", cause.Function());
  const WorkerPlan plan = Retried(worker.Periodic(kDay));
  orders_.Park({"parks", "test", false}, "host-a", "T-0003 earlier");
  RunningHost first(settings_, "host-a", {plan});
  const OnceReport failed = first.runner().RunOnce(kDrain, [] { return false; }).at(0);
  EXPECT_EQ(failed.outcome, "error");
  EXPECT_EQ(failed.exit_code, SUMMA_E_CONFIG);
  EXPECT_EQ(ParkedRows(), 1);
  cause.Gone();
  RunningHost second(settings_, "host-a", {plan});  // as every process runs once
  EXPECT_EQ(second.runner().RunOnce(kDrain, [] { return false; }).at(0).outcome, "ok");
  EXPECT_EQ(ParkedRows(), 0);
}

}  // namespace
}  // namespace summa::host
