// Verification of a ledger whose oldest partition was detached: with the maintenance plugin's
// records of it, and without them.
#include "tests/verify/verify_support.hpp"
#include "verify/detached_run.hpp"

namespace summa::verify {
namespace {

const DetachedRun kLow{1, 3, "", "c", ""}, kHigh{4, 6, "c", "f", ""};

TEST(DetachedRuns, AreReadFromTheirText) {
  const std::vector<DetachedRun> runs = ParseRuns("4,6,c,f,p;1,3,,c,");
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].first, 4);
  EXPECT_EQ(runs[0].predecessor_hash, "p");
  EXPECT_EQ(runs[1].last, 3);
  EXPECT_EQ(runs[1].first_previous_hash, "");
  EXPECT_EQ(runs[1].last_hash, "c");
  EXPECT_TRUE(ParseRuns("").empty());
  EXPECT_TRUE(ParseRuns("x,3,,c,").empty());
}

TEST(DetachedRuns, FillAGapDownToTheFirstVersion) {
  const auto bridge = FindBridge({kHigh, kLow}, 7);
  ASSERT_TRUE(bridge);
  EXPECT_EQ(bridge->hash, "f");
  EXPECT_EQ(bridge->found, "");
}

TEST(DetachedRuns, FillAGapDownToAStoredEvent) {
  EXPECT_TRUE(FindBridge({{4, 6, "c", "f", "c"}}, 7));
  EXPECT_EQ(FindBridge({{4, 6, "c", "f", "x"}}, 7)->found, "x") << "it is not its hash";
}

TEST(DetachedRuns, DoNotFillAGapOfWhichAVersionIsMissing) {
  EXPECT_FALSE(FindBridge({kHigh, kLow}, 8)) << "version 7";
  EXPECT_FALSE(FindBridge({kHigh}, 7)) << "versions 1 to 3";
  EXPECT_FALSE(FindBridge({kHigh, {1, 2, "", "b", ""}}, 7)) << "version 3";
  EXPECT_FALSE(FindBridge({}, 2));
}

// A chain that went back in time before its table was partitioned: version 2 is in a later
// partition.
TEST(DetachedRuns, OfOnePartitionMayHaveAnEventBetweenThemThatIsStored) {
  const std::vector<DetachedRun> runs = {{3, 3, "b", "c", "b"}, {1, 1, "", "a", ""}};
  ASSERT_TRUE(FindBridge(runs, 2));
  EXPECT_EQ(FindBridge(runs, 2)->hash, "a");
  ASSERT_TRUE(FindBridge(runs, 4));
  EXPECT_EQ(FindBridge(runs, 4)->hash, "c");
  EXPECT_EQ(FindBridge(runs, 4)->found, "");
}

TEST(DetachedRuns, ThatAreNotLinkedToOneAnotherSayWhere) {
  const auto bridge = FindBridge({kHigh, {1, 3, "", "x", ""}}, 7);
  ASSERT_TRUE(bridge);
  EXPECT_EQ(bridge->expected, "c");
  EXPECT_EQ(bridge->found, "x");
  EXPECT_EQ(FindBridge({{1, 3, "before", "c", ""}}, 4)->found, "none")
      << "the first version has no previous hash";
}

