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

class CreatePartitionedLedger : public CreateLedger {
 protected:
  CreatePartitionedLedger() {
    file_ = std::make_unique<TemporaryFile>(
        "summa.yaml", "database: { ledger: { url: \"" + url_ +
                          "\" }, migrate: manual }\nplugins: { maintenance: {} }\n");
  }
  static std::string Insert(const std::string& aggregate, int version, const std::string& hash,
                            const std::string& previous, const std::string& time) {
    return "INSERT INTO ledger_event (aggregate_type, aggregate_id, event_type, event_data, "
           "sequence_number, event_hash, previous_hash, created_at) VALUES ('account', '" +
           aggregate + "', 'E', '{}', " + std::to_string(version) + ", '" + hash + "', nullif('" +
           previous + "', ''), " + time + ")";
  }
  static std::string Refused(Db& db, const std::string& statement) {
    try {
      db.Execute(statement);
    } catch (const DbError& error) {
      return error.sqlstate;
    }
    return "";
  }
};

constexpr const char* kAggregate = "00000000-0000-0000-0000-000000000001";

TEST_F(CreatePartitionedLedger, HasRangesFromThisMonthToThreeAheadAndAPlaceForEveryOtherTime) {
  const RunResult made = Migrate({"--create-ledger", "plan", "--partitioned"});
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  EXPECT_EQ(JsonMember(made.out, "createdLedger"), "plan");
  Db db(url_);
  db.Execute("SET TimeZone = 'UTC'");
  EXPECT_EQ(db.Count("SELECT count(*) FROM pg_partition_tree('ledger_event') WHERE isleaf"), 6);
  // The month may end between the migration and this question.
  EXPECT_GE(db.Count("SELECT count(*) FROM generate_series(0, 3) i WHERE to_regclass("
                     "'ledger_event_' || to_char(now() + i * interval '1 month', 'YYYY_MM')) IS "
                     "NOT NULL"),
            3);
  int number = 0;
  for (const char* time :
       {"'0001-01-01'", "now()", "now() + interval '2 months'", "'9999-01-01'"}) {
    const std::string aggregate = "00000000-0000-0000-0000-10000000000" + std::to_string(++number);
    EXPECT_EQ(Refused(db, Insert(aggregate, 1, "h1", "", time)), "") << time;
  }
  EXPECT_EQ(db.Count("SELECT count(*) FROM ledger_event_overflow_low"), 1);
  EXPECT_EQ(db.Count("SELECT count(*) FROM ledger_event_overflow_high"), 1);
  EXPECT_EQ(Migrate({}).exit_code, 0);
}

TEST_F(CreatePartitionedLedger, KeepsEventsUniqueAcrossPartitionsFromTheFirstOn) {
  ASSERT_EQ(Migrate({"--create-ledger", "plan", "--partitioned"}).exit_code, 0);
  Db db(url_);
  EXPECT_EQ(Refused(db, Insert(kAggregate, 1, "h1", "", "now()")), "");
  EXPECT_EQ(Refused(db, Insert(kAggregate, 1, "h1", "", "now() + interval '2 months'")), "23505");
  EXPECT_EQ(Refused(db, Insert(kAggregate, 3, "h3", "h2", "now()")), "23514");
  EXPECT_EQ(Refused(db, Insert(kAggregate, 2, "h2", "h1", "now() + interval '2 months'")), "");
  EXPECT_EQ(Refused(db, "UPDATE ledger_event SET position = 0"), "23514");
}

TEST_F(CreatePartitionedLedger, TheOutboxReferencesTheKeysOfEvents) {
  ASSERT_EQ(Migrate({"--create-ledger", "plan", "--partitioned"}).exit_code, 0);
  Db db(url_);
  db.Execute(Insert(kAggregate, 1, "h1", "", "now()"));
  db.Execute(
      "INSERT INTO outbox (event_id, topic, payload) SELECT id, 't', '{}' FROM ledger_event");
  EXPECT_EQ(Refused(db,
                    "INSERT INTO outbox (event_id, topic, payload) VALUES (gen_random_uuid(), 't', "
                    "'{}')"),
            "23503");
  EXPECT_EQ(Refused(db, "DELETE FROM ledger_event"), "23503");
}

TEST_F(CreatePartitionedLedger, NeedsThePluginThatGuardsIt) {
  file_ = std::make_unique<TemporaryFile>(
      "summa.yaml", "database: { ledger: { url: \"" + url_ + "\" }, migrate: manual }\n");
  for (const bool dry : {false, true}) {
    std::vector<std::string> words = {"--create-ledger", "plan", "--partitioned"};
    if (dry) words.push_back("--dry-run");
    const RunResult refused = Migrate(words);
    EXPECT_EQ(refused.exit_code, 78);
    EXPECT_EQ(JsonMember(refused.out, "code"), "SH-0437") << refused.out << refused.err;
  }
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM pg_class WHERE relname = 'ledger_event'"), 0);
}

TEST_F(CreatePartitionedLedger, LeavesNothingBehindWhenItFails) {
  Db db(url_);
  db.Execute(
      "CREATE SCHEMA summa_host; CREATE FUNCTION summa_host.install_ledger_event_guard(regclass) "
      "RETURNS integer LANGUAGE sql AS 'SELECT 1'");
  const RunResult failed = Migrate({"--create-ledger", "plan", "--partitioned"});
  EXPECT_EQ(failed.exit_code, 70);
  EXPECT_EQ(JsonMember(failed.out, "code"), "SH-0417") << failed.out << failed.err;
  EXPECT_EQ(db.Count("SELECT count(*) FROM pg_class WHERE relname IN ('ledger_event', 'outbox', "
                     "'schema_migration')"),
            0);
}

TEST_F(CreatePartitionedLedger, IsNothingWithoutCreateLedger) {
  const RunResult refused = Migrate({"--partitioned"});
  EXPECT_EQ(refused.exit_code, 64);
  EXPECT_EQ(JsonMember(refused.out, "code"), "SH-0900");
}

TEST_F(CreatePartitionedLedger, ADryRunChangesNothing) {
  const RunResult dry = Migrate({"--create-ledger", "plan", "--partitioned", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM pg_class WHERE relname IN ('ledger_event', "
                           "'schema_migration')"),
            0);
}

}  // namespace
}  // namespace summa::test
