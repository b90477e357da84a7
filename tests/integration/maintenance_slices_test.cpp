// The slices of strategy attach against a real PostgreSQL: they take the place of the flat table, and
// give it back, without losing an event.
#include "tests/integration/maintenance_migration_support.hpp"

#include <string>
#include <summa/operation.hpp>
#include <vector>

#include "manager/table_care.hpp"
#include "migration/exchange.hpp"
#include "migration/migration.hpp"

namespace summa::maintenance {
namespace {

constexpr const char* kOldRows =
    "ledger_event WHERE created_at < (SELECT bound FROM summa_host.migration)";

// As if the time of the flat table, which was attached, was over.
constexpr const char* kTimePasses = R"sql(
DO $do$ DECLARE
  was timestamptz := (SELECT bound FROM summa_host.migration);
  ended timestamptz;
BEGIN
  LOCK TABLE ledger_event IN ACCESS EXCLUSIVE MODE;
  ended := clock_timestamp();
  ALTER TABLE ledger_event DETACH PARTITION ledger_event_old;
  EXECUTE format('ALTER TABLE ledger_event ATTACH PARTITION ledger_event_old FOR VALUES FROM '
                 '(MINVALUE) TO (%L)', ended);
  EXECUTE format('CREATE TABLE ledger_event_since PARTITION OF ledger_event FOR VALUES FROM (%L) '
                 'TO (%L)', ended, was);
  ALTER TABLE ledger_event_since ADD PRIMARY KEY (id);
  UPDATE summa_host.migration SET bound = ended;
END $do$)sql";

class SliceTest : public MigrationTest {
 protected:
  // Whose flat table is attached, and gets no event any more.
  SliceTest() {
    Start(true, "attach");
    Run();
    Append();
    db_->Execute(kTimePasses);
    before_ = Rows("ledger_event");
  }

  bool FlatIsAttached() {
    return db_->Count(
               "SELECT count(*) FROM pg_inherits WHERE inhrelid = "
               "'ledger_event_old'::regclass") == 1;
  }
  void AppendOldEvent() {
    db_->Execute(
        "INSERT INTO ledger_event (aggregate_type, aggregate_id, aggregate_version, event_type, "
        "event_data, correlation_id, hash, created_at) SELECT 'account', gen_random_uuid(), 1, "
        "'x', '{}', gen_random_uuid(), 'h', bound - interval '1 second' FROM summa_host.migration");
  }
  // With a position that somebody has chosen, among those of the flat table.
  std::string InsertOfOldPosition() const {
    return "INSERT INTO ledger_event (sequence_number, aggregate_type, aggregate_id, "
           "aggregate_version, event_type, event_data, correlation_id, hash, created_at) SELECT 0, "
           "'account', gen_random_uuid(), 1, 'x', '{}', gen_random_uuid(), 'h', bound - interval "
           "'1 "
           "second' FROM summa_host.migration";
  }
  void ExpectNoProblem() {
    EXPECT_EQ(db_->Count("SELECT count(*) FROM (SELECT prev_hash, lag(hash) OVER (PARTITION BY "
                         "aggregate_type, aggregate_id ORDER BY aggregate_version) AS before FROM "
                         "ledger_event) chain WHERE prev_hash IS DISTINCT FROM before"),
              0);
    EXPECT_EQ(db_->Count("SELECT count(*) FROM ledger_event e FULL JOIN "
                         "summa_host.ledger_event_key k ON k.id = e.id AND k.position = "
                         "e.sequence_number WHERE e.id IS NULL OR k.id IS NULL"),
              0);
    ExpectGuardedPartitions();
    EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_constraint WHERE conname IN "
                         "('summa_partition_bounds', 'summa_migration_bound')"),
              0);
    EXPECT_EQ(db_->Value("SELECT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' "
                         "AND conrelid = 'outbox'::regclass AND convalidated"),
              "summa_host.ledger_event_key");
  }
  ManagerSettings WithRetention() const {
    ManagerSettings settings;
    settings.closed_after = std::chrono::microseconds(0);
    settings.require_verified = false;
    settings.tables = {TableSettings{}};
    settings.tables[0].ranges.retention = std::chrono::microseconds(1);
    return settings;
  }
  WorkCaller Caller() {
    return MigrationTest::Caller([] { return false; }, [] {});
  }

  std::string before_;
};

