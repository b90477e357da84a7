// A real hot standby beside its primary: no session of the ledger is ever on it.
#include <memory>

#include "host/abi/sql_service.hpp"
#include "host/database/control_connection.hpp"
#include "host/database/deadline_connection.hpp"
#include "host/database/worker_store.hpp"
#include "summa/sql.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

using std::chrono::seconds;

class StandbyTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    test::PostgresOptions options;
    options.tcp = true;
    primary_ = new test::PostgresServer(options);
    primary_->CreateDatabase("ledger");
    primary_->RunSqlFile("ledger", test::SourceDir() + "/tests/fixture/ledger.sql");
    DatabaseSettings settings;
    settings.url = primary_->Url("ledger");
    ControlPlane(settings).Migrate();
    options.standby_of = primary_;
    standby_ = new test::PostgresServer(options);
  }
  static void TearDownTestSuite() {
    delete standby_;
    delete primary_;
  }
  StandbyTest() {
    settings_.url = "postgresql://postgres@127.0.0.1:" + std::to_string(standby_->Port()) +
                    ",127.0.0.1:" + std::to_string(primary_->Port()) + "/ledger";
    alone_.url = standby_->TcpUrl("ledger");
  }
  // The port of the server that a new session is on.
  std::string PortOf(Session& session) {
    return std::string(*session.Exec("SELECT inet_server_port()", {}, 0)->Cell(0, 0));
  }

  static test::PostgresServer *primary_, *standby_;
  DatabaseSettings settings_, alone_;
};

test::PostgresServer* StandbyTest::primary_ = nullptr;
test::PostgresServer* StandbyTest::standby_ = nullptr;

TEST_F(StandbyTest, EveryConnectionGoesOnToThePrimary) {
  const std::string primary = std::to_string(primary_->Port());
  EXPECT_EQ(PortOf(*ConnectSession(settings_)), primary);
  ControlConnection control(settings_);
  EXPECT_EQ(control.server(), "primary 127.0.0.1:" + primary);
  WakeUp never;
  const auto deadline = std::chrono::steady_clock::now() + test::kTimeout;
  EXPECT_EQ(DeadlineConnection(settings_, never, deadline)
                .Query("SELECT inet_server_port()", {}, deadline)
                .at(0)
                .at(0),
            primary);
}

TEST_F(StandbyTest, AStandbyAloneIsAnOutageThatSaysSo) {
  for (const auto& connect : std::vector<std::function<void()>>{
           [&] { ConnectSession(alone_); }, [&] { WorkerStore(alone_).Workers(); },
           [&] { SessionPool(alone_).Acquire(); }}) {
    const SqlFailure failure = CatchSql(connect);
    EXPECT_EQ(failure.error().code, "SH-0423") << failure.what();
    EXPECT_EQ(ExitCode(failure.error()), 69);
    EXPECT_NE(failure.error().message.find("standby"), std::string::npos) << failure.what();
  }
}

TEST_F(StandbyTest, AStandbyAloneIsAnOutageToPluginsToo) {
  SqlService service({{"ledger", std::make_shared<SessionPool>(alone_)}});
  try {
    summa::Session session(service.unleased());
    ADD_FAILURE() << "a session of the ledger on a standby";
  } catch (const summa::Error& error) {
    EXPECT_EQ(error.status(), SUMMA_E_UNAVAILABLE) << error.what();
    EXPECT_EQ(error.code(), "SH-0423");
  }
}

// After a restart of the primary, that is: while it is away nobody settles on the standby.
TEST_F(StandbyTest, SessionsComeBackToThePrimaryThatWasAway) {
  SessionPool pool(settings_);
  pool.Release(pool.Acquire());
  primary_->StopFast();
  const SqlFailure failure = CatchSql([&] { pool.Acquire(seconds(1)); });
  EXPECT_TRUE(failure.error().code == "SH-0423" || failure.error().code == "SH-0402")
      << failure.what();
  primary_->Start();
  std::unique_ptr<Session> session;
  test::WaitUntil(
      [&] {
        try {
          session = pool.Acquire(seconds(1));
          return true;
        } catch (const SqlFailure&) {
          return false;
        }
      },
      test::kTimeout, "the primary");
  EXPECT_EQ(PortOf(*session), std::to_string(primary_->Port()));
  session->Begin(TransactionMode::kReadWrite);
  session->Exec("CREATE TABLE IF NOT EXISTS proof ()", {}, 0);
  session->Commit(nullptr);
}

// A session that may read anywhere, and then writes.
TEST_F(StandbyTest, AWriteOnAStandbyIsNoDefect) {
  alone_.must_write = false;
  for (const auto& write : std::vector<std::function<void(Session&)>>{
           [](Session& session) { session.Begin(TransactionMode::kReadWrite); },
           [](Session& session) { session.Exec("DELETE FROM outbox", {}, 0); },
           [](Session& session) { session.Exec("SELECT pg_current_xact_id()", {}, 0); },
           [](Session& session) {
             session.Begin(TransactionMode::kReadOnly);
             session.Exec("SELECT 1 FROM outbox FOR UPDATE", {}, 0);
           }}) {
    const auto session = ConnectSession(alone_);
    const SqlFailure failure = CatchSql([&] { write(*session); });
    EXPECT_EQ(failure.error().code, "SH-0423") << failure.what();
    EXPECT_TRUE(session->broken()) << "the next one looks for the primary";
  }
}

TEST_F(StandbyTest, TheReadDatabaseMayBeAStandby) {
  const std::string standby = std::to_string(standby_->Port()),
                    primary = std::to_string(primary_->Port());
  settings_.must_write = false;
  const std::string both = settings_.url;
  const std::string turned =
      "postgresql://postgres@127.0.0.1:" + primary + ",127.0.0.1:" + standby + "/ledger";
  struct Case {
    std::string url, target, port;
  };
  for (const auto& [url, target, port] :
       {Case{turned, "standby", standby}, Case{turned, "read-only", standby},
        Case{turned, "prefer-standby", standby}, Case{both, "primary", primary},
        Case{both, "read-write", primary}, Case{both, "any", standby}}) {
    settings_.url = url + "?target_session_attrs=" + target;
    EXPECT_EQ(PortOf(*ConnectSession(settings_)), port) << target;
  }
}

// The last one: it leaves two primaries.
TEST_F(StandbyTest, YieldsToAPromotion) {
  SessionPool pool(settings_);
  pool.Release(pool.Acquire());
  primary_->KillNine();
  EXPECT_THROW(pool.Acquire(seconds(1)), SqlFailure);
  standby_->Promote();
  std::unique_ptr<Session> session;
  test::WaitUntil(
      [&] {
        try {
          session = pool.Acquire(seconds(1));
          return true;
        } catch (const SqlFailure&) {
          return false;
        }
      },
      test::kTimeout, "the new primary");
  EXPECT_EQ(PortOf(*session), std::to_string(standby_->Port()));
  primary_->Start();
}

}  // namespace
}  // namespace summa::host
