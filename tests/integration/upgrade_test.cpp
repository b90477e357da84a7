// A database that was migrated before plugins had steps of their own: everything in it stays, and
// nothing is applied twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "host/database/control_plane.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/integration/plugin_steps.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/shared_data.hpp"

namespace summa::host {
namespace {

using ::testing::ElementsAre;

// Every table, column, index, constraint, trigger and function of the schema.
constexpr const char* kDefinitions = R"sql(
SELECT string_agg(line, E'\n' ORDER BY line) FROM (
  SELECT format('%s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                a.attnotnull, pg_get_expr(d.adbin, d.adrelid)) AS line
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE c.relnamespace = 'summa_host'::regnamespace AND c.relkind = 'r'
  UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
  WHERE c.relnamespace = 'summa_host'::regnamespace
  UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
  WHERE connamespace = 'summa_host'::regnamespace
  UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  WHERE c.relnamespace = 'summa_host'::regnamespace AND NOT t.tgisinternal
  UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc
  WHERE pronamespace = 'summa_host'::regnamespace) lines)sql";

class UpgradeTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new test::PostgresServer(); }
  static void TearDownTestSuite() { delete server_; }
  void SetUp() override {
    name_ = "upgrade_" + std::to_string(++databases_);
    settings_.url = test::InstallLedger(*server_, name_);
    server_->RunSqlFile(name_, test::SourceDir() + "/tests/fixture/migrated_before_plugins.sql");
    db_ = std::make_unique<test::Db>(settings_.url);
    db_->Execute(
        "INSERT INTO summa_host.outbox_state VALUES (1, now(), now()); "
        "INSERT INTO summa_host.outbox_sink VALUES ('bus-redis', NULL, NULL, now(), now()); "
        "INSERT INTO summa_host.dlq_audit (actor, action, source, filter, items, ids) VALUES "
        "('me', 'redrive', 'outbox', '', 1, '{x}'); "
        "INSERT INTO summa_host.hash_snapshot (aggregate_type, aggregate_id, snapshot_version, "
        "snapshot_hash, event_count, position) VALUES ('account', gen_random_uuid(), 1, 'h', 1, 1);"
        "INSERT INTO summa_host.inbox VALUES ('greeter', 'm1'); "
        "INSERT INTO summa_host.worker_fence VALUES ('outbox-processor', 41)");
  }
  // The plugins of this release, and one that is new, so that something is to be applied.
  static std::vector<SchemaStep> Steps() {
    std::vector<SchemaStep> steps = test::StepsWith({"outbox", "reconciliation"});
    steps.push_back({"keeper", "ledger", 1, "more", "CREATE TABLE keeper ()", "1.0.0"});
    return steps;
  }
  static bool IsNew(const std::string& step) {
    return step == "operation" || step == "retry_count" || step == "drop_outbox_poll" ||
           step == "event_by_time" || step == "event_in_fewer_reads" ||
           step == "event_of_both_layouts" || step == "more";
  }
  std::vector<std::string> Migrate() {
    std::vector<std::string> names;
    for (const MigrationStep& step : ControlPlane(settings_).Migrate(Steps())) {
      names.push_back(NameOf(step));
    }
    return names;
  }
  std::string Rows() {
    return db_->Value(
        "SELECT md5(concat((SELECT string_agg(t::text, '') FROM summa_host.outbox_state t), "
        "(SELECT string_agg(t::text, '') FROM summa_host.outbox_sink t), "
        "(SELECT string_agg(t::text, '') FROM summa_host.dlq_audit t), "
        "(SELECT string_agg(t::text, '') FROM summa_host.hash_snapshot t), "
        "(SELECT string_agg(t::text, '') FROM summa_host.inbox t), "
        "(SELECT string_agg(t::text, '') FROM summa_host.worker_fence t)))");
  }
  std::string Records() {
    return db_->Value(
        "SELECT string_agg(plugin || ' ' || version, ', ' ORDER BY plugin, version) FROM "
        "summa_host.schema_migration");
  }

  static inline test::PostgresServer* server_ = nullptr;
  static inline int databases_ = 0;
  std::string name_;
  DatabaseSettings settings_;
  std::unique_ptr<test::Db> db_;
};

