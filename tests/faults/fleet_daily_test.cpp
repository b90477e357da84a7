// A worker that is due once a day, on hosts that do not live for a day. A day is made to pass by
// moving its due time back.
#include <csignal>

#include "tests/faults/fleet.hpp"

namespace summa::test {
namespace {

constexpr const char* kWorker = "daily-writer";
constexpr int kRestartsPerDay = 4;
constexpr int kDays = 4, kSoakDays = 60;

class Daily : public FleetTest {
 protected:
  // Runs, recorded runs, and effects of runs so far.
  long long Runs() {
    return db().Count("SELECT count(*) FROM fleet.written WHERE worker = $1", {kWorker});
  }
  long long Records() {
    return db().Count("SELECT count(*) FROM fleet.due_log WHERE worker = $1", {kWorker});
  }
  long long Effects() {
    return db().Count("SELECT count(*) FROM fleet.done WHERE worker = $1", {kWorker});
  }
  void LetADayPass() {
    db().Execute("UPDATE summa_host.worker_state SET next_due_at = next_due_at - interval '1 day'");
    db().Execute("DELETE FROM fleet.due_log WHERE due < before_due");  // that was us
  }
  // The host has looked and waits for the due time.
  static void WaitUntilIdle(FleetHost& host) {
    WaitUntil([&] { return host.Status().find("\"nextDueAt\":\"") != std::string::npos; }, kTimeout,
              "the due time in /status");
  }
  void ExpectRunsAgain(const std::string& crash_at, long long committed) {
    auto host = Start(
        "killed", HostOptions{.workers = {kWorker}, .environment = {{"SUMMA_CRASH_AT", crash_at}}});
    EXPECT_EQ(host->process().WaitOrKill(kTimeout), 128 + SIGKILL);
    EXPECT_EQ(Runs(), committed);
    EXPECT_EQ(Records(), 0);
    host = Start("next", kWorker);
    WaitUntil([&] { return Records() == 1; }, kTimeout, "a recorded run");
    EXPECT_EQ(Runs(), committed + 1) << "a run that nobody recorded is repeated";
    EXPECT_EQ(Effects(), 1) << "and finds its own effect, which carries the due time";
    EXPECT_EQ(host->Terminate(), 0);
    host = Start("third", kWorker);
    WaitUntilIdle(*host);
    EXPECT_EQ(Runs(), committed + 1);
  }
};

TEST_F(Daily, RunsOncePerDayHoweverOftenItsHostRestarts) {
  const int days = Soaking() ? kSoakDays : kDays;
  for (int day = 1; day <= days; ++day) {
    for (int restart = 0; restart < kRestartsPerDay; ++restart) {
      const auto host = Start("host", kWorker);
      WaitUntil([&] { return Records() >= day; }, kTimeout, "the run of the day");
      WaitUntilIdle(*host);
      EXPECT_EQ(Runs(), day) << "restart " << restart;
      if (restart % 2 == 0) {
        host->KillNine();
      } else {
        EXPECT_EQ(host->Terminate(), 0);
      }
    }
    LetADayPass();
  }
  EXPECT_EQ(Effects(), days);
}

TEST_F(Daily, KilledBeforeItsCommitItRunsOnce) {
  ExpectRunsAgain("ledger-writer.run_written:1", 0);
}

TEST_F(Daily, KilledBetweenRunAndRecordItRunsAgainAndItsEffectIsDoneOnce) {
  ExpectRunsAgain("ledger-writer.run_committed:1", 1);
}

}  // namespace
}  // namespace summa::test
