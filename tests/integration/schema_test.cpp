// Steps of plugins' tables: applied once and in order, recorded with what they were, and refused
// when they do not fit what the database has.
#include <gmock/gmock.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SchemaTest : public DatabaseTest {
 protected:
  static SchemaStep Step(int version, const std::string& sql,
                         const std::string& database = "ledger",
                         const std::string& plugin = "keeper") {
    return {plugin, database, version, "step" + std::to_string(version), sql, "1.2.0"};
  }
  // Behind those of the host.
  static std::vector<SchemaStep> With(std::vector<SchemaStep> steps) {
    std::vector<SchemaStep> all = HostSteps();
    all.insert(all.end(), steps.begin(), steps.end());
    return all;
  }
  std::vector<std::string> Migrate(const std::vector<SchemaStep>& steps) {
    std::vector<std::string> names;
    for (const MigrationStep& step : ControlPlane(settings_).Migrate(steps)) {
      names.push_back(NameOf(step));
    }
    return names;
  }
  Error Refused(const std::vector<SchemaStep>& steps) {
    try {
      ControlPlane(settings_).Migrate(steps);
    } catch (const Failure& failure) {
      return failure.error();
    }
    return {};
  }
  std::string Records() {
    return db_->Value(
        "SELECT coalesce(string_agg(concat_ws(' ', plugin, database, version, name, release), ', ' "
        "ORDER BY plugin, database, version), '') FROM summa_host.schema_migration WHERE plugin <> "
        "'host'");
  }
  bool Exists(const std::string& table) {
    return db_->Value("SELECT to_regclass($1) IS NOT NULL", {table}) == "t";
  }
};

TEST_F(SchemaTest, StepsAreAppliedOnceInOrderAndRecordedWithWhatTheyWere) {
  const std::vector<SchemaStep> steps =
      With({Step(1, "CREATE TABLE a (x int)"), Step(2, "ALTER TABLE a ADD y int"),
            Step(1, "CREATE TABLE b (x int)", "read"),
            Step(1, "CREATE VIEW c AS SELECT y FROM a", "ledger", "reader")});
  EXPECT_THAT(Migrate(steps), ElementsAre("keeper 1 step1", "keeper 2 step2", "keeper read 1 step1",
                                          "reader 1 step1"));
  EXPECT_THAT(Migrate(steps), ElementsAre());
  EXPECT_EQ(Records(),
            "keeper ledger 1 step1 1.2.0, keeper ledger 2 step2 1.2.0, keeper read 1 step1 1.2.0, "
            "reader ledger 1 step1 1.2.0");
  EXPECT_EQ(db_->Value("SELECT checksum FROM summa_host.schema_migration WHERE plugin = 'keeper' "
                       "AND database = 'ledger' AND version = 1"),
            db_->Value("SELECT encode(sha256('CREATE TABLE a (x int)'), 'hex')"));
}

TEST_F(SchemaTest, ALookNamesWhatIsMissingAndChangesNothing) {
  const std::vector<SchemaStep> steps = With({Step(1, "CREATE TABLE a (x int)")});
  const std::vector<MigrationStep> found = ControlPlane(settings_).Migrations(steps);
  EXPECT_EQ(NameOf(found.back()), "keeper 1 step1");
  EXPECT_FALSE(found.back().applied);
  EXPECT_TRUE(found.front().applied);
  EXPECT_FALSE(Exists("a"));
}

TEST_F(SchemaTest, AStepThatWasChangedIsRefusedAndNothingIsApplied) {
  Migrate(With({Step(1, "CREATE TABLE a (x int)")}));
  const std::vector<SchemaStep> changed =
      With({Step(1, "CREATE TABLE a (x bigint)"), Step(2, "CREATE TABLE b (x int)")});
  const Error error = Refused(changed);
  EXPECT_EQ(error.code, "SH-0435");
  EXPECT_THAT(error.message, HasSubstr("keeper 1 step1"));
  EXPECT_EQ(ExitCode(error), 78);
  EXPECT_FALSE(Exists("b"));
  EXPECT_EQ(Records(), "keeper ledger 1 step1 1.2.0");
  const auto found = ControlPlane(settings_).Migrations(changed);
  EXPECT_TRUE(found[found.size() - 2].problem.has_value());
  EXPECT_FALSE(found.back().problem.has_value());
}

