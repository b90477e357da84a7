// summa.sql/1 as a plugin sees it, through the SDK's skin.
#include <thread>

#include "host/abi/sql_service.hpp"
#include "summa/sql.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

class ServiceTest : public DatabaseTest {
 protected:
  ServiceTest() {
    settings_.pool = 3;
    db_->Execute("CREATE TABLE item (id integer)");
    pool_ = std::make_shared<SessionPool>(settings_);
    service_ = std::make_unique<SqlService>(
        std::map<std::string, std::shared_ptr<SessionPool>>{{"ledger", pool_}});
  }
  static int StatusOf(const std::function<void()>& action) {
    try {
      action();
    } catch (const summa::Error& error) {
      return error.status();
    }
    return SUMMA_OK;
  }
  void HoldLease() {
    db_->Execute(
        "INSERT INTO worker_lease VALUES ('w', 'me', now() + interval '1 min'); INSERT "
        "INTO summa_host.worker_fence VALUES ('w', 3)");
  }
  int Sessions() {
    return static_cast<int>(
        db_->Count("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                   "'summa-host/test' AND datname = current_database()"));
  }

  std::shared_ptr<SessionPool> pool_;
  std::unique_ptr<SqlService> service_;
  const LeaseGuard guard_{"w", "me", 3};
};

TEST_F(ServiceTest, ReadsAndCommitsUnderALease) {
  HoldLease();
  auto scope = service_->ForLease(guard_);
  summa::Session session(scope->table());
  session.Begin();
  EXPECT_EQ(session.Exec("INSERT INTO item VALUES ($1), ($2)", {1, 2}).affected_rows(), 2);
  session.Commit();
  EXPECT_EQ(session.Exec("SELECT count(*) FROM item").At(0, 0).Integer(), 2);
  summa::Session read(scope->table(), "read");
  EXPECT_EQ(read.Exec("SELECT 1::int8").At(0, 0).Integer(), 1);
}

TEST_F(ServiceTest, TransactionUnderALeaseIdlesForLessThanTheLease) {
  HoldLease();
  LeaseGuard guard = guard_;
  guard.time_to_live = std::chrono::seconds(8);
  auto scope = service_->ForLease(guard);
  summa::Session session(scope->table());
  const auto show = [&](const std::string& name) {
    return std::string(session.Exec("SELECT current_setting($1)", {name}).At(0, 0).Text());
  };
  session.Begin();
  EXPECT_EQ(show("idle_in_transaction_session_timeout"), "7s");
  EXPECT_EQ(show("statement_timeout"), "1min");
  EXPECT_EQ(show("lock_timeout"), "2s");
  EXPECT_EQ(show("default_transaction_read_only"), "on");
  session.Commit();
  EXPECT_EQ(show("idle_in_transaction_session_timeout"), "10s");
  // A plugin that stands still in a transaction: the server ends it before the lease would end.
  session.Begin();
  session.Exec("INSERT INTO item VALUES (1)");
  EXPECT_TRUE(test::BecomesTrue([&] { return Sessions() == 0; }));
  try {
    session.Commit();
    ADD_FAILURE() << "committed after its end";
  } catch (const summa::Error& error) {
    EXPECT_EQ(error.status(), SUMMA_E_UNAVAILABLE);
    EXPECT_EQ(error.sqlstate(), kIdleTooLong) << "from this the host knows what has ended it";
  }
  EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 0);
  // A short lease has a smaller margin. Its transactions may end before they are asked.
  guard.time_to_live = std::chrono::milliseconds(500);
  auto shorter = service_->ForLease(guard);
  const auto brief_limit = [&] {
    summa::Session brief(shorter->table());
    brief.Begin();
    const auto shown = brief.Exec("SELECT current_setting('idle_in_transaction_session_timeout')");
    EXPECT_EQ(shown.At(0, 0).Text(), "375ms");
  };
  EXPECT_TRUE(test::BecomesTrue([&] { return StatusOf(brief_limit) == SUMMA_OK; }));
  // A long lease leaves the limit of the session.
  guard.time_to_live = std::chrono::hours(1);
  auto longer = service_->ForLease(guard);
  summa::Session other(longer->table());
  other.Begin();
  EXPECT_EQ(
      other.Exec("SELECT current_setting('idle_in_transaction_session_timeout')").At(0, 0).Text(),
      "10s");
}

TEST_F(ServiceTest, FencedCommitSaysSoAndCommitsNothing) {
  auto scope = service_->ForLease(guard_);
  summa::Session session(scope->table());
  session.Begin();
  session.Exec("INSERT INTO item VALUES (1)");
  try {
    session.Commit();
    ADD_FAILURE() << "committed without a lease";
  } catch (const summa::Error& error) {
    EXPECT_EQ(error.status(), SUMMA_E_FENCED);
    EXPECT_EQ(error.code(), "SH-0301");
    EXPECT_EQ(error.sqlstate(), "22012");
  }
  EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 0);
}

