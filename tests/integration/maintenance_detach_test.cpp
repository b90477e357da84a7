// Ranges that are old enough leave: which gates they pass, what is recorded, and how an interrupted
// detach comes to its end.
#include "manager/detach.hpp"

#include "manager/records.hpp"
#include "tests/integration/maintenance_manager_support.hpp"

namespace summa::maintenance {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class DetachTest : public PartitionsTest {
 protected:
  DetachTest() {
    settings_.tables[0].ranges.retention = std::chrono::hours(24 * 70);  // two to three months
    settings_.tables[0].ranges.ahead = 0;
    // No test depends on how fast the machine is.
    settings_.longest_transaction = std::chrono::hours(1);
  }
  Partition PartitionNamed(const std::string& table, const std::string& name) {
    Session session(sql_->unleased());
    for (const Partition& one : maintenance::ReadTable(session, table).partitions) {
      if (one.name == name) return one;
    }
    throw std::runtime_error("no partition " + name);
  }
  std::string WhyNot(const std::string& table, const std::string& name) {
    Session session(sql_->unleased());
    return WhyNotDetachable(environment(), session, maintenance::ReadTable(session, table),
                            PartitionNamed(table, name))
        .value_or("");
  }
  bool Pending() {
    return db_->Count("SELECT count(*) FROM pg_inherits WHERE inhdetachpending") > 0;
  }

  // Begins a detach that its deadline interrupts, since a reader is open.
  void LeavePending(int month) {
    Db reader(url_);
    reader.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM reading");
    // On a slow machine it is cancelled before it has begun.
    for (settings_.detach_deadline = std::chrono::milliseconds(200); !Pending();
         settings_.detach_deadline *= 2) {
      EXPECT_FALSE(
          Detach(environment(), "reading", PartitionNamed("reading", NameOfMonth(month))).done);
    }
    settings_.detach_deadline = std::chrono::minutes(2);
    reader.Execute("COMMIT");
  }

