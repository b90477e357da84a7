// A server that takes what is sent to it and answers nothing, or only slowly.
#include <signal.h>

#include <future>

#include "host/database/control_connection.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SilenceTest : public DatabaseTest {
 protected:
  SilenceTest() {
    settings_.silence = milliseconds(300);
    settings_.connect_timeout = test::kTimeout;
    session_ = ConnectSession(settings_);
  }
  void TearDown() override { Server().Thaw(); }

  // The failure of `action`, which begins on a server that is frozen as a whole. It comes while
  // the server is still frozen.
  SqlFailure WhileFrozen(const std::function<void()>& action) {
    Server().Freeze();
    auto failure = std::async(std::launch::async, [&] { return CatchSql(action); });
    EXPECT_EQ(failure.wait_for(test::kTimeout), std::future_status::ready);
    Server().Thaw();
    return failure.get();
  }
  static void ExpectSilent(const SqlFailure& failure) {
    EXPECT_EQ(failure.error().code, "SH-0402") << failure.what();
    EXPECT_EQ(ExitCode(failure.error()), 69);
    EXPECT_NE(failure.error().message.find("silent"), std::string::npos) << failure.what();
  }

  std::unique_ptr<Session> session_;
};

TEST_F(SilenceTest, EveryKindOfStatementEndsOnAFrozenServer) {
  const auto exec = [&](const char* sql) { session_->Exec(sql, {}, 0); };
  const std::vector<std::function<void()>> statements = {
      [&] { exec("SELECT 1"); }, [&] { session_->Begin(TransactionMode::kReadWrite); },
      [&] { session_->CopyOut("COPY outbox TO STDOUT", [](std::string_view) { return false; }); },
      [&] {
        const std::string chunk(1 << 20, 'x');
        session_->CopyIn("COPY pg_temp.copied FROM STDIN", [&] { return std::optional(chunk); });
      }};
  for (const auto& statement : statements) {
    session_ = ConnectSession(settings_);
    ExpectSilent(WhileFrozen(statement));
    EXPECT_TRUE(session_->broken());
  }
}

TEST_F(SilenceTest, AReadOnlyTransactionWithoutATimeoutEndsToo) {
  session_->Begin(TransactionMode::kReadOnly);
  session_->Exec("SET LOCAL statement_timeout = 0", {}, 0);
  ExpectSilent(WhileFrozen([&] { session_->Commit(nullptr); }));
}

TEST_F(SilenceTest, TheControlPlaneEnds) {
  ControlConnection control(settings_);
  ExpectSilent(WhileFrozen([&] { control.Run([](ControlTransaction&) {}); }));
}

TEST_F(SilenceTest, ASlowStatementOfAServerThatAnswersOthersIsWaitedFor) {
  settings_.silence = DatabaseSettings().silence;  // a look must come through
  session_ = ConnectSession(settings_);
  session_->Exec("SELECT pg_sleep(7)", {}, 0);
  EXPECT_FALSE(session_->broken());
}

// A server that can give no other connection answers, too.
TEST_F(SilenceTest, AServerWithoutFreeConnectionsIsNotSilent) {
  settings_.silence = DatabaseSettings().silence;  // a look must come through
  session_ = ConnectSession(settings_);
  test::Db admin(Server().Url("postgres"));
  admin.Execute("ALTER DATABASE " + name_ + " ALLOW_CONNECTIONS false");
  session_->Exec("SELECT pg_sleep(7)", {}, 0);
  admin.Execute("ALTER DATABASE " + name_ + " ALLOW_CONNECTIONS true");
  EXPECT_FALSE(session_->broken());
}

TEST_F(SilenceTest, ABackendThatIsFrozenAloneEndsAfterTheTimeoutOfItsStatements) {
  settings_.silence = DatabaseSettings().silence;  // a look must come through
  settings_.statement_timeout = milliseconds(100);
  session_ = AtLast([&] { return ConnectSession(settings_); });
  const int pid = session_->backend_pid();
  kill(pid, SIGSTOP);
  const SqlFailure failure = CatchSql([&] { session_->Exec("SELECT 1", {}, 0); });
  kill(pid, SIGCONT);
  EXPECT_EQ(failure.error().code, "SH-0402") << failure.what();
  EXPECT_NE(failure.error().message.find("in time"), std::string::npos) << failure.what();
}

TEST_F(SilenceTest, WhatThePoolHasOfASilentServerIsHandedToNobody) {
  SessionPool pool(settings_);
  auto busy = pool.Acquire(), idle = pool.Acquire();
  const int silent = idle->backend_pid();
  pool.Release(std::move(idle));
  ExpectSilent(WhileFrozen([&] { busy->Exec("SELECT 1", {}, 0); }));
  pool.Release(std::move(busy));
  idle = pool.Acquire(test::kTimeout);
  EXPECT_NE(idle->backend_pid(), silent);
  pool.Release(std::move(idle));
}

}  // namespace
}  // namespace summa::host