TEST_F(SchemaTest, ALaterStepThanIsKnownIsRefusedAndThoseOfOthersAreNobodysBusiness) {
  Migrate(With({Step(1, "CREATE TABLE a (x int)"), Step(2, "CREATE TABLE b (x int)")}));
  const Error error = Refused(With(
      {Step(1, "CREATE TABLE a (x int)"), Step(1, "CREATE TABLE c (x int)", "read", "other")}));
  EXPECT_EQ(error.code, "SH-0436");
  EXPECT_THAT(error.message, HasSubstr("keeper 2 step2 of release 1.2.0"));
  EXPECT_EQ(ExitCode(error), 78);
  EXPECT_FALSE(Exists("c"));
  // The plugin is not enabled.
  EXPECT_THAT(Migrate(With({Step(1, "CREATE TABLE c (x int)", "read", "other")})),
              ElementsAre("other read 1 step1"));
}

TEST_F(SchemaTest, AStepThatFailsIsNamedAndLeavesNothingBehind) {
  const std::vector<SchemaStep> steps =
      With({Step(1, "CREATE TABLE a (x int)"), Step(2, "CREATE TABLE b (x int); SELECT 1 / 0")});
  const Error error = Refused(steps);
  EXPECT_EQ(error.code, "SH-0417");
  EXPECT_THAT(error.message, HasSubstr("keeper 2 step2: PostgreSQL: division by zero"));
  EXPECT_TRUE(Exists("a"));
  EXPECT_FALSE(Exists("b"));
  EXPECT_EQ(Records(), "keeper ledger 1 step1 1.2.0");
}

TEST_F(SchemaTest, AStepThatEndsItsTransactionIsRefused) {
  for (const char* end : {"COMMIT", "ROLLBACK", "COMMIT; BEGIN"}) {
    const Error error =
        Refused(With({Step(1, std::string("CREATE TEMP TABLE t (x int); ") + end)}));
    EXPECT_EQ(error.code, "SH-0417") << end;
    EXPECT_THAT(error.message, HasSubstr("ended the transaction")) << end;
    EXPECT_EQ(Records(), "") << end;
  }
}

TEST_F(SchemaTest, ALockThatSomebodyHoldsIsWaitedForByTheCallerAndIsNoFaultOfTheStep) {
  Migrate(With({Step(1, "CREATE TABLE a (x int)")}));
  test::Db other(settings_.url);
  other.Execute("BEGIN; LOCK TABLE a");
  const Error error = Refused(With({Step(1, "CREATE TABLE a (x int)"),
                                    Step(2, "SET LOCAL lock_timeout = '50ms'; DROP TABLE a")}));
  EXPECT_EQ(error.code, "SH-0410");
  EXPECT_THAT(error.message, HasSubstr("keeper 2 step2"));
  EXPECT_EQ(ExitCode(error), 75);
}

TEST_F(SchemaTest, WhatAStepSetsHoldsForItAlone) {
  Migrate(With({Step(1, "SELECT set_config('search_path', '', false); SET work_mem = '77MB'"),
                Step(2,
                     "CREATE TABLE made AS SELECT current_schema() AS place, "
                     "current_setting('work_mem') AS memory")}));
  EXPECT_EQ(db_->Value("SELECT place FROM made"), "public");
  EXPECT_NE(db_->Value("SELECT memory FROM made"), "77MB");
}

TEST_F(SchemaTest, ManyAtOnceApplyEveryStepOnce) {
  std::vector<SchemaStep> steps;
  for (int i = 1; i <= 8; ++i) {
    steps.push_back(Step(i, "CREATE TABLE t" + std::to_string(i) + "()"));
  }
  const std::vector<SchemaStep> all = With(steps);
  // As from the beginning, so that the table of records itself is made by several at once.
  db_->Execute("DROP SCHEMA summa_host CASCADE");
  std::atomic<std::size_t> applied{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { applied += ControlPlane(settings_).Migrate(all).size(); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(applied, all.size());
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.schema_migration"),
            static_cast<long long>(all.size()));
}

TEST_F(SchemaTest, ARoleThatMayOnlyReadIsToldNothingWhenNothingIsMissing) {
  const std::vector<SchemaStep> steps = With({Step(1, "CREATE TABLE a (x int)")});
  Migrate(steps);
  db_->Execute(
      "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA summa_host TO "
      "reader; GRANT SELECT ON ALL TABLES IN SCHEMA summa_host TO reader");
  settings_.url.replace(settings_.url.find("postgres@"), 8, "reader");
  EXPECT_THAT(Migrate(steps), ElementsAre());
  EXPECT_EQ(Refused(With({Step(1, "CREATE TABLE a (x int)"), Step(2, "CREATE TABLE b ()")})).code,
            "SH-0413");
}

}  // namespace
}  // namespace summa::host
