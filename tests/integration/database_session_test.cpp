#include <cstring>
#include <thread>

#include "summa/sql.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

class SessionTest : public DatabaseTest {
 protected:
  SessionTest() {
    db_->Execute("CREATE TABLE item (id integer PRIMARY KEY, note text)");
    session_ = ConnectSession(settings_);
  }
  std::unique_ptr<SqlResult> Run(std::string_view sql, int format = 0) {
    return session_->Exec(sql, {}, format);
  }
  std::string Value(std::string_view sql) {
    return std::string(Run(sql)->Cell(0, 0).value_or("NULL"));
  }
  void HoldLease(const std::string& holder, int fence, const char* left = "10 s") {
    db_->Query(
        "INSERT INTO worker_lease (worker_id, lease_holder, lease_until) VALUES ('w', $1, "
        "now() + $2::interval) ON CONFLICT (worker_id) DO UPDATE SET lease_holder = "
        "excluded.lease_holder, lease_until = excluded.lease_until",
        {holder, left});
    db_->Query(
        "INSERT INTO summa_host.worker_fence (worker, fence) VALUES ('w', $1::bigint) ON "
        "CONFLICT (worker) DO UPDATE SET fence = excluded.fence",
        {std::to_string(fence)});
  }

  std::unique_ptr<Session> session_;
  const LeaseGuard guard_{"w", "me", 7};
};

TEST_F(SessionTest, RefusesWritesOutsideAReadWriteTransaction) {
  const auto insert = [&] { Run("INSERT INTO item VALUES (1)"); };
  EXPECT_EQ(CatchSql(insert).sqlstate(), "25006");
  session_->Begin(TransactionMode::kReadOnly);
  EXPECT_EQ(CatchSql(insert).sqlstate(), "25006");
  session_->Rollback();
  session_->Begin(TransactionMode::kReadWrite);
  insert();
  session_->Commit(nullptr);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 1);
}

TEST_F(SessionTest, ComesWithTheSettingsOfTheDatabase) {
  EXPECT_EQ(Value("SHOW application_name"), "summa-host/test");
  EXPECT_EQ(Value("SHOW search_path"), "\"public\", pg_temp");
  EXPECT_EQ(Value("SHOW statement_timeout"), "1min");
  EXPECT_EQ(Value("SHOW lock_timeout"), "2s");
  EXPECT_EQ(Value("SHOW idle_in_transaction_session_timeout"), "10s");
  EXPECT_EQ(Value("SHOW client_encoding"), "UTF8");
  EXPECT_EQ(Value("SHOW TimeZone"), "UTC");
}

TEST_F(SessionTest, FindsTablesOfASchemaWithAnyName) {
  db_->Execute("CREATE SCHEMA \"od\"\"d \\ name\"; CREATE TABLE \"od\"\"d \\ name\".here ()");
  settings_.schema = "od\"d \\ name";
  session_ = ConnectSession(settings_);
  EXPECT_EQ(Value("SELECT count(*) FROM here"), "0");
}

TEST_F(SessionTest, ATemporaryTableDoesNotHideThatOfTheLedger) {
  db_->Execute("INSERT INTO item VALUES (1)");
  session_->Begin(TransactionMode::kReadWrite);
  Run("CREATE TEMPORARY TABLE item () ON COMMIT DROP");
  EXPECT_EQ(Value("SELECT count(*) FROM item"), "1");
  session_->Rollback();
}

// Told apart from a missing GRANT by the server's function, in any language of its messages.
TEST_F(SessionTest, IsRefusedWhatRowLevelSecurityFilters) {
  db_->Execute(
      "DO $$ BEGIN CREATE ROLE filtered LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$; "
      "ALTER TABLE item ENABLE ROW LEVEL SECURITY; CREATE POLICY all_of_it ON item USING (true); "
      "GRANT SELECT ON item TO filtered");
  const std::string owner = "postgres@";
  settings_.url.replace(settings_.url.find(owner), owner.size(), "filtered@");
  session_ = ConnectSession(settings_);
  SqlFailure refused = CatchSql([&] { Run("SELECT count(*) FROM item"); });
  EXPECT_EQ(refused.error().code, "SH-0430") << refused.what();
  EXPECT_EQ(ExitCode(refused.error()), 77);
  // The server looks at policies before it looks at rights.
  db_->Execute("ALTER TABLE item DISABLE ROW LEVEL SECURITY; REVOKE SELECT ON item FROM filtered");
  refused = CatchSql([&] { Run("SELECT count(*) FROM item"); });
  EXPECT_EQ(refused.error().code, "SH-0406") << refused.what();
}