TEST_F(UpgradeTest, KeepsEveryRowAndAppliesNothingTwice) {
  const std::string rows = Rows();
  EXPECT_THAT(Migrate(),
              ElementsAre("8 operation", "outbox 3 retry_count", "outbox 4 drop_outbox_poll",
                          "outbox 5 event_by_time", "outbox 6 event_in_fewer_reads",
                          "outbox 7 event_of_both_layouts", "keeper 1 more"));
  EXPECT_EQ(Rows(), rows);
  EXPECT_THAT(Migrate(), ElementsAre());
  EXPECT_EQ(Records(),
            "host 1, host 2, host 3, host 4, host 5, host 6, host 7, host 8, keeper 1, outbox 1, "
            "outbox 2, outbox 3, outbox 4, outbox 5, outbox 6, outbox 7, reconciliation 1");
  EXPECT_EQ(db_->Value("SELECT string_agg(plugin || ' ' || version, ', ') FROM "
                       "summa_host.schema_migration WHERE checksum IS NULL AND NOT (plugin = "
                       "'host' AND version IN (2, 4, 6))"),
            test::kNull)
      << "from now on a change would be seen";
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.schema_migration o JOIN "
                       "summa_host.schema_migration p USING (applied_at) WHERE (o.plugin, "
                       "o.version, p.plugin, p.version) IN (('host', 2, 'outbox', 1), ('host', 4, "
                       "'outbox', 2), ('host', 6, 'reconciliation', 1))"),
            3);
}

TEST_F(UpgradeTest, StepsThatWereReleasedStandAsTheyWere) {
  std::ifstream file(test::SourceDir() + "/tests/fixture/migrated_before_plugins.sql");
  std::ostringstream released;
  released << file.rdbuf();
  int found = 0;
  for (const SchemaStep& step : test::StepsWith({"outbox", "reconciliation"})) {
    if (IsNew(step.name)) continue;
    EXPECT_NE(released.str().find(step.sql), std::string::npos)
        << step.plugin << " " << step.version << " was changed: databases have its checksum";
    ++found;
  }
  EXPECT_EQ(found, 7);
}

TEST_F(UpgradeTest, BecomesWhatANewDatabaseIs) {
  Migrate();
  DatabaseSettings fresh = settings_;
  fresh.url = test::InstallLedger(*server_, name_ + "_new");
  ControlPlane(fresh).Migrate(Steps());
  EXPECT_EQ(db_->Value(kDefinitions), test::Db(fresh.url).Value(kDefinitions));
}

TEST_F(UpgradeTest, ALookKnowsTheOldNumbersAndChangesNothing) {
  for (const MigrationStep& step : ControlPlane(settings_).Migrations(Steps())) {
    EXPECT_EQ(step.applied, !IsNew(step.name)) << NameOf(step);
    EXPECT_FALSE(step.problem.has_value()) << NameOf(step);
  }
  EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_attribute WHERE attrelid = "
                       "'summa_host.schema_migration'::regclass AND attname = 'plugin'"),
            0);
}

TEST_F(UpgradeTest, ProgramsOfTheReleaseBeforeFindEveryStepOfTheirs) {
  Migrate();
  EXPECT_THAT(db_->Column("SELECT DISTINCT version FROM summa_host.schema_migration ORDER BY 1"),
              ElementsAre("1", "2", "3", "4", "5", "6", "7", "8"));
}

TEST_F(UpgradeTest, AnEvenOlderOneGetsWhatItLacks) {
  db_->Execute(
      "DROP TABLE summa_host.outbox_waiting, summa_host.outbox_sent, summa_host.outbox_sink, "
      "summa_host.dlq_audit; DROP FUNCTION summa_host.outbox_tail, summa_host.outbox_observed; "
      "DELETE FROM summa_host.schema_migration WHERE version = 4");
  EXPECT_THAT(Migrate(), ElementsAre("8 operation", "outbox 2 delivery", "outbox 3 retry_count",
                                     "outbox 4 drop_outbox_poll", "outbox 5 event_by_time",
                                     "outbox 6 event_in_fewer_reads",
                                     "outbox 7 event_of_both_layouts", "keeper 1 more"));
  EXPECT_EQ(db_->Value("SELECT to_regclass('summa_host.outbox_waiting') IS NOT NULL"), "t");
}

}  // namespace
}  // namespace summa::host