TEST_F(SliceTest, TakeThePlaceOfTheFlatTable) {
  Run();
  EXPECT_EQ(State(), "swapped");
  EXPECT_EQ(Slices(), "exchanged");
  EXPECT_FALSE(FlatIsAttached());
  EXPECT_FALSE(Exists("ledger_event_new"));
  EXPECT_EQ(Rows("ledger_event"), before_);
  EXPECT_EQ(Rows(kOldRows), before_);
  EXPECT_EQ(Rows("ledger_event_old"), before_);
  EXPECT_GE(db_->Count(std::string("SELECT count(DISTINCT tableoid) FROM ") + kOldRows), 2);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM ledger_event_overflow_low"), 0);
  ExpectNoProblem();
  Append();
}

TEST_F(SliceTest, AreMadeOnlyWhenTheTimeOfTheFlatTableIsOver) {
  db_->Execute("UPDATE summa_host.migration SET bound = clock_timestamp() + interval '1 day'");
  Run();
  EXPECT_EQ(Slices(), "");
  EXPECT_THAT(db_->Value("SELECT waiting_for FROM summa_host.migration"),
              testing::HasSubstr("to be over"));
}

TEST_F(SliceTest, WaitForAWriterThatHasNotEndedAndNameIt) {
  Db writer(settings_.url);
  writer.Execute("BEGIN; SELECT fixture.credit(fixture.account_id(1), 5)");
  std::string named;
  Run([&] {
    const std::string waits = db_->Value("SELECT waiting_for FROM summa_host.migration");
    if (!named.empty() || waits.find("writer") == std::string::npos) return;
    EXPECT_EQ(Slices(), "");
    named = waits;
    writer.Execute("COMMIT");
  });
  EXPECT_THAT(named, testing::HasSubstr("process " + std::to_string(writer.BackendPid())));
  EXPECT_EQ(Slices(), "exchanged");
  ExpectNoProblem();
}

TEST_F(SliceTest, AFrozenTableRefusesEveryChange) {
  RunUntil("frozen");
  for (const char* change :
       {"UPDATE ledger_event SET event_type = 'x'", "DELETE FROM ledger_event",
        "UPDATE ledger_event_old SET event_type = 'x'", "TRUNCATE ledger_event_old",
        "INSERT INTO ledger_event SELECT * FROM ledger_event_old LIMIT 1"}) {
    EXPECT_EQ(SqlStateOf(change), "55000") << change;
  }
  Append();
}

// Before, and afterwards until it is finalized: otherwise there would be no way back.
TEST_F(SliceTest, RefuseChangesUntilTheEnd) {
  RunUntil("verifying");
  EXPECT_EQ(SqlStateOf("UPDATE ledger_event_new SET event_type = 'x'"), "55000");
  Run();
  ASSERT_EQ(Slices(), "exchanged");
  EXPECT_EQ(SqlStateOf("UPDATE ledger_event SET event_type = 'x'"), "55000");
  Request("finalize");
  Run();
  EXPECT_EQ(State(), "finalized");
  EXPECT_FALSE(Exists("ledger_event_old"));
  EXPECT_EQ(SqlStateOf("UPDATE ledger_event SET event_type = event_type"), "");
  EXPECT_EQ(db_->Value("SELECT to_regproc('summa_host.ledger_event_no_change') IS NULL"), "t");
  EXPECT_EQ(Rows("ledger_event"), before_);
  ExpectNoProblem();
  EXPECT_EQ(SqlStateOf(InsertOfOldPosition()), "");
}

TEST_F(SliceTest, GiveTheirPlaceBackAndTakeItAgain) {
  Run();
  Append();
  const std::string rows = Rows("ledger_event");
  Request("rollback");
  Run();
  EXPECT_EQ(State(), "swapped");
  EXPECT_EQ(Slices(), "restored");
  EXPECT_TRUE(FlatIsAttached());
  EXPECT_FALSE(Exists("ledger_event_overflow_low"));
  EXPECT_EQ(Rows("ledger_event"), rows);
  ExpectNoProblem();
  AppendOldEvent();
  Run();
  EXPECT_EQ(Slices(), "restored") << "until somebody decides";
  Request("swap");
  Run();
  EXPECT_EQ(Slices(), "exchanged");
  EXPECT_EQ(Rows(kOldRows), Rows("ledger_event_old"));
}