// Partitions part_old and part_new, cut after the second block. Account 1 has events in both.
class DetachedTest : public testing::TestWithParam<Layout> {
 protected:
  void SetUp() override {
    database_ = CopyOfLedger(GetParam());
    Run("DO $$ DECLARE cut timestamptz; BEGIN "
        "SELECT min(created_at) INTO cut FROM ledger_event WHERE :position > (SELECT "
        "to_event_sequence FROM block_checkpoint ORDER BY block_sequence OFFSET 1 LIMIT 1); "
        "CREATE TABLE parted (LIKE ledger_event INCLUDING DEFAULTS) PARTITION BY RANGE "
        "(created_at); "
        "EXECUTE format('CREATE TABLE part_old PARTITION OF parted FOR VALUES FROM (''2000-01-01 "
        "00:00+00'') TO (%L)', cut); "
        "EXECUTE format('CREATE TABLE part_new PARTITION OF parted FOR VALUES FROM (%L) TO "
        "(MAXVALUE)', cut); "
        "INSERT INTO parted SELECT * FROM ledger_event; END $$");
    Run("DO $$ DECLARE s text := pg_get_serial_sequence('ledger_event', ':position'); BEGIN "
        "EXECUTE 'ALTER SEQUENCE ' || s || ' OWNED BY NONE'; END $$");
    Run("DROP TABLE ledger_event CASCADE; ALTER TABLE parted RENAME TO ledger_event; "
        "ANALYZE ledger_event");
  }
  // The tables of the maintenance plugin as far as they are read.
  void InstallRecords() {
    Run("CREATE SCHEMA IF NOT EXISTS summa_host; "
        "CREATE TABLE summa_host.ledger_event_key (id uuid PRIMARY KEY, position bigint NOT NULL "
        "UNIQUE, created_at timestamptz NOT NULL); "
        "CREATE TABLE summa_host.partition_record (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY "
        "KEY, parent text, name text, from_time timestamptz, to_time timestamptz, state text, "
        "row_count bigint, kept_count bigint NOT NULL DEFAULT 0, updated_at timestamptz NOT NULL "
        "DEFAULT clock_timestamp()); "
        "CREATE TABLE summa_host.partition_edge (record bigint, aggregate_type text, aggregate_id "
        "uuid, first_version bigint, first_previous_hash text, last_version bigint, last_hash "
        "text); "
        "INSERT INTO summa_host.ledger_event_key SELECT id, :position, created_at FROM "
        "ledger_event");
  }
  void Record() {
    Run("INSERT INTO summa_host.partition_record (parent, name, from_time, to_time, state, "
        "row_count) SELECT 'ledger_event', 'part_old', '2000-01-01 00:00+00', (SELECT "
        "min(created_at) FROM part_new), 'detached', count(*) FROM part_old; "
        "INSERT INTO summa_host.partition_edge SELECT r.id, e.aggregate_type, e.aggregate_id, "
        "min(e.:version), (array_agg(e.:previous ORDER BY e.:version))[1], max(e.:version), "
        "(array_agg(e.:hash ORDER BY e.:version DESC))[1] FROM part_old e, "
        "summa_host.partition_record r GROUP BY 1, 2, 3");
  }
  void Detach() { Run("ALTER TABLE ledger_event DETACH PARTITION part_old"); }
  void DetachWithRecord() {
    InstallRecords();
    Record();
    Detach();
  }
  void Run(const std::string& sql) { database_->db.Execute(ForLayout(GetParam(), sql)); }
  std::int64_t Count(const std::string& sql) {
    return database_->db.Count(ForLayout(GetParam(), sql));
  }
  std::string Value(const std::string& sql) {
    return database_->db.Value(ForLayout(GetParam(), sql));
  }
  std::string Function() const {
    return GetParam() == Layout::kPlan ? "plan.account_id(1)" : "fixture.account_id(1)";
  }
  Uuid Account() { return *ParseUuid(Value("SELECT " + Function() + "::text")); }
  std::int64_t LastDetached() {
    return Count(
        "SELECT max(:version) FROM part_old WHERE aggregate_type = 'account' AND "
        "aggregate_id = " +
        Function());
  }
  AggregateReport VerifyAccount(const std::optional<SnapshotStart>& start = std::nullopt) {
    return VerifyAggregate(database_->sql(), {}, "account", Account(), start);
  }
  ChainReport Chains(bool from_snapshots = false) {
    VerifyOptions options;
    options.snapshot_table = "tamper.hash_snapshot";
    options.from_snapshots = from_snapshots;
    return VerifyChains(database_->sql(), options);
  }
  static void ExpectClean(const Levels& levels) {
    EXPECT_EQ(levels.chains.finding_count, 0) << Described(levels.chains.findings);
    EXPECT_EQ(levels.chains.broken_count, 0);
    EXPECT_EQ(levels.snapshots.mismatches, 0) << Described(levels.snapshots.findings);
    EXPECT_EQ(levels.blocks.finding_count, 0) << Described(levels.blocks.findings);
    EXPECT_EQ(levels.blocks.failed, 0);
    EXPECT_EQ(levels.ledger.finding_count, 0) << Described(levels.ledger.findings);
  }

