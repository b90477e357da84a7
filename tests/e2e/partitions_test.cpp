// The verbs of the partition manager with the real program: results, exit codes, and kills at every
// step of a detach.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <utility>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Partitions : public testing::Test {
 protected:
  Partitions() : Partitions(PostgresOptions()) {}
  explicit Partitions(PostgresOptions options)
      : server_(std::move(options)), url_(InstallLedger(server_, "ledger")), db_(url_) {
    db_.Execute(
        "SET TimeZone = 'UTC'; CREATE TABLE reading (id bigint GENERATED ALWAYS AS IDENTITY, at "
        "timestamptz NOT NULL, note text) PARTITION BY RANGE (at)");
    for (int month = -5; month <= 0; ++month) {
      db_.Execute(
          "DO $do$ BEGIN EXECUTE format('CREATE TABLE reading_%s PARTITION OF reading FOR "
          "VALUES FROM (%L) TO (%L)', to_char(" +
          Start(month) + ", 'YYYY_MM'), " + Start(month) + ", " + Start(month + 1) + "); END $do$");
    }
    db_.Execute("INSERT INTO reading (at, note) SELECT " + Start(-5) +
                " + n * interval '1 hour', 'n' || n FROM generate_series(1, 30) n");
    old_ = "reading_" + db_.Value("SELECT to_char(" + Start(-5) + ", 'YYYY_MM')");
  }
  static std::string Start(int month) {
    return "(date_trunc('month', now()) + interval '" + std::to_string(month) + " months')";
  }
  RunResult Verb(std::vector<std::string> words,
                 std::map<std::string, std::string> environment = {},
                 const std::string& more = "") const {
    const TemporaryFile file(
        "summa.yaml", "database: { ledger: { url: \"" + url_ +
                          "\" }, migrate: auto }\nhost: { listen: \"127.0.0.1:0\" }\nschedules: { "
                          "partition-manager: { lease_ttl: 3s } }\nplugins: { maintenance: { "
                          "partitions: { reading: { interval: monthly, ahead: 2, retention: 120d" +
                          more + " } } } }\n");
    words.insert(words.end(), {"-c", file.Path(), "--output", "json"});
    return SummaHost(words, std::move(environment));
  }
  std::string StateOfOld() {
    return db_.Value("SELECT state FROM summa_host.partition_record WHERE name = $1", {old_});
  }

  PostgresServer server_;
  std::string url_;
  Db db_;
  std::string old_;
};