TEST_F(SessionTest, RepeatableReadSeesOneSnapshot) {
  session_->Begin(TransactionMode::kRepeatableReadOnly);
  EXPECT_EQ(Value("SELECT count(*) FROM item"), "0");
  db_->Execute("INSERT INTO item VALUES (1)");
  EXPECT_EQ(Value("SELECT count(*) FROM item"), "0");
  session_->Commit(nullptr);
  EXPECT_EQ(Value("SELECT count(*) FROM item"), "1");
}

TEST_F(SessionTest, CommitsUnderItsLease) {
  HoldLease("me", 7);
  session_->Begin(TransactionMode::kReadWrite);
  Run("INSERT INTO item VALUES (1)");
  session_->Commit(&guard_);
  EXPECT_FALSE(session_->in_transaction());
  EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 1);
}

TEST_F(SessionTest, CommitsNothingWhenTheLeaseWasTakenExpiredOrFencedAnew) {
  const auto attempt = [&] {
    session_->Begin(TransactionMode::kReadWrite);
    Run("INSERT INTO item VALUES (1)");
    try {
      session_->Commit(&guard_);
      return std::string("committed");
    } catch (const FencedFailure& failure) {
      return failure.error().code;
    }
  };
  EXPECT_EQ(attempt(), "SH-0301") << "no lease row";
  HoldLease("other", 7);
  EXPECT_EQ(attempt(), "SH-0301") << "another holder";
  HoldLease("me", 8);
  EXPECT_EQ(attempt(), "SH-0301") << "another fence";
  HoldLease("me", 7, "-1 s");
  EXPECT_EQ(attempt(), "SH-0301") << "expired";
  EXPECT_FALSE(session_->in_transaction());
  EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 0);
  HoldLease("me", 7);
  EXPECT_EQ(attempt(), "committed");
}

TEST_F(SessionTest, GuardHoldsAgainstATakeOverThatIsUnderWay) {
  settings_.lock_timeout = test::kTimeout;  // the guard waits as long as the take-over lasts
  session_ = ConnectSession(settings_);
  HoldLease("me", 7);
  session_->Begin(TransactionMode::kReadWrite);
  Run("INSERT INTO item VALUES (1)");
  test::Db thief(settings_.url);
  thief.Execute("BEGIN; UPDATE worker_lease SET lease_holder = 'thief'");
  std::string outcome;
  std::thread committer([&] {
    try {
      session_->Commit(&guard_);
      outcome = "committed";
    } catch (const FencedFailure&) {
      outcome = "fenced";
    } catch (const SqlFailure& failure) {
      outcome = failure.error().code;
    }
  });
  EXPECT_TRUE(test::BecomesTrue([&] { return Waiting(session_->backend_pid(), "Lock"); }))
      << "the guard does not wait for the take-over";
  thief.Execute("COMMIT");
  committer.join();
  EXPECT_EQ(outcome, "fenced");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 0);
}

TEST_F(SessionTest, OpenTransactionDoesNotBlockTheRenewal) {
  HoldLease("me", 7);
  session_->Begin(TransactionMode::kReadWrite);
  Run("INSERT INTO item VALUES (1)");
  db_->Execute(
      "SET lock_timeout = '1s'; UPDATE worker_lease SET lease_until = now() + interval '9 s'");
  session_->Commit(&guard_);
  EXPECT_FALSE(session_->in_transaction());
  EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 1);
}

TEST_F(SessionTest, CommitAfterAFailedStatementIsAFailureAndCommitsNothing) {
  for (const LeaseGuard* guard : {static_cast<const LeaseGuard*>(nullptr), &guard_}) {
    HoldLease("me", 7);
    session_->Begin(TransactionMode::kReadWrite);
    Run("INSERT INTO item VALUES (1)");
    EXPECT_EQ(CatchSql([&] { Run("SELECT 1/0"); }).sqlstate(), "22012");
    EXPECT_EQ(CatchSql([&] { session_->Commit(guard); }).sqlstate(), "25P02");
    EXPECT_FALSE(session_->in_transaction());
  }
  EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 0);
}

TEST_F(SessionTest, ReadsTenThousandBinaryRowsThatOutliveTheSession) {
  const char* sql =
      "SELECT i::int8, md5(i::text)::uuid, NULLIF(i, 5)::int4 FROM "
      "generate_series(1, 10000) i ORDER BY i";
  auto result = Run(sql, 1);
  session_.reset();
  ASSERT_EQ(result->rows(), 10000u);
  EXPECT_EQ(result->columns(), 3u);
  EXPECT_EQ(result->affected_rows(), 10000);
  for (std::size_t row : {std::size_t{0}, std::size_t{9999}}) {
    EXPECT_EQ(summa::ReadAs<std::int64_t>(summa::RawValue{*result->Cell(row, 0)}),
              static_cast<std::int64_t>(row) + 1);
    EXPECT_EQ(result->Cell(row, 1)->size(), 16u);
  }
  EXPECT_FALSE(result->Cell(4, 2).has_value());
  EXPECT_FALSE(result->Cell(10000, 0).has_value());
}