  std::unique_ptr<LedgerDatabase> database_;
};

TEST_P(DetachedTest, NothingIsDifferentWithoutTheMaintenancePlugin) {
  const Levels levels = VerifyEverything(*database_);
  ExpectClean(levels);
  EXPECT_EQ(levels.blocks.verified, 3);
  EXPECT_EQ(levels.blocks.detached, 0);
  EXPECT_EQ(levels.chains.across_detached, 0);
  EXPECT_FALSE(VerifyAccount().detached_through);
}

TEST_P(DetachedTest, WithARecordIsNoFindingAndIsSaid) {
  DetachWithRecord();
  const Levels levels = VerifyEverything(*database_);
  ExpectClean(levels);
  EXPECT_EQ(levels.chains.events, Count("SELECT count(*) FROM ledger_event"));
  EXPECT_EQ(levels.chains.across_detached,
            Count("SELECT count(*) FROM (SELECT aggregate_type, aggregate_id FROM part_old "
                  "INTERSECT SELECT aggregate_type, aggregate_id FROM part_new) both_parts"));
  EXPECT_EQ(levels.blocks.detached, 2);
  EXPECT_EQ(levels.blocks.verified, 1);
  EXPECT_EQ(levels.blocks.valid, 1);
  ExpectClean({Chains(true), {}, {}, {}});
}

TEST_P(DetachedTest, AnAggregateIsVerifiedFromTheEdgeOn) {
  DetachWithRecord();
  const std::int64_t last = LastDetached();
  const std::int64_t here = Count(
      "SELECT count(*) FROM ledger_event WHERE aggregate_type = 'account' AND aggregate_id = " +
      Function());
  const AggregateReport report = VerifyAccount();
  EXPECT_TRUE(report.valid) << Described(report.findings);
  EXPECT_TRUE(report.exists);
  EXPECT_EQ(report.detached_through, last);
  EXPECT_EQ(report.verified_from, last + 1);
  EXPECT_EQ(report.event_count, here);
  EXPECT_FALSE(report.snapshot_version);
  VerifyOptions pieces;
  pieces.rows_per_range = 1;
  EXPECT_TRUE(VerifyAggregate(database_->sql(), pieces, "account", Account()).valid);
}

TEST_P(DetachedTest, ASnapshotInThePartitionIsNoFindingUnlessItsHashIsNotTheRecorded) {
  DetachWithRecord();
  const std::int64_t last = LastDetached();
  const std::string hash = Value(
      "SELECT :hash FROM part_old WHERE aggregate_type = 'account' AND "
      "aggregate_id = " +
      Function() + " ORDER BY :version DESC LIMIT 1");
  AggregateReport report = VerifyAccount(SnapshotStart{last, hash});
  EXPECT_TRUE(report.valid) << Described(report.findings);
  EXPECT_EQ(report.verified_from, last + 1);
  report = VerifyAccount(SnapshotStart{last, std::string(64, '0')});
  EXPECT_FALSE(report.valid);
  EXPECT_EQ(KindsOf(report.findings), std::set<std::string>{std::string(kind::kSnapshotMismatch)});
}

TEST_P(DetachedTest, APartitionThatIsGoneWithoutARecordIsAFinding) {
  InstallRecords();
  Detach();
  const Levels levels = VerifyEverything(*database_);
  EXPECT_GT(levels.snapshots.mismatches, 0);
  EXPECT_EQ(levels.blocks.detached, 0);
  EXPECT_EQ(levels.blocks.failed, 2);
  EXPECT_GT(levels.ledger.finding_count, 0);
}

// Account 3 was frozen, account 5 closed after the cut; both were created before it.
TEST_P(DetachedTest, WhatContradictsAnEventThatIsThereStaysAFinding) {
  DetachWithRecord();
  const bool plan = GetParam() == Layout::kPlan;
  Run("UPDATE account_balance SET status = 'active' WHERE id = " +
      std::string(plan ? "plan.account_id(3)" : "fixture.account_id(5)"));
  EXPECT_EQ(VerifyEverything(*database_).ledger.finding_count, 1);
}

