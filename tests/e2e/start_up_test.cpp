// What passes at start is waited for, as the loop does later: locks, and whoever holds them is
// named.
#include "tests/e2e/restricted_role.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;

// Above lock_timeout, which is what a start would have ended with.
constexpr std::chrono::seconds kLocked{5};

class StartUp : public RestrictedRole {
 protected:
  void SetUp() override {
    Install();
    holder_ = std::make_unique<Db>(url_);
    holder_->Execute("SET application_name = 'nightly'");
  }
  void Lock(const std::string& table) {
    holder_->Execute("BEGIN; LOCK TABLE " + table + " IN ACCESS EXCLUSIVE MODE");
    locked_at_ = std::chrono::steady_clock::now();
  }
  void Unlock() { holder_->Execute("COMMIT"); }
  void WaitForLine(RunningHost& host, const std::string& text) {
    WaitUntil([&] { return host.process().Stderr().find(text) != std::string::npos; }, kTimeout,
              "\"" + text + "\" in the log");
  }
  std::string Holder() { return "pid " + std::to_string(holder_->BackendPid()) + " (nightly"; }

  std::unique_ptr<Db> holder_;
  std::chrono::steady_clock::time_point locked_at_;
};

TEST_F(StartUp, WaitsForALockOnTheMigrationsAndNamesItsHolder) {
  Lock("summa_host.schema_migration");
  const TemporaryFile file("summa.yaml", Configuration());
  RunningHost host({"-c", file.Path()});
  host.StatusWhen("waiting for database");
  WaitForLine(host, Holder());
  EXPECT_THAT(host.process().Stderr(), HasSubstr("SH-0410"));
  EXPECT_THAT(host.process().Stderr(),
              HasSubstr("holds AccessExclusiveLock on summa_host.schema_migration"));
  WaitUntil([&] { return std::chrono::steady_clock::now() - locked_at_ > kLocked; }, kTimeout,
            "longer than any timeout of one attempt");
  EXPECT_TRUE(host.process().Running()) << host.process().Stderr();
  Unlock();
  host.StatusWhen("running");
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0);
}

TEST_F(StartUp, OnceWaitsNotLongerThanItWasTold) {
  Lock("summa_host.schema_migration");
  const RunResult run = Run({"run", "--once", "--wait", "3s"});
  EXPECT_EQ(run.exit_code, 75) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("SH-0410"));
  EXPECT_GE(std::chrono::steady_clock::now() - locked_at_, std::chrono::seconds(3));
  const TemporaryFile file("summa.yaml", Configuration());
  RunningHost patient({"--once", "--wait", "60s", "-c", file.Path()});
  WaitForLine(patient, Holder());
  Unlock();
  EXPECT_EQ(patient.process().WaitOrKill(kTimeout), 0) << patient.process().Stderr();
  EXPECT_EQ(Pending(), 0);
}

TEST_F(StartUp, AStopIsHeardWhileItWaits) {
  Lock("summa_host.schema_migration");
  const TemporaryFile file("summa.yaml", Configuration());
  RunningHost host({"-c", file.Path()});
  WaitForLine(host, Holder());
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
}

TEST_F(StartUp, ADeadlineEndsTheWait) {
  Lock("summa_host.schema_migration");
  const TemporaryFile file("summa.yaml", Configuration());
  RunningHost host({"--for", "3s", "-c", file.Path()});
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 75) << host.process().Stderr();
}

TEST_F(StartUp, VerbsWaitForALock) {
  Lock("summa_host.schema_migration");
  const TemporaryFile file("summa.yaml", Configuration());
  Process verb({SummaHostPath(), "outbox", "status", "-c", file.Path()}, CleanEnvironment());
  WaitUntil([&] { return verb.Stderr().find(Holder()) != std::string::npos; }, kTimeout,
            "the verb that names the holder");
  Unlock();
  EXPECT_EQ(verb.WaitOrKill(kTimeout), 0) << verb.Stderr();
}

TEST_F(StartUp, WaitsForAnotherMigration) {
  db_->Execute("DROP SCHEMA summa_host CASCADE");
  holder_->Execute("SELECT pg_advisory_lock(7308332246085722)");
  std::string configuration = Configuration("postgres");
  configuration.insert(configuration.find(" }\nhost"), ", migrate: auto");
  const TemporaryFile file("summa.yaml", configuration);
  RunningHost host({"-c", file.Path()});
  host.StatusWhen("waiting for database");
  holder_->Execute("SELECT pg_advisory_unlock(7308332246085722)");
  host.StatusWhen("running");
}

TEST_F(StartUp, WaitsForALockedLeaseTable) {
  Lock("worker_lease");
  const TemporaryFile file("summa.yaml", Configuration());
  RunningHost host({"-c", file.Path()});
  host.StatusWhen("running");
  WaitForLine(host, "SH-0");
  EXPECT_TRUE(host.process().Running());
  Unlock();
  WaitUntil([&] { return Pending() == 0; }, kTimeout, "the outbox to be delivered");
}

}  // namespace
}  // namespace summa::test
