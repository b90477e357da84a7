// summa.sql/1 as a plugin sees it, through the SDK's skin.
#include <thread>

#include "host/abi/sql_service.hpp"
#include "summa/copy_row.hpp"
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
  EXPECT_EQ(session.Exec("SELECT count(*) FROM item").Value<std::int64_t>(), 2);
  summa::Session read(scope->table(), "read");
  EXPECT_EQ(read.Exec("SELECT 1::int8").Value<std::int64_t>(), 1);
}

// No lease is in a database of read models. What is written there has a fence of its own; the
// ledger stays guarded.
TEST_F(ServiceTest, ADatabaseOfItsOwnForReadsKnowsNoLease) {
  DatabaseSettings elsewhere = settings_;
  elsewhere.url = Server().CreateDatabase(name_ + "_read");
  SqlService service({{"ledger", pool_}, {"read", std::make_shared<SessionPool>(elsewhere)}});
  auto scope = service.ForLease(guard_);  // which nobody holds
  summa::Session read(scope->table(), "read");
  read.Begin();
  read.Exec("CREATE TABLE view_row (id integer)");
  read.Commit();
  EXPECT_EQ(test::Db(elsewhere.url).Count("SELECT count(*) FROM view_row"), 0);
  summa::Session ledger(scope->table());
  ledger.Begin();
  ledger.Exec("INSERT INTO item VALUES (1)");
  EXPECT_EQ(StatusOf([&] { ledger.Commit(); }), SUMMA_E_FENCED);
}

TEST_F(ServiceTest, TransactionUnderALeaseIdlesForLessThanTheLease) {
  HoldLease();
  LeaseGuard guard = guard_;
  guard.time_to_live = std::chrono::seconds(8);
  auto scope = service_->ForLease(guard);
  summa::Session session(scope->table());
  const auto show = [&](const std::string& name) {
    return session.Exec("SELECT current_setting($1)", {name}).Value<std::string>();
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
    EXPECT_EQ(shown.Value<std::string>(), "375ms");
  };
  EXPECT_TRUE(test::BecomesTrue([&] { return StatusOf(brief_limit) == SUMMA_OK; }));
  // A long lease leaves the limit of the session.
  guard.time_to_live = std::chrono::hours(1);
  auto longer = service_->ForLease(guard);
  summa::Session other(longer->table());
  other.Begin();
  EXPECT_EQ(other.Exec("SELECT current_setting('idle_in_transaction_session_timeout')")
                .Value<std::string>(),
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
  Kill(session.Exec("SELECT pg_backend_pid()").Value<std::int32_t>());
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

TEST_F(ServiceTest, RowsAreReadByTypeAndName) {
  summa::Session session(service_->unleased());
  const summa::Result result = session.Exec(
      "SELECT i::int8 AS big, i::int4 AS normal, i::int2 AS small, i > 1 AS yes, i::float8 AS "
      "real, "
      "lpad(i::text, 32, '0')::uuid AS id, timestamptz '2000-01-01 00:00:01+00' AS at, i::text AS "
      "text, i::varchar(9) AS short, i::bpchar(3) AS padded, relname, json '[1]' AS json, "
      "jsonb '[1]' AS document, NULLIF(i, 2)::int8 AS perhaps FROM generate_series(1, 2) i JOIN "
      "pg_class ON relname = 'pg_class' ORDER BY 1");
  ASSERT_EQ(result.rows(), 2u);
  const summa::Row row = result[1];
  EXPECT_EQ(row.Get<std::int64_t>("big"), 2);
  EXPECT_EQ(row.Get<std::int32_t>("normal"), 2);
  EXPECT_EQ(row.Get<std::int16_t>("small"), 2);
  EXPECT_TRUE(row.Get<bool>("yes"));
  EXPECT_EQ(row.Get<double>("real"), 2.0);
  EXPECT_EQ(ToText(row.Get<summa::Uuid>("id")), "00000000-0000-0000-0000-000000000002");
  EXPECT_EQ(ToMicroseconds(row.Get<summa::DatabaseTime>("at")), 1'000'000);
  EXPECT_EQ(row.Get<std::string>("text"), "2");
  EXPECT_EQ(row.Get<std::string>("short"), "2");
  EXPECT_EQ(row.Get<std::string>("padded"), "2  ");
  EXPECT_EQ(row.Get<std::string>("relname"), "pg_class");
  EXPECT_EQ(row.Get<std::string>("json"), "[1]");
  EXPECT_EQ(row.Get<summa::Jsonb>("document").text, "[1]");
  EXPECT_EQ(row.Get<std::optional<std::int64_t>>("perhaps"), std::nullopt);
  EXPECT_EQ(result[0].Get<std::int64_t>("perhaps"), 1);
  EXPECT_EQ(StatusOf([&] { row.Get<std::int64_t>("perhaps"); }), SUMMA_E_DATA);
  EXPECT_EQ(StatusOf([&] { row.Get<std::int64_t>("normal"); }), SUMMA_E_DATA);
  EXPECT_EQ(StatusOf([&] { row.Get<std::string>("document"); }), SUMMA_E_DATA);
}

TEST_F(ServiceTest, CopiesInAndOut) {
  HoldLease();
  auto scope = service_->ForLease(guard_);
  summa::Session session(scope->table());
  const std::vector<std::string> pieces = {"1\n2", "\n", "\\N\n"};
  std::size_t next = 0;
  session.Begin();
  session.CopyIn("COPY item FROM STDIN", [&]() -> std::optional<std::string_view> {
    if (next == pieces.size()) return std::nullopt;
    return pieces[next++];
  });
  session.Commit();
  summa::CopyRow row;
  std::vector<std::optional<std::int32_t>> ids;
  session.CopyOut("COPY (SELECT id FROM item ORDER BY id) TO STDOUT (FORMAT binary)",
                  [&](std::string_view message) {
                    if (row.Open(message)) ids.push_back(row.Next<std::optional<std::int32_t>>());
                    return true;
                  });
  EXPECT_EQ(ids, (std::vector<std::optional<std::int32_t>>{1, 2, std::nullopt}));
  summa::CopyRow none;
  session.CopyOut("COPY (SELECT id FROM item WHERE false) TO STDOUT (FORMAT binary)",
                  [&](std::string_view message) {
                    EXPECT_FALSE(none.Open(message));
                    return true;
                  });
}

TEST_F(ServiceTest, WhatTheSenderOfACopyThrowsEndsItAndComesOut) {
  summa::Session session(service_->unleased());
  session.Begin();
  int calls = 0;
  EXPECT_THROW(session.CopyIn("COPY item FROM STDIN",
                              [&]() -> std::optional<std::string_view> {
                                if (++calls == 2) throw std::out_of_range("no more");
                                return "1\n";
                              }),
               std::out_of_range);
  session.Rollback();
  EXPECT_EQ(StatusOf([&] { session.CopyIn("COPY item FROM STDIN", [] { return std::nullopt; }); }),
            SUMMA_E_INTERNAL)
      << "outside a transaction";
  EXPECT_EQ(session.Exec("SELECT count(*) FROM item").Value<std::int64_t>(), 0);
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
      test::kTimeout, "two sleeping statements");
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
