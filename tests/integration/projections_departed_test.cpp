// Read models of a ledger whose old events have left with their partition: what a read model already
// has stays right, and nobody takes missing events for numbers that were never used.
#include <gmock/gmock.h>

#include "builds/rebuild_keys.hpp"
#include "source/departed.hpp"
#include "source/event_source.hpp"
#include "tests/integration/projections_support.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::projections {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Hole = ledger::Checkpoint::Hole;

class DepartedTest : public ProjectionsTest {
 protected:
  void SetUp() override {
    const std::string url = test::InstallLedger(Server(), NewName());
    test::EnsureAccounts(url, 4);
    Connect(url);
    Credit(12);
  }
  void Credit(int events) {
    for (int i = 0; i < events; ++i) {
      db_->Execute("SELECT fixture.credit(fixture.account_id(" + std::to_string(1 + i % 4) +
                   "), 5)");
    }
  }
  std::string Last() { return db_->Value("SELECT max(sequence_number) FROM ledger_event"); }

  // Two partitions; the second begins with the event at this position.
  void Partition(const std::string& position) {
    cut_ = "'" +
           db_->Value("SELECT created_at FROM ledger_event WHERE sequence_number = " + position) +
           "'";
    db_->Execute(
        "CREATE TABLE parted (LIKE ledger_event INCLUDING DEFAULTS) PARTITION BY RANGE "
        "(created_at); CREATE TABLE part_old PARTITION OF parted FOR VALUES FROM (" +
        kBegin + ") TO (" + cut_ +
        "); CREATE TABLE part_new PARTITION OF parted FOR VALUES FROM (" + cut_ +
        ") TO (MAXVALUE); INSERT INTO parted SELECT * FROM ledger_event; "
        "ALTER SEQUENCE ledger_event_sequence_number_seq OWNED BY NONE; "
        "DROP TABLE ledger_event CASCADE; ALTER TABLE parted RENAME TO ledger_event; "
        "ALTER SEQUENCE ledger_event_sequence_number_seq OWNED BY ledger_event.sequence_number; "
        "CREATE INDEX ON ledger_event (sequence_number)");
  }
  // As plugin maintenance does it.
  void Depart() {
    db_->Execute(
        "CREATE TABLE summa_host.ledger_event_key AS SELECT id, sequence_number::bigint AS "
        "position, created_at FROM ledger_event; "
        "CREATE TABLE summa_host.partition_record AS SELECT 1::bigint AS id, 'ledger_event'::text "
        "AS parent, 'part_old'::text AS name, 'detached'::text AS state, count(*) AS row_count, "
        "0::bigint AS kept_count, min(created_at) AS from_time FROM part_old; "
        "CREATE TABLE summa_host.partition_edge AS SELECT 1::bigint AS record, aggregate_type, "
        "aggregate_id FROM part_old GROUP BY 2, 3; "
        "ALTER TABLE ledger_event DETACH PARTITION part_old");
  }
  void Return() {
    db_->Execute("ALTER TABLE ledger_event ATTACH PARTITION part_old FOR VALUES FROM (" + kBegin +
                 ") TO (" + cut_ + "); UPDATE summa_host.partition_record SET state = 'attached'");
  }
  std::vector<std::string> Errors() {
    return db_->Column(
        "SELECT DISTINCT error FROM summa_read.projection_checkpoint WHERE state = 'failed'");
  }
  void ResumeAll() {
    db_->Execute("UPDATE summa_read.projection_checkpoint SET state = 'running', error = NULL");
    RunAll();
  }

  const std::string kBegin = "'2000-01-01 00:00+00'";
  std::string cut_;  // between the partitions
};

TEST(PassedOver, IsWhatWasNeitherGivenNorIsExpected) {
  const std::vector<std::int64_t> given = {4, 11, 12, 15};
  EXPECT_THAT(PassedOver({10, {{3, 5}, {8, 8}}}, {16, {{8, 8}, {13, 13}}}, given),
              ElementsAre(Hole{3, 3}, Hole{5, 5}, Hole{14, 14}, Hole{16, 16}));
  EXPECT_THAT(PassedOver({10, {}}, {12, {}}, std::vector<std::int64_t>{11, 12}), IsEmpty());
  EXPECT_THAT(PassedOver({INT64_MAX, {{7, 7}}}, {INT64_MAX, {}}, std::vector<std::int64_t>{}),
              ElementsAre(Hole{7, 7}));
}

TEST_F(DepartedTest, AReadModelDoesNotBeginWithoutTheHistory) {
  Partition(Last());
  Depart();
  RunAll();
  ASSERT_EQ(Errors().size(), 1U);
  EXPECT_THAT(Errors().front(), HasSubstr("part_old"));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_read.projection_checkpoint WHERE state = "
                       "'failed' AND position = 0"),
            4);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_read.account_balance_view"), 0);
  ResumeAll();  // in vain: they are still missing
  EXPECT_EQ(Errors().size(), 1U);
  Return();
  ResumeAll();
  EXPECT_THAT(Differences(), IsEmpty());
}

TEST_F(DepartedTest, AReadModelStopsWhenEventsHaveLeftThatItHasNotRead) {
  RunAll();
  const std::string applied = Last();
  Credit(12);
  Partition(Last());
  Depart();
  Credit(4);
  MakeRunner();
  test::WaitUntil(
      [&] {
        RunOnce();
        return !Errors().empty();
      },
      test::kTimeout, "the numbers to be given up");
  EXPECT_THAT(Errors(),
              ElementsAre(HasSubstr("position " +
                                    db_->Value("SELECT min(sequence_number) FROM part_old WHERE "
                                               "sequence_number > " +
                                               applied))));
  EXPECT_EQ(
      db_->Count("SELECT count(*) FROM summa_read.projection_checkpoint WHERE state = 'failed'"),
      4);
  Return();
  ResumeAll();
  EXPECT_THAT(Differences(), IsEmpty());
}

TEST_F(DepartedTest, WhatIsReadAlreadyMayLeaveAndIsNotReadAgain) {
  RunAll();
  Partition(Last());
  Depart();
  db_->Execute(
      "SELECT fixture.create_account('holder_000005', fixture.account_id(5)), "
      "fixture.credit(fixture.account_id(5), 7)");
  Credit(4);
  MakeRunner();
  RunAll();
  EXPECT_THAT(Errors(), IsEmpty());
  EXPECT_THAT(Differences(), IsEmpty());

  const auto rebuild = [&](int account) -> std::string {
    const Uuid key =
        *ParseUuid(db_->Value("SELECT fixture.account_id(" + std::to_string(account) + ")"));
    try {
      RebuildKeys(sql_->unleased(), *catalog_->Find("account-balance-view"), {key},
                  [](std::int64_t) { return false; });
    } catch (const Error& error) {
      return error.code();
    }
    return "";
  };
  EXPECT_EQ(rebuild(1), kDeparted);
  EXPECT_EQ(rebuild(5), "") << "all of its events are there";
  EXPECT_THAT(Differences(), IsEmpty());

  Session session(sql_->unleased());
  const ledger::EventTable table = ledger::FindEvents(session);
  for (const bool whole : {true, false}) {
    try {
      if (whole) {
        RequireWholeHistory(session, table);
      } else {
        ReadDecided(session, table, 0, std::stoll(Last()), 1000);  // a part of a rebuild
      }
      ADD_FAILURE() << "events are missing";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), kDeparted);
    }
  }
}

}  // namespace
}  // namespace summa::projections
