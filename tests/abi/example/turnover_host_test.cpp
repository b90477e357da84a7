// The example plugin in the real host, against a real PostgreSQL.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::test {
namespace {

class Example : public testing::Test {
 protected:
  Example()
      : url_(InstallLedger(server_, "ledger")),
        file_("summa.yaml", "database: { ledger: { url: \"" + url_ +
                                "\" }, migrate: auto }\n"
                                "host: { listen: \"127.0.0.1:0\" }\n"
                                "plugins: { turnover: { alarm_above: 1 } }\n") {}

  RunResult Host(std::vector<std::string> arguments) {
    const std::string plugins = std::string(std::getenv("SUMMA_BINARY_DIR")) + "/tests/example";
    arguments.insert(arguments.end(), {"-c", file_.Path(), "--plugin-dir", plugins});
    return SummaHost(std::move(arguments));
  }

  PostgresServer server_;
  std::string url_;
  TemporaryFile file_;
};

TEST_F(Example, SumsTheTurnoverAndShowsIt) {
  EnsureAccounts(url_, 3);
  Db db(url_);
  EXPECT_EQ(Host({"turnover", "show", "USD"}).exit_code, 66) << "nothing is known yet";
  const RunResult run = Host({"run", "--once", "--only", "turnover-daily"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.err.find("TO-0002"), std::string::npos) << "no alarm: " << run.err;

  const std::string truth =
      db.Value("SELECT sum(amount) FROM entry_record WHERE entry_type = 'CREDIT'");
  EXPECT_EQ(db.Value("SELECT sum(amount) FROM turnover.daily"), truth);
  const RunResult shown = Host({"turnover", "show", "USD", "--output", "json"});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_NE(shown.out.find("\"amount\":" + truth), std::string::npos) << shown.out;
}

TEST_F(Example, IsAskedOverHttp) {
  EnsureAccounts(url_, 3);
  ASSERT_EQ(Host({"run", "--once"}).exit_code, 0);
  const std::string plugins = std::string(std::getenv("SUMMA_BINARY_DIR")) + "/tests/example";
  RunningHost host({"-c", file_.Path(), "--plugin-dir", plugins});
  host.StatusWhen("running");
  const Answer answer = HttpGet(host.Port(), "/v1/turnover/USD?days=1");
  EXPECT_EQ(answer.status, 200) << answer.body;
  const std::string truth =
      Db(url_).Value("SELECT sum(amount) FROM entry_record WHERE entry_type = 'CREDIT'");
  EXPECT_NE(answer.body.find("\"amount\":" + truth), std::string::npos) << answer.body;
  const Answer unknown = HttpGet(host.Port(), "/v1/turnover/EUR");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_NE(unknown.body.find("TO-0001"), std::string::npos) << unknown.body;
  EXPECT_EQ(HttpGet(host.Port(), "/v1/turnover/usd").status, 400);
}

TEST_F(Example, RunAgainChangesNothingAndSeesWhatCameLate) {
  EnsureAccounts(url_, 2);
  ASSERT_EQ(Host({"run", "--once"}).exit_code, 0);
  Db db(url_);
  const std::string before = db.Value("SELECT string_agg(d::text, ' ') FROM turnover.daily d");
  const RunResult again = Host({"run", "--once", "--output", "json"});
  EXPECT_NE(again.out.find("\"items\":0"), std::string::npos) << again.out;
  EXPECT_EQ(db.Value("SELECT string_agg(d::text, ' ') FROM turnover.daily d"), before);

  db.Query("SELECT fixture.credit(fixture.account_id(1), 77)");
  ASSERT_EQ(Host({"run", "--once"}).exit_code, 0);
  EXPECT_EQ(db.Value("SELECT sum(amount) FROM turnover.daily"),
            db.Value("SELECT sum(amount) FROM entry_record WHERE entry_type = 'CREDIT'"));
}

TEST_F(Example, TheTableIsThereBeforeTheWorkerRunsAndDoctorKnowsIt) {
  EXPECT_NE(Host({"doctor"}).out.find("7 worker_start, 8 operation, turnover 1 daily"),
            std::string::npos);
  ASSERT_EQ(Host({"migrate"}).exit_code, 0);
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM turnover.daily"), 0);
  EXPECT_EQ(Host({"doctor"}).out.find("missing: "), std::string::npos);
}

TEST_F(Example, ATableThatTheFirstReleaseMadeStaysAsItIs) {
  Db db(url_);
  db.Execute(
      "CREATE SCHEMA turnover; CREATE TABLE turnover.daily (day date, currency text, amount bigint "
      "NOT NULL, entries bigint NOT NULL, PRIMARY KEY (day, currency)); INSERT INTO turnover.daily "
      "VALUES ('2020-02-29', 'USD', 7, 1)");
  ASSERT_EQ(Host({"run", "--once"}).exit_code, 0);
  EXPECT_EQ(db.Value("SELECT amount FROM turnover.daily WHERE day = '2020-02-29'"), "7");
}

TEST_F(Example, AWrongValueIsNamedWithItsPlace) {
  const TemporaryFile wrong("summa.yaml", "database: { ledger: { url: \"" + url_ +
                                              "\" } }\nplugins: { turnover: { look_back: 2 } }\n");
  const std::string plugins = std::string(std::getenv("SUMMA_BINARY_DIR")) + "/tests/example";
  const RunResult result =
      SummaHost({"config", "check", "-c", wrong.Path(), "--plugin-dir", plugins});
  EXPECT_EQ(result.exit_code, 78);
  EXPECT_NE((result.out + result.err).find("plugins.turnover.look_back"), std::string::npos)
      << result.out << result.err;
}

}  // namespace
}  // namespace summa::test