  // A partitioned ledger_event with the events of one month, which is long over.
  void UseLedger() {
    db_->Execute(
        "ALTER TABLE outbox DROP CONSTRAINT IF EXISTS outbox_event_id_ledger_event_id_fk; "
        "ALTER SEQUENCE ledger_event_sequence_number_seq OWNED BY NONE; "
        "ALTER TABLE ledger_event RENAME TO flat; "
        "CREATE TABLE ledger_event (LIKE flat INCLUDING DEFAULTS) PARTITION BY RANGE (created_at); "
        "CREATE TABLE ledger_event_2020_01 PARTITION OF ledger_event FOR VALUES FROM "
        "('2020-01-01Z') TO ('2020-02-01Z'); "
        "INSERT INTO ledger_event (aggregate_type, aggregate_id, aggregate_version, event_type, "
        "event_data, correlation_id, prev_hash, hash, created_at) SELECT 'account', "
        "md5(a::text)::uuid, v, 'E', '{}', gen_random_uuid(), CASE WHEN v > 3 THEN 'h' || a || "
        "'-' || v - 1 END, 'h' || a || '-' || v, '2020-01-02Z' FROM generate_series(1, 4) a, "
        "generate_series(3, 5) v");
    settings_.tables[0].table = "ledger_event";
  }
  void Seal() {
    db_->Execute(
        "INSERT INTO summa_host.block_seal (block_id, block_sequence, block_hash, positions, "
        "content_hash) SELECT gen_random_uuid(), 1, 'b', int8multirange(int8range("
        "min(sequence_number), max(sequence_number), '[]')), 'c' FROM ledger_event");
  }
  void TakeSnapshots() {
    db_->Execute(
        "INSERT INTO summa_host.hash_snapshot (aggregate_type, aggregate_id, snapshot_version, "
        "snapshot_hash, event_count, position) SELECT aggregate_type, aggregate_id, "
        "max(aggregate_version), 'h', 3, max(sequence_number) FROM ledger_event GROUP BY 1, 2");
  }
};

TEST_F(DetachTest, AllOldRangesLeaveAndTheOthersStay) {
  UseReading({-6, -5, -4, -1, 0});
  AddMonth("reading", -3);
  AddMonth("reading", -2);
  AddReadings(-5, 7);
  RunManager();
  for (const int month : {-6, -5, -4}) {
    EXPECT_THAT(Attached(), Not(Contains(NameOfMonth(month))));
    EXPECT_EQ(StateOf(NameOfMonth(month)), "detached");
  }
  EXPECT_THAT(Attached(), Contains(NameOfMonth(-1)));
  EXPECT_EQ(db_->Value("SELECT row_count FROM summa_host.partition_record WHERE name = $1",
                       {NameOfMonth(-5)}),
            "7");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM " + NameOfMonth(-5)), 7);
}

TEST_F(DetachTest, ARangeIsNotClosedWhileATransactionFromBeforeItsEndIsOpen) {
  UseReading({});
  Db writer(url_);
  writer.Execute("BEGIN; SELECT 1");
  db_->Execute(
      "DO $do$ BEGIN EXECUTE format('CREATE TABLE reading_short PARTITION OF reading FOR "
      "VALUES FROM (%L) TO (%L)', now() - interval '1 day', clock_timestamp()); END $do$");
  EXPECT_THAT(WhyNot("reading", "reading_short"),
              HasSubstr("process " + std::to_string(writer.BackendPid())));
  writer.Execute("COMMIT");
  EXPECT_EQ(WhyNot("reading", "reading_short"), "");
}

TEST_F(DetachTest, IsNotBegunWhileSomebodyHasAnOlderTransactionOnTheTable) {
  UseReading({-5, 0});
  settings_.longest_transaction = std::chrono::microseconds(0);
  Db reader(url_);
  reader.Execute("BEGIN; SELECT count(*) FROM reading");
  const DetachOutcome outcome =
      Detach(environment(), "reading", PartitionNamed("reading", NameOfMonth(-5)));
  EXPECT_FALSE(outcome.done);
  EXPECT_THAT(outcome.why_not, HasSubstr("process " + std::to_string(reader.BackendPid())));
  EXPECT_FALSE(Pending());
  EXPECT_EQ(StateOf(NameOfMonth(-5)), "none");
}

TEST_F(DetachTest, WhatItsDeadlineInterruptedIsFinishedLater) {
  UseReading({-5, 0});
  LeavePending(-5);
  EXPECT_EQ(StateOf(NameOfMonth(-5)), "detaching");
  RunManager();
  EXPECT_FALSE(Pending());
  EXPECT_EQ(StateOf(NameOfMonth(-5)), "detached");
}

TEST_F(DetachTest, APendingDetachOfARangeThatHasToStayIsUndone) {
  UseReading({-1, 0});
  AddReadings(-1, 3);
  LeavePending(-1);
  RunManager();
  EXPECT_FALSE(Pending());
  EXPECT_THAT(Attached(), Contains(NameOfMonth(-1)));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM reading"), 3);
  EXPECT_EQ(StateOf(NameOfMonth(-1)), "none");
}

TEST_F(DetachTest, ADetachOfSomebodyElseIsRecordedBeforeItIsFinished) {
  UseReading({-5, 0});
  LeavePending(-5);
  db_->Execute("DELETE FROM summa_host.partition_record");
  Db old(url_);
  old.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
  settings_.detach_deadline = std::chrono::milliseconds(200);
  EXPECT_FALSE(
      FinishDetach(environment(), "reading", PartitionNamed("reading", NameOfMonth(-5))).done);
  EXPECT_TRUE(Pending());
  EXPECT_EQ(StateOf(NameOfMonth(-5)), "detaching");
  old.Execute("COMMIT");
}

TEST_F(DetachTest, ARangeThatGotRowsMeanwhileIsAttachedAgain) {
  UseReading({-5, 0});
  AddReadings(-5, 3);
  LeavePending(-5);
  db_->Execute("INSERT INTO " + NameOfMonth(-5) +
               " (id, at) OVERRIDING SYSTEM VALUE VALUES (1000, " + MonthStart(-5) + ")");
  EXPECT_THAT(ErrorOfRun(), HasSubstr("3 rows before its detach, and 4 afterwards"));
  EXPECT_FALSE(Pending());
  EXPECT_THAT(Attached(), Contains(NameOfMonth(-5)));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM reading"), 4);
  EXPECT_EQ(StateOf(NameOfMonth(-5)), "none");
  EXPECT_EQ(ErrorOfRun(), "");
  EXPECT_EQ(StateOf(NameOfMonth(-5)), "detached");
}

TEST_F(DetachTest, TheLowerOverflowPartitionGrowsAndKeepsItsRows) {
  UseReading({-5, -4, -3, -2, -1, 0});
  db_->Execute(
      "CREATE TABLE reading_overflow_low PARTITION OF reading FOR VALUES FROM (MINVALUE) TO ('" +
      db_->Value("SELECT " + MonthStart(-5)) + "')");
  AddReadings(-8, 3);
  EXPECT_EQ(ErrorOfRun(), "");
  EXPECT_THAT(Attached(), Not(Contains(NameOfMonth(-5))));
  AddReadings(-5, 1);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM reading_overflow_low"), 4);
  EXPECT_EQ(
      db_->Count("SELECT count(*) FROM pg_constraint WHERE conname = 'summa_host_new_bounds'"), 0);
}

TEST_F(DetachTest, EventsLeaveOnlyWhenTheyAreSealedAndVerified) {
  UseLedger();
  EXPECT_THAT(WhyNot("ledger_event", "ledger_event_2020_01"),
              HasSubstr("12 events are in no block"));
  Seal();
  EXPECT_THAT(WhyNot("ledger_event", "ledger_event_2020_01"), HasSubstr("4 aggregates"));
  TakeSnapshots();
  EXPECT_EQ(WhyNot("ledger_event", "ledger_event_2020_01"), "");
  db_->Execute(
      "INSERT INTO summa_host.verification_part (part, verified_at, rows, findings) VALUES "
      "('chains/07', now(), 1, 1)");
  EXPECT_THAT(WhyNot("ledger_event", "ledger_event_2020_01"), HasSubstr("1 findings"));
}

TEST_F(DetachTest, TheEdgesOfItsChainsAreRecorded) {
  UseLedger();
  Seal();
  TakeSnapshots();
  // Chains that may go on leave a remainder: maintenance_remainder_test.cpp.
  db_->Execute(
      "INSERT INTO account_balance (id, holder_id, holder_type, status) SELECT DISTINCT "
      "aggregate_id, aggregate_id::text, 'individual', 'closed' FROM ledger_event");
  ASSERT_TRUE(
      Detach(environment(), "ledger_event", PartitionNamed("ledger_event", "ledger_event_2020_01"))
          .done);
  EXPECT_EQ(StateOf("ledger_event_2020_01"), "detached");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.partition_remainder"), 0);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.partition_edge"), 4);
  EXPECT_THAT(db_->Query("SELECT first_version, first_previous_hash, last_version, last_hash FROM "
                         "summa_host.partition_edge WHERE aggregate_id = md5('1')::uuid"),
              ElementsAre(ElementsAre("3", test::kNull, "5", "h1-5")));
}

}  // namespace
}  // namespace summa::maintenance
