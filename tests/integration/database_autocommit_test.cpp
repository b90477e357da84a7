// Statements that run only outside a transaction: under the lease as far as that goes.
#include <cstdlib>
#include <thread>

#include "host/abi/sql_service.hpp"
#include "summa/sql.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

constexpr const char* kCreateIndex = "CREATE INDEX CONCURRENTLY item_id ON item (id)";

class AutocommitTest : public DatabaseTest {
 protected:
  AutocommitTest() {
    // Shorter than what is to be waited for.
    settings_.statement_timeout = settings_.lock_timeout = std::chrono::seconds(3);
    db_->Execute(
        "CREATE TABLE item (id integer); INSERT INTO worker_lease VALUES ('w', 'me', now() + "
        "interval '1 hour'); INSERT INTO summa_host.worker_fence VALUES ('w', 3)");
    pool_ = std::make_shared<SessionPool>(settings_);
    service_ = std::make_unique<SqlService>(
        std::map<std::string, std::shared_ptr<SessionPool>>{{"ledger", pool_}});
    scope_ = service_->ForLease({"w", "me", 3});
  }
  static summa::Error Refusal(const std::function<void()>& action) {
    try {
      action();
    } catch (const summa::Error& error) {
      return error;
    }
    return {SUMMA_OK, "none", "nothing was refused"};
  }
  void LoseLease() { db_->Execute("UPDATE summa_host.worker_fence SET fence = 4"); }
  bool IndexIs(const char* state) {
    return db_->Count(std::string("SELECT count(*) FROM pg_index WHERE indexrelid = "
                                  "to_regclass('item_id') AND ") +
                      state) == 1;
  }
  static std::string Show(summa::Session& session, const std::string& name) {
    return session.Exec("SELECT current_setting($1)", {name}).Value<std::string>();
  }
  void ExpectFencedAgain(summa::Session& session) {
    EXPECT_EQ(Show(session, "default_transaction_read_only"), "on");
    EXPECT_EQ(Show(session, "statement_timeout"), "3s");
    EXPECT_EQ(Show(session, "lock_timeout"), "3s");
    EXPECT_EQ(Refusal([&] { session.Exec("INSERT INTO item VALUES (1)"); }).sqlstate(), "25006");
  }
  // Another transaction that a concurrent index has to wait for.
  std::unique_ptr<test::Db> OpenWriter() {
    auto writer = std::make_unique<test::Db>(settings_.url);
    writer->Execute("BEGIN; INSERT INTO item VALUES (1)");
    return writer;
  }
  bool IndexWaits() {
    return db_->Count(
               "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND "
               "wait_event_type = 'Lock' AND datname = current_database() AND "
               "query_start < clock_timestamp() - interval '4 s'") == 1;
  }

  std::shared_ptr<SessionPool> pool_;
  std::unique_ptr<SqlService> service_;
  std::unique_ptr<SqlScope> scope_;
};

TEST_F(AutocommitTest, RunsWhatRunsInNoTransaction) {
  db_->Execute(
      "CREATE TABLE parted (id integer) PARTITION BY RANGE (id);"
      "CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (10)");
  summa::Session session(scope_->table());
  session.ExecAutocommit(kCreateIndex);
  EXPECT_TRUE(IndexIs("indisvalid"));
  session.ExecAutocommit("REINDEX INDEX CONCURRENTLY item_id");
  session.ExecAutocommit("VACUUM (ANALYZE) item");
  session.ExecAutocommit("DROP INDEX CONCURRENTLY item_id");
  EXPECT_FALSE(IndexIs("true"));
  if (db_->Count("SELECT current_setting('server_version_num')::int") >= 140000) {
    session.ExecAutocommit("ALTER TABLE parted DETACH PARTITION low CONCURRENTLY;");
    EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_inherits"), 0);
  }
  ExpectFencedAgain(session);
}

TEST_F(AutocommitTest, RefusesEverythingElse) {
  summa::Session session(scope_->table());
  for (const char* sql :
       {"INSERT INTO item VALUES (1)", "CREATE TABLE other AS SELECT 1", "SELECT 1", "DO $$ $$",
        "CREATE INDEX item_id ON item (id)", "DROP TABLE item", "COMMIT",
        "ALTER TABLE item ADD COLUMN concurrently text", "ALTER TABLE item DROP COLUMN id",
        "VACUUM item; INSERT INTO item VALUES (1)", "COPY item FROM STDIN",
        "SET default_transaction_read_only = off", ""}) {
    EXPECT_NE(Refusal([&] { session.ExecAutocommit(sql); }).status(), SUMMA_OK) << sql;
  }
  session.Begin();
  EXPECT_EQ(Refusal([&] { session.ExecAutocommit("VACUUM item"); }).code(), "SH-0407");
  session.Rollback();
  EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 0);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_class WHERE relname IN ('other', 'item_id')"), 0);
  ExpectFencedAgain(session);
}