TEST_F(SliceTest, DoNotGiveTheirPlaceBackWhenAnEventWouldBeLost) {
  Run();
  AppendOldEvent();
  const std::string rows = Rows("ledger_event");
  Request("rollback");
  EXPECT_THAT(Refusal(), testing::HasSubstr("SH-0856"));
  EXPECT_EQ(Refusal(), "") << "it is asked for no longer";
  EXPECT_EQ(Slices(), "exchanged");
  EXPECT_EQ(Rows("ledger_event"), rows);
}

// It would be lost by a way back that looks at the positions after those of the flat table.
TEST_F(SliceTest, RefuseAnEventWithAPositionOfTheFlatTable) {
  Run();
  ASSERT_EQ(Slices(), "exchanged");
  EXPECT_EQ(SqlStateOf(InsertOfOldPosition()), "55000");
  EXPECT_EQ(SqlStateOf("SET session_replication_role = replica; " + InsertOfOldPosition()),
            "55000");
  Request("rollback");
  Run();
  EXPECT_EQ(Slices(), "restored");
  EXPECT_EQ(Rows("ledger_event"), before_);
  EXPECT_EQ(SqlStateOf(InsertOfOldPosition()), "");
}

TEST_F(SliceTest, DoNotGiveTheirPlaceBackWhenOneIsDetached) {
  Run();
  db_->Execute("ALTER TABLE ledger_event DETACH PARTITION " +
               db_->Value(std::string("SELECT min(tableoid::regclass::text) FROM ") + kOldRows));
  Request("rollback");
  EXPECT_THAT(Refusal(), testing::HasSubstr("SH-0856"));
  EXPECT_FALSE(FlatIsAttached());
}

TEST_F(SliceTest, AreGoneWhenTheMigrationGoesBackBeforeTheirExchange) {
  RunUntil("indexing");
  Request("rollback");
  Run();
  EXPECT_EQ(State(), "rolled_back");
  EXPECT_FALSE(IsPartitioned());
  EXPECT_FALSE(Exists("ledger_event_new"));
  EXPECT_EQ(Rows("ledger_event"), before_);
  ExpectNoTriggerOfOurs();
  Append();
}

TEST_F(SliceTest, AreKeptWhenThereIsNoWayBackAnyMore) {
  RunUntil("verifying");
  Append();
  Request("rollback");
  EXPECT_THAT(Refusal(), testing::HasSubstr("SH-0856"));
  EXPECT_EQ(Slices(), "verifying");
  Run();
  EXPECT_EQ(Slices(), "exchanged") << "a way back that is closed stops nothing";
}

TEST_F(SliceTest, FinalizingBeforeTheirExchangeLeavesOnePartition) {
  RunUntil("ready");
  Request("finalize");
  Run();
  EXPECT_EQ(State(), "finalized");
  EXPECT_TRUE(FlatIsAttached());
  EXPECT_FALSE(Exists("ledger_event_new"));
  EXPECT_EQ(Rows("ledger_event"), before_);
  AppendOldEvent();
  const ManagerSettings settings = WithRetention();
  const Environment environment{fake_.host(), sql(), Caller(), settings};
  const PlannedTable planned = MakePlan(environment, settings.tables[0], true);
  ASSERT_NE(planned.table.overflow_low(), nullptr) << "otherwise no younger range could leave";
  EXPECT_EQ(planned.table.overflow_low()->name, "ledger_event_old");
}

TEST_F(SliceTest, AreMadeAgainWhenTheyDiffered) {
  RunUntil("verifying");
  db_->Execute(
      "DO $$ DECLARE slice regclass; BEGIN FOR slice IN SELECT inhrelid FROM pg_inherits WHERE "
      "inhparent = 'ledger_event_new'::regclass LOOP EXECUTE format('ALTER TABLE %s DISABLE "
      "TRIGGER USER', slice); END LOOP; END $$; UPDATE ledger_event_new SET event_data = "
      "event_data || '{\"x\": 1}' WHERE sequence_number = 3");
  EXPECT_THAT(Refusal(), testing::HasSubstr("SH-0824"));
  EXPECT_THAT(Refusal(), testing::HasSubstr("SH-0824")) << "also when it is tried again";
  EXPECT_TRUE(FlatIsAttached());
  EXPECT_EQ(Rows("ledger_event"), before_);
  Request("swap");
  Run();
  EXPECT_EQ(Slices(), "exchanged");
  EXPECT_EQ(Rows(kOldRows), before_);
  ExpectNoProblem();
}

