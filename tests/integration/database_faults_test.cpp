// What a session says when its server goes away, in every state.
#include <signal.h>

#include <future>
#include <thread>

#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

class FaultTest : public DatabaseTest {
 protected:
  FaultTest() {
    db_->Execute("CREATE TABLE item (id integer)");
    session_ = ConnectSession(settings_);
  }
  void Run(std::string_view sql) { session_->Exec(sql, {}, 0); }
  // The failure of `action`, during which `meanwhile` happens once the backend waits.
  SqlFailure During(const std::function<void()>& action, const std::function<void()>& meanwhile,
                    const char* wait = "Timeout") {
    std::unique_ptr<SqlFailure> failure;
    const int pid = session_->backend_pid();
    std::thread worker([&] { failure = std::make_unique<SqlFailure>(CatchSql(action)); });
    EXPECT_TRUE(test::BecomesTrue([&] { return Waiting(pid, wait); }));
    meanwhile();
    worker.join();
    return *failure;
  }
  void ExpectDead() {
    EXPECT_TRUE(session_->broken());
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(CatchSql([&] { Run("SELECT 1"); }).error().code, "SH-0402");
      EXPECT_EQ(CatchSql([&] { session_->Begin(TransactionMode::kReadOnly); }).error().code,
                "SH-0402");
    }
  }

  std::unique_ptr<Session> session_;
};

TEST_F(FaultTest, KilledWhileIdleIsAnErrorAndNeverAReconnect) {
  Kill(session_->backend_pid());
  const auto failure = CatchSql([&] { Run("SELECT 1"); });
  EXPECT_EQ(failure.error().code, "SH-0402");
  EXPECT_EQ(failure.sqlstate(), "57P01");  // the last that the server said
  ExpectDead();
}

TEST_F(FaultTest, KilledInsideATransactionIsKnownToHaveCommittedNothing) {
  session_->Begin(TransactionMode::kReadWrite);
  Run("INSERT INTO item VALUES (1)");
  Kill(session_->backend_pid());
  EXPECT_EQ(CatchSql([&] { session_->Commit(nullptr); }).error().code, "SH-0402");
  ExpectDead();
  EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 0);
}

TEST_F(FaultTest, KilledDuringAStatement) {
  const int pid = session_->backend_pid();
  const auto failure = During([&] { Run("SELECT pg_sleep(60)"); }, [&] { Kill(pid); });
  EXPECT_EQ(failure.error().code, "SH-0402");
  EXPECT_NE(failure.error().message.find("57P01"), std::string::npos) << failure.what();
  ExpectDead();
}

TEST_F(FaultTest, LostDuringTheCommitOfAReadOnlyTransactionIsNoDoubt) {
  session_->Begin(TransactionMode::kReadOnly);
  const int pid = session_->backend_pid();
  kill(pid, SIGSTOP);
  std::thread killer([&] {
    db_->Query("SELECT pg_terminate_backend($1::int)", {std::to_string(pid)});
    kill(pid, SIGCONT);
  });
  const auto failure = CatchSql([&] { session_->Commit(nullptr); });
  killer.join();
  EXPECT_EQ(failure.error().code, "SH-0402") << failure.what();
  ExpectDead();
}

TEST_F(FaultTest, DeferredConstraintThatFailsAtCommitIsADefiniteFailure) {
  db_->Execute(
      "CREATE TABLE parent (id integer PRIMARY KEY); CREATE TABLE child (id integer "
      "REFERENCES parent DEFERRABLE INITIALLY DEFERRED)");
  session_->Begin(TransactionMode::kReadWrite);
  Run("INSERT INTO child VALUES (1)");
  EXPECT_EQ(CatchSql([&] { session_->Commit(nullptr); }).sqlstate(), "23503");
  EXPECT_FALSE(session_->in_transaction());
  EXPECT_FALSE(session_->broken());
}

TEST_F(FaultTest, IdleLimitOfTheServerEndsTheTransactionWithoutDoubt) {
  const int pid = session_->backend_pid();
  session_->Begin(TransactionMode::kReadWrite);
  Run("INSERT INTO item VALUES (1)");
  Run("SET LOCAL idle_in_transaction_session_timeout = '50ms'");  // from here on
  test::WaitUntil(
      [&] {
        return db_->Count("SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int",
                          {std::to_string(pid)}) == 0;
      },
      test::kTimeout, "the idle limit");
  const auto failure = CatchSql([&] { session_->Commit(nullptr); });
  EXPECT_EQ(failure.error().code, "SH-0402");
  EXPECT_EQ(failure.sqlstate(), kIdleTooLong) << failure.what();
  EXPECT_NE(failure.error().message.find("25P03"), std::string::npos) << failure.what();
}

TEST_F(FaultTest, CancelEndsTheStatementAndTheSessionGoesOn) {
  const auto failure = During([&] { Run("SELECT pg_sleep(60)"); }, [&] { session_->Cancel(); });
  EXPECT_EQ(failure.sqlstate(), "57014");
  EXPECT_EQ(failure.error().code, "SH-0409");
  session_->Cancel();  // nothing runs: no effect on what comes
  Run("SELECT 1");
}

TEST_F(FaultTest, StatementTimeoutIsNotTakenForACancel) {
  settings_.statement_timeout = std::chrono::milliseconds(30);
  session_ = AtLast([&] { return ConnectSession(settings_); });
  const auto failure = CatchSql([&] { Run("SELECT pg_sleep(60)"); });
  EXPECT_EQ(failure.sqlstate(), "57014");
  EXPECT_EQ(failure.error().code, "SH-0410");
}

TEST_F(FaultTest, CancelEndsTheWaitForAFrozenServer) {
  const int pid = session_->backend_pid();
  const auto failure = During([&] { Run("SELECT pg_sleep(60)"); },
                              [&] {
                                kill(pid, SIGSTOP);
                                session_->Cancel();
                              });
  kill(pid, SIGCONT);
  EXPECT_EQ(failure.error().code, "SH-0402");
  EXPECT_TRUE(session_->broken());
}

// The server takes no request to cancel either. Nobody who runs is waited for.
TEST_F(FaultTest, CancelEndsTheWaitForAServerOfWhichEveryProcessIsFrozen) {
  const pid_t pid = session_->backend_pid(), postmaster = Server().Pid();
  const auto thaw = [&] {
    kill(pid, SIGCONT);
    kill(postmaster, SIGCONT);
  };
  std::promise<void> ended;
  std::thread rescue([&, end = ended.get_future()] {
    end.wait_for(test::kTimeout);
    thaw();
  });
  const auto failure = During([&] { Run("SELECT pg_sleep(60)"); },
                              [&] {
                                kill(postmaster, SIGSTOP);
                                kill(pid, SIGSTOP);
                                session_->Cancel();
                              });
  ended.set_value();
  rescue.join();
  EXPECT_EQ(failure.error().code, "SH-0402") << failure.what();
  EXPECT_TRUE(session_->broken());
}

}  // namespace
}  // namespace summa::host
