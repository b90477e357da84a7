// The SQL that a test writes down: it answers, refuses and counts as the host's does.
#include <gmock/gmock.h>

#include <summa/testkit/scripted_sql.hpp>

namespace summa::testkit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ScriptedSql, AnswersByTheRuleThatWasAddedLast) {
  ScriptedSql sql;
  sql.Answer("FROM t", ScriptedRows({"n", "name"}).Add({std::int64_t{-7}, nullptr}));
  sql.Answer("FROM t WHERE", ScriptedRows({"n"}));
  summa::Session session(sql.table());
  const Result all = session.Exec("SELECT n, name FROM t");
  ASSERT_EQ(all.rows(), 1u);
  EXPECT_EQ(all[0].Get<std::int64_t>("n"), -7);
  EXPECT_EQ(all[0].Get<std::optional<std::string>>("name"), std::nullopt);
  EXPECT_EQ(session.Exec("SELECT n FROM t WHERE n > 0").rows(), 0u);
  EXPECT_EQ(session.Exec("SELECT 1").rows(), 0u) << "without a rule";
  sql.Answer("FROM u", ScriptedRows({"n"}).Types({kOidInt8}));
  const Result none = session.Exec("SELECT n FROM u");
  EXPECT_NO_THROW(none.Bind<std::int64_t>("n"));
}

TEST(ScriptedSql, KeepsStatementsAndShowsTheirParameters) {
  ScriptedSql sql;
  {
    summa::Session session(sql.table());
    session.Begin();
    session.Exec("UPDATE t SET a = $1, b = $2, c = $3, d = $4",
                 {std::int64_t{-1}, std::int32_t{2}, true, nullptr});
    EXPECT_EQ(sql.OpenSessions(), 1u);
  }
  EXPECT_THAT(sql.Texts(),
              ElementsAre("BEGIN", "UPDATE t SET a = $1, b = $2, c = $3, d = $4", "ROLLBACK"));
  EXPECT_THAT(sql.Statements()[1].parameters, ElementsAre("-1", "2", "true", "NULL"));
  EXPECT_EQ(sql.OpenSessions(), 0u);
  EXPECT_EQ(sql.Commits(), 0u);
}

TEST(ScriptedSql, RefusesToWriteOutsideATransaction) {
  ScriptedSql sql;
  summa::Session session(sql.table());
  try {
    session.Exec("\n DELETE FROM t");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.sqlstate(), "25006");
  }
  EXPECT_THAT(sql.Texts(), IsEmpty());
}

TEST(ScriptedSql, FailsWhereTheTestSaysSo) {
  ScriptedSql sql;
  sql.Fail("COMMIT", Error(SUMMA_E_UNAVAILABLE, "SH-0404", "no answer", "", "08006"));
  summa::Session session(sql.table());
  session.Begin();
  try {
    session.Commit();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0404");
    EXPECT_EQ(error.sqlstate(), "08006");
  }
  EXPECT_EQ(sql.Commits(), 0u);
}

TEST(ScriptedSql, RefusesTheCommitAfterTheLeaseWasLost) {
  ScriptedSql sql;
  sql.LoseLeaseAt("UPDATE");
  summa::Session session(sql.table());
  session.Begin();
  session.Exec("UPDATE t SET a = 1");
  try {
    session.Commit();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), SUMMA_E_FENCED);
  }
  EXPECT_EQ(sql.Texts().back(), "ROLLBACK");
  EXPECT_EQ(sql.Commits(), 0u);
}

}  // namespace
}  // namespace summa::testkit