TEST_F(Partitions, ListHasOneRowForEachAndSaysWhereItIs) {
  const RunResult run = Verb({"partitions", "list"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("\"name\":\"" + old_ + "\",\"from\":\"" +
                                 db_.Value("SELECT to_char(" + Start(-5) +
                                           ", 'YYYY-MM-DD\"T00:00:00.000Z\"')") +
                                 "\""));
  EXPECT_THAT(run.out, HasSubstr("\"state\":\"attached\""));
}

TEST_F(Partitions, PlanShowsAndCreateDoes) {
  RunResult run = Verb({"partitions", "plan"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("\"kind\":\"create\""));
  EXPECT_THAT(run.out, HasSubstr("\"kind\":\"detach\",\"name\":\"" + old_ + "\""));

  const std::string partitions =
      "SELECT count(*) FROM pg_inherits WHERE inhparent = "
      "'reading'::regclass";
  ASSERT_EQ(db_.Count(partitions), 6);
  run = Verb({"partitions", "create", "--dry-run"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(db_.Count(partitions), 6) << "a dry run changes nothing";
  run = Verb({"partitions", "create"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(db_.Count(partitions), 10) << "two ahead, and two for overflow";
  run = Verb({"partitions", "plan"});
  EXPECT_THAT(run.out, Not(HasSubstr("\"kind\":\"create\"")));
}

TEST_F(Partitions, DrainMovesRowsThatHaveNoRange) {
  ASSERT_EQ(Verb({"partitions", "create"}).exit_code, 0);
  db_.Execute("INSERT INTO reading (at) SELECT " + Start(4));
  const RunResult run = Verb({"partitions", "drain"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(db_.Count("SELECT count(*) FROM reading_overflow_high"), 0);
  EXPECT_EQ(db_.Count("SELECT count(*) FROM reading"), 31);
}

TEST_F(Partitions, DetachIsFinishedWhereverItWasKilled) {
  const std::vector<std::string> points = {
      "partition.record", "partition.recorded", "partition.detached",
      "partition.settle", "partition.settled",  "partition.file_part",
      "partition.file",   "partition.drop",     "partition.dropped"};
  const TemporaryFile archive("keep", "");
  const std::string more = ", archive: file, archive_directory: \"" + archive.Directory() + "\"";
  const std::string rows =
      "SELECT string_agg(r::text, ',' ORDER BY id) FROM reading r WHERE at < " + Start(-4);
  const std::string before = db_.Value(rows);
  for (const std::string& point : points) {
    SCOPED_TRACE(point);
    const RunResult killed =
        Verb({"partitions", "detach", old_, "--wait", "60s"}, {{"SUMMA_CRASH_AT", point}}, more);
    EXPECT_NE(killed.exit_code, 0) << "the point was not reached: " << killed.out << killed.err;
    if (db_.Value("SELECT count(*) FROM summa_host.partition_record WHERE name = '" + old_ +
                  "' AND state = 'archived'") == "0") {
      // The rest, however far it came: by hand when it is attached still.
      const bool attached =
          db_.Count(
              "SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
              "WHERE i.inhparent = 'reading'::regclass AND c.relname = $1",
              {old_}) > 0;
      std::vector<std::string> words = {"partitions", "detach"};
      if (attached) words.push_back(old_);
      words.insert(words.end(), {"--wait", "60s"});
      const RunResult again = Verb(words, {}, more);
      EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
    }
    ASSERT_EQ(StateOfOld(), "archived");
    EXPECT_TRUE(std::filesystem::exists(archive.Directory() + "/" + old_ + ".copy.gz"));
    EXPECT_EQ(db_.Value("SELECT to_regclass($1) IS NULL", {old_}), "t");
    const RunResult attach = Verb({"partitions", "attach", old_, "--wait", "60s"}, {}, more);
    ASSERT_EQ(attach.exit_code, 0) << attach.out << attach.err;
    EXPECT_EQ(db_.Value(rows), before);
  }
}

TEST_F(Partitions, AMigrationThatWouldMakeTooManyIsRefusedBeforeItBegins) {
  EnsureAccounts(url_, 2);
  db_.Execute("UPDATE ledger_event SET created_at = now() - interval '2 years'");
  const std::vector<std::string> monthly = {"migrate:partition-event-store", "--dry-run"};
  const RunResult possible = Verb(monthly);
  EXPECT_EQ(possible.exit_code, 0) << possible.out << possible.err;
  for (const char* strategy : {"--strategy=online", "--strategy=attach"}) {
    std::vector<std::string> words = {"migrate:partition-event-store", strategy,
                                      "--interval=hourly"};
    const RunResult refused = Verb(words);
    EXPECT_EQ(refused.exit_code, 64) << strategy << refused.out << refused.err;
    words.emplace_back("--dry-run");
    const RunResult planned = Verb(words);
    EXPECT_NE(planned.exit_code, 0) << strategy << planned.out << planned.err;
    EXPECT_THAT(planned.out, HasSubstr("SH-0827")) << strategy;
  }
  EXPECT_EQ(db_.Count("SELECT count(*) FROM summa_host.operation"), 0) << "nothing is left open";
}

class PartitionsOfSmallServer : public Partitions {
 protected:
  static PostgresOptions Options() {
    PostgresOptions options;
    options.settings = {{"max_connections", "20"}};
    return options;
  }
  PartitionsOfSmallServer() : Partitions(Options()) {}
};

TEST_F(PartitionsOfSmallServer, AMigrationForWhoseExchangeThereAreTooFewLocksDoesNotBegin) {
  EnsureAccounts(url_, 2);
  db_.Execute("UPDATE ledger_event SET created_at = now() - interval '2 years'");
  std::vector<std::string> words = {"migrate:partition-event-store", "--strategy=attach",
                                    "--interval=weekly"};
  const RunResult refused = Verb(words);
  EXPECT_NE(refused.exit_code, 0) << refused.out << refused.err;
  EXPECT_THAT(refused.out + refused.err, HasSubstr("SH-0859"));
  words.emplace_back("--dry-run");
  const RunResult planned = Verb(words);
  EXPECT_NE(planned.exit_code, 0) << planned.out << planned.err;
  EXPECT_THAT(planned.out, HasSubstr("SH-0859: the exchange of "));
  EXPECT_THAT(planned.out, HasSubstr("max_locks_per_transaction = 64"));
  words[2] = "--interval=monthly";
  const RunResult possible = Verb(words);
  EXPECT_EQ(possible.exit_code, 0) << possible.out << possible.err;
  EXPECT_EQ(db_.Count("SELECT count(*) FROM summa_host.operation"), 0) << "nothing is left open";
}

TEST_F(Partitions, UnknownNamesAreExitSixtySix) {
  EXPECT_EQ(Verb({"partitions", "detach", "reading_nowhere"}).exit_code, 66);
  EXPECT_EQ(Verb({"partitions", "attach", "reading_nowhere"}).exit_code, 66);
  EXPECT_EQ(Verb({"partitions", "list", "--table", "nowhere"}).exit_code, 66);
}

TEST_F(Partitions, AdviseNamesAnInterval) {
  db_.Execute("ANALYZE reading");
  const RunResult run = Verb({"partitions", "advise"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("\"advised\":\"monthly\""));
}

}  // namespace
}  // namespace summa::test