TEST_F(AutocommitTest, RunsNothingWithoutTheLease) {
  LoseLease();
  summa::Session session(scope_->table());
  const summa::Error error = Refusal([&] { session.ExecAutocommit(kCreateIndex); });
  EXPECT_EQ(error.status(), SUMMA_E_FENCED);
  EXPECT_EQ(error.code(), "SH-0301");
  EXPECT_FALSE(IndexIs("true"));
  ExpectFencedAgain(session);
  db_->Execute(
      "UPDATE summa_host.worker_fence SET fence = 3; UPDATE worker_lease SET lease_until = now() - "
      "interval '1 s'");
  EXPECT_EQ(Refusal([&] { session.ExecAutocommit(kCreateIndex); }).code(), "SH-0301");
}

TEST_F(AutocommitTest, WaitsBeyondTheTimeoutsAndSaysWhenTheLeaseWasLostMeanwhile) {
  auto writer = OpenWriter();
  summa::Session session(scope_->table());
  summa::Error error{SUMMA_OK, "", ""};
  std::thread worker([&] { error = Refusal([&] { session.ExecAutocommit(kCreateIndex); }); });
  EXPECT_TRUE(test::BecomesTrue([&] { return IndexWaits(); }));
  LoseLease();
  writer.reset();
  worker.join();
  EXPECT_EQ(error.status(), SUMMA_E_FENCED);
  EXPECT_EQ(error.code(), "SH-0433") << error.what();
  EXPECT_TRUE(IndexIs("indisvalid")) << "it has taken effect";
  ExpectFencedAgain(session);
}

TEST_F(AutocommitTest, IsCancelledWhenTheLeaseIsNoLongerTrusted) {
  const auto writer = OpenWriter();
  summa::Session session(scope_->table());
  summa::Error error{SUMMA_OK, "", ""};
  std::thread worker([&] { error = Refusal([&] { session.ExecAutocommit(kCreateIndex); }); });
  EXPECT_TRUE(test::BecomesTrue([&] { return IndexWaits(); }));
  scope_->CancelRunning();
  worker.join();
  EXPECT_EQ(error.status(), SUMMA_E_CANCELLED) << error.what();
  EXPECT_TRUE(IndexIs("NOT indisvalid")) << "what it had done by then stays";
  ExpectFencedAgain(session);
}

TEST_F(AutocommitTest, IsNotBegunAfterItWasToldToStop) {
  summa::Session session(scope_->table());
  scope_->CancelRunning();
  EXPECT_EQ(Refusal([&] { session.ExecAutocommit(kCreateIndex); }).status(), SUMMA_E_CANCELLED);
  EXPECT_FALSE(IndexIs("true"));
}

TEST_F(AutocommitTest, VacuumDoesNotQueueForALock) {
  test::Db other(settings_.url);
  other.Execute("BEGIN; LOCK TABLE item");
  summa::Session session(scope_->table());
  const summa::Error error = Refusal([&] { session.ExecAutocommit("VACUUM FULL item"); });
  EXPECT_EQ(error.sqlstate(), "55P03") << error.what();
  other.Execute("ROLLBACK");
  ExpectFencedAgain(session);
}

TEST_F(AutocommitTest, MayNotIdleBeyondTheLeaseBeforeTheStatement) {
  if (db_->Count("SELECT current_setting('server_version_num')::int") < 140000) GTEST_SKIP();
  db_->Execute(
      "INSERT INTO item VALUES (1); CREATE FUNCTION tell(i integer) RETURNS integer LANGUAGE "
      "plpgsql "
      "IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'may idle for %', (SELECT setting FROM "
      "pg_catalog.pg_settings WHERE name = 'idle_session_timeout'); END $$");
  summa::Session session(scope_->table());
  const std::string said =
      Refusal([&] {
        session.ExecAutocommit("CREATE INDEX CONCURRENTLY told ON item (public.tell(id))");
      }).what();
  const std::size_t at = said.find("may idle for ");
  ASSERT_NE(at, std::string::npos) << said;
  const long long milliseconds = std::atoll(said.c_str() + at + 13);
  EXPECT_GT(milliseconds, 0) << said;
  EXPECT_LE(milliseconds, 3'600'000) << said;
  EXPECT_EQ(Show(session, "idle_session_timeout"), "0");
  ExpectFencedAgain(session);
}

TEST_F(AutocommitTest, AFailureLeavesTheSessionFenced) {
  summa::Session session(scope_->table());
  EXPECT_EQ(Refusal([&] {
              session.ExecAutocommit("CREATE INDEX CONCURRENTLY nothing ON item (no_column)");
            }).sqlstate(),
            "42703");
  ExpectFencedAgain(session);
  summa::Session unleased(service_->unleased());
  unleased.ExecAutocommit(kCreateIndex);
  EXPECT_TRUE(IndexIs("indisvalid"));
  ExpectFencedAgain(unleased);
}

}  // namespace
}  // namespace summa::host
