#include "host/database/statement_cache.hpp"
#include "host/database/statement_kind.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

class StatementTest : public DatabaseTest {
 protected:
  StatementTest() : session_(ConnectSession(settings_)) {}
  long long Prepared() {
    return std::stoll(std::string(
        *session_->Exec("SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql", {}, 0)
             ->Cell(0, 0)));
  }
  std::unique_ptr<Session> session_;
};

TEST_F(StatementTest, IsPreparedAtItsSecondUse) {
  EXPECT_EQ(Prepared(), 0);
  session_->Exec("SELECT 1", {}, 0);
  // The second look is itself a second use.
  EXPECT_EQ(Prepared(), 1);
  session_->Exec("SELECT 1", {}, 0);
  EXPECT_EQ(Prepared(), 2);
}

TEST_F(StatementTest, CacheIsBoundedAndGivesRoomBack) {
  for (int i = 0; i < 300; ++i) {
    const std::string sql = "SELECT " + std::to_string(i);
    for (int use = 0; use < 3; ++use) {
      EXPECT_EQ(*session_->Exec(sql, {}, 0)->Cell(0, 0), std::to_string(i));
    }
  }
  EXPECT_GT(Prepared(), 100);
  EXPECT_LE(Prepared(), static_cast<long long>(kPreparedStatements));
}

TEST_F(StatementTest, IsPreparedAnewAfterItsTableWasAltered) {
  db_->Execute("CREATE TABLE t (a integer); INSERT INTO t VALUES (1)");
  for (int i = 0; i < 3; ++i) session_->Exec("SELECT * FROM t", {}, 0);
  db_->Execute("ALTER TABLE t ADD COLUMN b integer");
  EXPECT_EQ(CatchSql([&] { session_->Exec("SELECT * FROM t", {}, 0); }).sqlstate(), "0A000");
  EXPECT_EQ(session_->Exec("SELECT * FROM t", {}, 0)->columns(), 2u);
  EXPECT_EQ(session_->Exec("SELECT * FROM t", {}, 0)->columns(), 2u);
}

TEST_F(StatementTest, SameTextWithOtherTypesStillRuns) {
  const SqlParameter text{"7", 1, 25, 0}, number{"7", 1, 23, 0};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(*session_->Exec("SELECT pg_typeof($1)", {&text, 1}, 0)->Cell(0, 0), "text");
    EXPECT_EQ(*session_->Exec("SELECT pg_typeof($1)", {&number, 1}, 0)->Cell(0, 0), "integer");
  }
}

TEST_F(StatementTest, TransactionsAndSettingsCannotBeChangedByAStatement) {
  for (const char* sql :
       {"COMMIT", " -- c\n commit", "-- c\rcommit", "\vcommit", "/* a /* b */ */ END", "BEGIN",
        "ROLLBACK", "ABORT", "SET default_transaction_read_only = off",
        "SET TRANSACTION READ WRITE", "SET LOCAL transaction_read_only = off", "RESET ALL",
        "DISCARD ALL", "PREPARE TRANSACTION 'x'", "LISTEN x", "COPY (SELECT 1) TO STDOUT",
        "DO $$ BEGIN COMMIT; END $$"}) {
    EXPECT_EQ(CatchSql([&] { session_->Exec(sql, {}, 0); }).error().code, "SH-0408") << sql;
  }
  // Two statements in one text: the protocol takes one.
  EXPECT_EQ(CatchSql([&] { session_->Exec("SELECT 1; COMMIT", {}, 0); }).sqlstate(), "42601");
}

// For the server the comment ends at the carriage return, and SELECT stands in the next one.
TEST_F(StatementTest, NoCommitHidesBehindACarriageReturn) {
  session_->Begin(TransactionMode::kReadWrite);
  EXPECT_EQ(CatchSql([&] { session_->Exec("--\rCOMMIT /*\nSELECT */", {}, 0); }).error().code,
            "SH-0408");
  EXPECT_TRUE(session_->in_transaction());
}

TEST_F(StatementTest, SavepointsAndLocalSettingsAreAllowed) {
  session_->Begin(TransactionMode::kReadWrite);
  for (const char* sql : {"SET LOCAL work_mem = '8MB'", "SAVEPOINT a", "ROLLBACK TO SAVEPOINT a",
                          "RELEASE SAVEPOINT a", "DO $$ BEGIN PERFORM 1; END $$",
                          "LOCK TABLE outbox IN ACCESS SHARE MODE"}) {
    session_->Exec(sql, {}, 0);
  }
  session_->Commit(nullptr);
}

TEST_F(StatementTest, TextWithANulByteIsRefusedInsteadOfCut) {
  const std::string text("a\0b", 3);
  const SqlParameter parameter{text.c_str(), text.size(), 0, 0};
  EXPECT_EQ(CatchSql([&] {
              session_->Exec("SELECT $1", {&parameter, 1}, 0);
            })
                .error()
                .code,
            "SH-0407");
}

TEST(StatementKindTest, KnowsWhatMayBePrepared) {
  EXPECT_EQ(KindOf("(SELECT 1)"), StatementKind::kPreparable);
  EXPECT_EQ(KindOf("with x as (select 1) select 1"), StatementKind::kPreparable);
  EXPECT_EQ(KindOf("FETCH 10 FROM c"), StatementKind::kOther);
  EXPECT_EQ(KindOf("declare c cursor for select 1"), StatementKind::kCursor);
  EXPECT_EQ(KindOf("ROLLBACK WORK TO x"), StatementKind::kOther);
  EXPECT_EQ(KindOf("/* never closed"), StatementKind::kOther);
  EXPECT_EQ(KindOf(""), StatementKind::kOther);
}

TEST(StatementKindTest, KnowsWhatRunsInNoTransaction) {
  for (const char* sql :
       {"CREATE INDEX CONCURRENTLY i ON t (a)", "create unique index /* */ concurrently i on t (a)",
        "CREATE INDEX CONCURRENTLY ON t (a)", "DROP INDEX CONCURRENTLY i",
        "REINDEX (VERBOSE) TABLE CONCURRENTLY t",
        "ALTER TABLE ONLY p DETACH PARTITION c\nconcurrently ;"}) {
    EXPECT_EQ(KindOf(sql), StatementKind::kConcurrently) << sql;
  }
  EXPECT_EQ(KindOf("-- all of it\nVACUUM (ANALYZE) t"), StatementKind::kVacuum);
  for (const char* sql : {"CREATE INDEX i ON t (a)", "DROP INDEX i", "REINDEX TABLE t",
                          "ALTER TABLE p DETACH PARTITION c FINALIZE",
                          "ALTER TABLE p DETACH PARTITION c", "ALTER TABLE t ADD concurrently text",
                          "CREATE TABLE concurrently AS SELECT 1", "ANALYZE t"}) {
    EXPECT_EQ(KindOf(sql), StatementKind::kOther) << sql;
  }
}

}  // namespace
}  // namespace summa::host
