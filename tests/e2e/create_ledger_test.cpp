// summa-host migrate --create-ledger plan, by the real program.
#include <gtest/gtest.h>

#include "tests/e2e/summa_host.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::test {
namespace {

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

class CreateLedger : public testing::Test {
 protected:
  CreateLedger() {
    static int number = 0;
    url_ = Server().CreateDatabase("create_" + std::to_string(++number));
    file_ = std::make_unique<TemporaryFile>(
        "summa.yaml", "database: { ledger: { url: \"" + url_ + "\" }, migrate: manual }\n");
  }
  RunResult Migrate(std::vector<std::string> more) {
    std::vector<std::string> words = {"migrate", "--output", "json", "-c", file_->Path()};
    words.insert(words.end(), more.begin(), more.end());
    return SummaHost(words);
  }
  std::string url_;
  std::unique_ptr<TemporaryFile> file_;
};

TEST_F(CreateLedger, MakesALedgerThatTheHostTakesForOneOfThePlan) {
  const RunResult made = Migrate({"--create-ledger", "plan"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(JsonMember(made.out, "createdLedger"), "plan");
  Db db(url_);
  EXPECT_EQ(db.Count("SELECT count(*) FROM information_schema.columns WHERE table_name = "
                     "'ledger_event' AND column_name IN ('position', 'event_hash', "
                     "'sequence_number', 'previous_hash')"),
            4);
  EXPECT_EQ(Migrate({}).exit_code, 0);
  // A run finds the layout and everything it needs.
  const RunResult run = SummaHost({"run", "--once", "--output", "json", "-c", file_->Path()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
}

TEST_F(CreateLedger, RefusesADatabaseThatHoldsAnything) {
  Db db(url_);
  db.Execute("CREATE SCHEMA shop; CREATE TABLE shop.customer (id int)");
  const RunResult refused = Migrate({"--create-ledger", "plan"});
  EXPECT_EQ(refused.exit_code, 78);
  EXPECT_EQ(JsonMember(refused.out, "code"), "SH-0422") << refused.out << refused.err;
  EXPECT_NE(refused.out.find("shop.customer"), std::string::npos) << refused.out;
  EXPECT_EQ(db.Count("SELECT count(*) FROM pg_class WHERE relname = 'ledger_event'"), 0);
}

TEST_F(CreateLedger, RefusesToMakeItTwice) {
  ASSERT_EQ(Migrate({"--create-ledger", "plan"}).exit_code, 0);
  const RunResult again = Migrate({"--create-ledger", "plan"});
  EXPECT_EQ(again.exit_code, 78);
  EXPECT_EQ(JsonMember(again.out, "code"), "SH-0422");
}

TEST_F(CreateLedger, KnowsNoOtherLayout) {
  const RunResult refused = Migrate({"--create-ledger", "deployed"});
  EXPECT_EQ(refused.exit_code, 64);
  EXPECT_EQ(JsonMember(refused.out, "code"), "SH-0900");
}

TEST_F(CreateLedger, ADryRunChangesNothing) {
  const RunResult dry = Migrate({"--create-ledger", "plan", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM pg_class WHERE relname IN ('ledger_event', "
                           "'schema_migration')"),
            0);
}

}  // namespace
}  // namespace summa::test