TEST_F(ServiceTest, MapsWhatTheServerSaysToStatuses) {
  summa::Session session(service_->unleased());
  EXPECT_EQ(StatusOf([&] { session.Exec("SELECT 1/0"); }), SUMMA_E_INTERNAL);
  EXPECT_EQ(StatusOf([&] { session.Exec("COMMIT"); }), SUMMA_E_INTERNAL);
  EXPECT_EQ(StatusOf([&] { session.Exec("SELECT FROM summa_host.nothing"); }), SUMMA_E_CONFIG);
  EXPECT_EQ(StatusOf([&] { summa::Session(service_->unleased(), "nosuch"); }), SUMMA_E_INTERNAL);
  db_->Execute("DROP ROLE IF EXISTS nobody_special; CREATE ROLE nobody_special LOGIN");
  settings_.url.replace(settings_.url.find("postgres@"), 8, "nobody_special");
  SqlService other({{"ledger", std::make_shared<SessionPool>(settings_)}});
  EXPECT_EQ(StatusOf([&] { summa::Session(other.unleased()).Exec("SELECT * FROM item"); }),
            SUMMA_E_DENIED);
  Kill(static_cast<int>(session.Exec("SELECT pg_backend_pid()").At(0, 0).Integer()));
  EXPECT_EQ(StatusOf([&] { session.Exec("SELECT 1"); }), SUMMA_E_UNAVAILABLE);
}

TEST_F(ServiceTest, RefusesAStreamInsideAGuardedTransaction) {
  auto scope = service_->ForLease(guard_);
  summa::Session session(scope->table());
  session.Begin();
  EXPECT_EQ(StatusOf([&] {
              session.CopyOut("COPY (SELECT 1) TO STDOUT", [](std::string_view) { return true; });
            }),
            SUMMA_E_INTERNAL);
  session.Rollback();
  int rows = 0;
  session.CopyOut("COPY (SELECT 1) TO STDOUT", [&](std::string_view) { return ++rows > 0; });
  EXPECT_EQ(rows, 1);
}

TEST_F(ServiceTest, CancelRunningEndsAllStatementsOfTheScopeOnly) {
  auto scope = service_->ForLease(guard_);
  std::atomic<int> cancelled{0};
  const auto sleep = [&] {
    summa::Session session(scope->table());
    if (StatusOf([&] { session.Exec("SELECT pg_sleep(60)"); }) == SUMMA_E_CANCELLED) ++cancelled;
  };
  std::thread first(sleep), second(sleep);
  test::WaitUntil(
      [&] {
        return db_->Count(
                   "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND "
                   "datname = current_database()") == 2;
      },
      test::kPatience, "two sleeping statements");
  scope->CancelRunning();
  first.join();
  second.join();
  EXPECT_EQ(cancelled, 2);
}

TEST_F(ServiceTest, LeakedSessionIsTakenBackAndAnswersWithAnErrorAfterwards) {
  auto scope = service_->ForLease(guard_);
  const summa_sql_v1* table = scope->table();
  summa_error error{};
  error.struct_size = sizeof error;
  summa_sql_session* leaked = nullptr;
  ASSERT_EQ(table->open(table->self, summa::ToAbi("ledger"), &leaked, &error), SUMMA_OK);
  ASSERT_EQ(table->begin(leaked, SUMMA_SQL_READ_WRITE, &error), SUMMA_OK);
  const auto exec = table->exec;
  const auto close = table->close;
  scope.reset();
  EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%' AND "
                       "datname = current_database()"),
            0);
  EXPECT_EQ(exec(leaked, summa::ToAbi("SELECT 1"), nullptr, 0, 0, nullptr, &error),
            SUMMA_E_INTERNAL);
  EXPECT_STREQ(error.code, "SH-0419");
  close(leaked);
  EXPECT_LE(Sessions(), 1);
}

TEST_F(ServiceTest, AbortedCopyInIsCancelled) {
  const summa_sql_v1* table = service_->unleased();
  summa_sql_session* session = nullptr;
  summa_error error{};
  error.struct_size = sizeof error;
  ASSERT_EQ(table->open(table->self, summa::ToAbi("ledger"), &session, &error), SUMMA_OK);
  ASSERT_EQ(table->begin(session, SUMMA_SQL_READ_WRITE, &error), SUMMA_OK);
  const auto abort = [](void*, const char**, size_t*) -> int32_t { return -1; };
  EXPECT_EQ(table->copy_in(session, summa::ToAbi("COPY item FROM STDIN"), abort, nullptr, &error),
            SUMMA_E_CANCELLED);
  EXPECT_EQ(table->rollback(session, &error), SUMMA_OK);
  table->close(session);
  table->close(nullptr);
  table->free_result(nullptr);
}

}  // namespace
}  // namespace summa::host