TEST_F(SliceTest, AreMadeAgainWhenTheTableWasAltered) {
  RunUntil("verifying");
  db_->Execute("ALTER TABLE ledger_event ADD COLUMN note text");
  EXPECT_THAT(Refusal(), testing::HasSubstr("SH-0824 the copy is not equal: ledger_event was "
                                            "altered: column note text"));
  Request("swap");
  Run();
  EXPECT_EQ(Slices(), "exchanged");
  EXPECT_EQ(Rows(kOldRows), before_);
  ExpectNoProblem();
}

TEST_F(SliceTest, DoNotGiveTheirPlaceBackWhenTheTableWasAltered) {
  Run();
  db_->Execute("ALTER TABLE ledger_event ADD COLUMN note text");
  Request("rollback");
  EXPECT_THAT(Refusal(), testing::HasSubstr("SH-0856"));
  EXPECT_EQ(Slices(), "exchanged");
}

TEST_F(SliceTest, AreMadeAgainWhenTheyHadAnotherRow) {
  RunUntil("verifying");
  db_->Execute(
      "CREATE TEMP TABLE twice AS SELECT * FROM ledger_event_new WHERE sequence_number = 9; UPDATE "
      "twice SET sequence_number = 1000000, id = gen_random_uuid(), aggregate_id = "
      "gen_random_uuid(); INSERT INTO ledger_event_new SELECT * FROM twice");
  EXPECT_THAT(Refusal(), testing::HasSubstr("none of the flat table"));
  Request("swap");
  Run();
  EXPECT_EQ(Slices(), "exchanged");
  EXPECT_EQ(Rows(kOldRows), before_);
}

TEST_F(SliceTest, ThePartitionManagerLeavesTheFlatTableAlone) {
  const ManagerSettings settings = WithRetention();
  const Environment environment{fake_.host(), sql(), Caller(), settings};
  const PlannedTable planned = MakePlan(environment, settings.tables[0], true);
  EXPECT_EQ(planned.table.overflow_low(), nullptr);
  for (const Action& action : planned.plan.actions) {
    EXPECT_NE(action.name, "ledger_event_old") << TextOf(action);
    EXPECT_NE(action.kind, ActionKind::kDetach) << TextOf(action);
  }
  for (const Alarm& alarm : planned.plan.alarms) {
    EXPECT_THAT(alarm.text, testing::Not(testing::HasSubstr("ledger_event_old")));
  }
  ASSERT_TRUE(planned.why_held.contains("ledger_event_old"));
  EXPECT_THAT(planned.why_held.at("ledger_event_old"), testing::HasSubstr("migrated"));
}

TEST_F(SliceTest, LeaveByTheRetentionAsOtherPartitionsDo) {
  Run();
  ASSERT_EQ(Slices(), "exchanged");
  const auto slices = db_->Count(std::string("SELECT count(DISTINCT tableoid) FROM ") + kOldRows);
  // The last events of accounts stay.
  const std::string kept = db_->Value(
      "SELECT string_agg(id::text, ' ' ORDER BY id) FROM (SELECT DISTINCT ON (aggregate_id) id, "
      "created_at FROM ledger_event WHERE aggregate_type = 'account' ORDER BY aggregate_id, "
      "aggregate_version DESC) last WHERE created_at < (SELECT bound FROM summa_host.migration)");
  const ManagerSettings settings = WithRetention();
  const Environment environment{fake_.host(), sql(), Caller(), settings};
  TableCare care(environment, settings.tables[0]);
  care.Run();
  EXPECT_THAT(care.outcome().undone, testing::IsEmpty());
  EXPECT_GE(std::ssize(care.outcome().detached), slices);
  EXPECT_EQ(
      db_->Value(std::string("SELECT string_agg(id::text, ' ' ORDER BY id) FROM ") + kOldRows),
      kept);
  Request("finalize");
  Run();
  EXPECT_EQ(State(), "finalized");
}

}  // namespace
}  // namespace summa::maintenance