TEST_P(DetachedTest, ARefundOfADetachedTransactionIsComparedWithItsOwnEvent) {
  if (GetParam() == Layout::kPlan) GTEST_SKIP() << "skipped: its refunds have events of accounts";
  DetachWithRecord();
  Run("SELECT fixture.refund(id, 5) FROM transaction_record WHERE reference = 'transfer-1'");
  // The functions of the fixture do not see where the chain ends, and begin another one.
  Run("UPDATE ledger_event e SET aggregate_version = p.last_version + 1, prev_hash = p.last_hash, "
      "hash = fixture.hash(p.last_hash, e.event_data) FROM summa_host.partition_edge p WHERE "
      "e.event_type = 'TransactionReversed' AND e.aggregate_version = 1 AND p.aggregate_type = "
      "e.aggregate_type AND p.aggregate_id = e.aggregate_id");
  ExpectClean(VerifyEverything(*database_));
  Run("DELETE FROM ledger_event WHERE event_type = 'TransactionReversed'");
  EXPECT_EQ(VerifyEverything(*database_).ledger.finding_count, 1);
}

TEST_P(DetachedTest, EventsThatAreMissingBesideThePartitionAreFindings) {
  DetachWithRecord();
  Run("DELETE FROM ledger_event WHERE :position = (SELECT min(:position) FROM ledger_event)");
  const Levels levels = VerifyEverything(*database_);
  EXPECT_EQ(levels.blocks.detached, 2);
  EXPECT_EQ(levels.blocks.failed, 1);
  EXPECT_GT(levels.snapshots.mismatches, 0);
}

// In the layouts where account 1 goes on after the cut.
TEST_P(DetachedTest, AnEdgeThatIsNotLinkedIsAFinding) {
  DetachWithRecord();
  if (Count("SELECT count(*) FROM part_new n JOIN part_old o USING (aggregate_type, "
            "aggregate_id)") == 0) {
    GTEST_SKIP() << "skipped: no chain of this ledger crosses the cut";
  }
  Run("UPDATE summa_host.partition_edge SET last_hash = repeat('0', 64)");
  EXPECT_EQ(KindsOf(Chains().findings), std::set<std::string>{std::string(kind::kLinkMismatch)});
  Run("UPDATE summa_host.partition_edge SET last_version = last_version - 1");
  EXPECT_EQ(KindsOf(Chains().findings), std::set<std::string>{std::string(kind::kMissingFirst)});
}

TEST_P(DetachedTest, ABlockWhoseRowWasChangedIsAFindingThoughItsEventsAreAway) {
  DetachWithRecord();
  Run("UPDATE block_checkpoint SET events_hash = repeat('0', 64) WHERE block_sequence = (SELECT "
      "min(block_sequence) FROM block_checkpoint)");
  const Levels levels = VerifyEverything(*database_);
  EXPECT_EQ(levels.blocks.failed, 1);
  EXPECT_EQ(levels.blocks.detached, 1);
}

TEST_P(DetachedTest, WhatIsAttachedAgainIsVerifiedWhateverTheRecordSays) {
  DetachWithRecord();
  Run("DO $$ BEGIN EXECUTE format('ALTER TABLE ledger_event ATTACH PARTITION part_old FOR VALUES "
      "FROM (''2000-01-01 00:00+00'') TO (%L)', (SELECT min(created_at) FROM part_new)); END $$");
  Levels levels = VerifyEverything(*database_);
  ExpectClean(levels);
  EXPECT_EQ(levels.blocks.verified, 3);
  EXPECT_EQ(levels.chains.across_detached, 0);
  EXPECT_EQ(VerifyAccount().verified_from, 1);
  Run("UPDATE ledger_event SET event_data = '{\"changed\": 1}' WHERE :position = (SELECT "
      "min(:position) FROM part_old)");
  EXPECT_EQ(KindsOf(Chains().findings),
            std::set<std::string>{std::string(kind::kEventHashMismatch)});
}

INSTANTIATE_TEST_SUITE_P(Layouts, DetachedTest, testing::Values(Layout::kDeployed, Layout::kPlan),
                         [](const auto& layout) {
                           return layout.param == Layout::kPlan ? "plan" : "deployed";
                         });

}  // namespace
}  // namespace summa::verify