TEST_F(SessionTest, SendsBinaryArraysAndNulls) {
  std::vector<summa::Uuid> ids(1000);
  for (std::size_t i = 0; i < ids.size(); ++i) std::memcpy(ids[i].bytes.data(), &i, sizeof i);
  const summa::Parameter array = summa::UuidArray(ids);
  const summa_sql_parameter abi = array.Abi();
  const SqlParameter parameters[] = {{abi.data, abi.size, abi.type, abi.format}, {}};
  for (int i = 0; i < 3; ++i) {
    const auto result = session_->Exec(
        "SELECT cardinality($1), (SELECT count(DISTINCT u) FROM unnest($1) u), $2::text",
        parameters, 0);
    EXPECT_EQ(*result->Cell(0, 0), "1000");
    EXPECT_EQ(*result->Cell(0, 1), "1000");
    EXPECT_FALSE(result->Cell(0, 2));
  }
}

TEST_F(SessionTest, CopiesOutAndInAndStopsInTheMiddle) {
  std::string in = "1\tone\n2\ttwo\n";
  session_->Begin(TransactionMode::kReadWrite);
  bool given = false;
  session_->CopyIn("COPY item FROM STDIN", [&]() -> std::optional<std::string_view> {
    if (given) return std::nullopt;
    given = true;
    return in;
  });
  session_->Commit(nullptr);
  std::string out;
  session_->CopyOut("COPY (SELECT * FROM item ORDER BY id) TO STDOUT", [&](std::string_view row) {
    out += row;
    return true;
  });
  EXPECT_EQ(out, in);
  int rows = 0;
  const auto stopped = CatchSql([&] {
    session_->CopyOut("COPY (SELECT * FROM generate_series(1, 3000000)) TO STDOUT",
                      [&](std::string_view) { return ++rows < 10; });
  });
  EXPECT_EQ(stopped.error().code, "SH-0409");
  EXPECT_EQ(rows, 10);
  EXPECT_EQ(Value("SELECT 1"), "1");
  session_->Begin(TransactionMode::kReadWrite);
  EXPECT_EQ(CatchSql([&] {
              session_->CopyOut("COPY item FROM STDIN", [](std::string_view) { return true; });
            })
                .error()
                .code,
            "SH-0408");
  session_->Rollback();
  EXPECT_EQ(Value("SELECT 2"), "2");
}

TEST_F(SessionTest, AbortedCopyInLeavesNothingAndPassesTheException) {
  session_->Begin(TransactionMode::kReadWrite);
  EXPECT_THROW(session_->CopyIn("COPY item FROM STDIN",
                                []() -> std::optional<std::string_view> {
                                  throw std::runtime_error("no more");
                                }),
               std::runtime_error);
  session_->Rollback();
  session_->Begin(TransactionMode::kReadWrite);
  int chunks = 0;
  const auto refused = CatchSql([&] {
    session_->CopyIn("COPY item FROM STDIN", [&]() -> std::optional<std::string_view> {
      return ++chunks > 3 ? std::nullopt : std::optional<std::string_view>("x\ty\n");
    });
  });
  EXPECT_EQ(refused.sqlstate(), "22P02");
  session_->Rollback();
  EXPECT_EQ(Value("SELECT count(*) FROM item"), "0");
}

TEST_F(SessionTest, ErrorsShowTheStatementAndNeverParametersOrThePassword) {
  const SqlParameter secret{"s3cret", 6, 0, 0};
  const auto failure = CatchSql([&] {
    session_->Exec(
        "SELECT   $1::int\n  AS a_long_name, 'x' AS filler1, 'x' AS filler2, 'x' AS "
        "filler3, 'x' AS filler4",
        {&secret, 1}, 0);
  });
  EXPECT_EQ(failure.error().code, "SH-0405");
  EXPECT_NE(failure.error().message.find("in: SELECT $1::int AS a_long_name"), std::string::npos);
  EXPECT_EQ(failure.error().message.find("filler4"), std::string::npos);
  DatabaseSettings wrong = settings_;
  for (const char* url : {"postgresql://u:s3cret@/nosuch?host=/nonexistent", ":s3cret@host",
                          "postgresql://u:s3cret@h:port/x"}) {
    wrong.url = url;
    const auto refused = CatchSql([&] { ConnectSession(wrong); });
    EXPECT_NE(refused.error().code, "") << url;
    EXPECT_NE(refused.error().message, "") << url;
    const Error& error = refused.error();
    for (const std::string& text : {error.message, error.hint, error.where}) {
      EXPECT_EQ(text.find("s3cret"), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace summa::host
