// Seals, snapshots and results of the reconciliation plugin when the oldest partition of the events
// was detached.
#include "block_sealer.hpp"
#include "snapshot_maker.hpp"
#include "statement.hpp"
#include "tests/integration/reconciliation_support.hpp"

namespace summa::reconciliation {
namespace {

using ::testing::IsEmpty;

constexpr int kAggregates = 10, kRounds = 6, kEvents = kAggregates * kRounds, kCut = 25;

class ReconciliationDetachedTest : public ReconciliationTest,
                                   public testing::WithParamInterface<ledger::Layout> {
 protected:
  // Blocks of ten events; the cut is in the middle of the third.
  void SetUp() override {
    UseFixture();
    if (GetParam() == ledger::Layout::kPlan) UsePlanLayout();
    settings_.timeout = std::chrono::seconds(10);
    settings_.block_size = 10;
    for (int round = 0; round < kRounds; ++round) {
      for (int i = 1; i <= kAggregates; ++i) Append(AggregateNumber(i));
    }
    ASSERT_EQ(db_->Count("SELECT count(*) FROM ledger_event"), kEvents);
    Partition();
    WithWork([&](Work& work) { return BlockSealer(sql_->unleased(), work, settings_).Run(); });
    ASSERT_EQ(db_->Count("SELECT count(*) FROM block_checkpoint"), kEvents / 10);
  }
  void Run(const std::string& sql) { db_->Execute(ForTable(sql, layout_)); }
  void Partition() {
    Run("CREATE TABLE parted (LIKE ledger_event INCLUDING DEFAULTS) PARTITION BY RANGE "
        "(created_at); "
        "DO $$ DECLARE cut timestamptz; BEGIN SELECT created_at INTO cut FROM ledger_event ORDER "
        "BY {position} OFFSET " +
        std::to_string(kCut) +
        " LIMIT 1; "
        "EXECUTE format('CREATE TABLE part_old PARTITION OF parted FOR VALUES FROM (''2000-01-01 "
        "00:00+00'') TO (%L)', cut); "
        "EXECUTE format('CREATE TABLE part_new PARTITION OF parted FOR VALUES FROM (%L) TO "
        "(MAXVALUE)', cut); END $$; "
        "INSERT INTO parted SELECT * FROM ledger_event ORDER BY {position}");
    Run("ALTER SEQUENCE ledger_event_sequence_number_seq OWNED BY NONE; "
        "DROP TABLE ledger_event CASCADE; ALTER TABLE parted RENAME TO ledger_event; "
        "ALTER SEQUENCE ledger_event_sequence_number_seq OWNED BY ledger_event.{position}; "
        "CREATE INDEX ON ledger_event ({position}); "
        "CREATE INDEX ON ledger_event (aggregate_type, aggregate_id, {version}); "
        "ANALYZE ledger_event");
  }
  void Detach() {
    Run("CREATE TABLE summa_host.ledger_event_key AS SELECT id, {position}::bigint AS position, "
        "created_at FROM ledger_event; "
        "CREATE TABLE summa_host.partition_record AS SELECT 1::bigint AS id, 'ledger_event'::text "
        "AS parent, 'part_old'::text AS name, '2000-01-01 00:00+00'::timestamptz AS from_time, "
        "(SELECT min(created_at) FROM part_new) AS to_time, 'detached'::text AS state, "
        "(SELECT count(*) FROM part_old) AS row_count, 0::bigint AS kept_count, "
        "clock_timestamp() AS updated_at; "
        "CREATE TABLE summa_host.partition_edge AS SELECT 1::bigint AS record, "
        "aggregate_type::text, aggregate_id, min({version})::bigint AS first_version, "
        "(array_agg({previous_hash}::text ORDER BY {version}))[1] AS first_previous_hash, "
        "max({version})::bigint AS last_version, (array_agg({hash}::text ORDER BY {version} "
        "DESC))[1] AS last_hash FROM part_old GROUP BY 2, 3; "
        "ALTER TABLE ledger_event DETACH PARTITION part_old");
  }
  SnapshotOutcome CreateSnapshots() {
    return WithWork([&](Work& work) {
      return SnapshotMaker(sql_->unleased(), work, settings_).CreateAll(1, 100);
    });
  }
};

TEST_P(ReconciliationDetachedTest, BlocksAndSealsOfDetachedEventsAreCountedApart) {
  Detach();
  const VerificationResult verified = VerifyChains();
  EXPECT_THAT(Kinds(verified.findings), IsEmpty());
  EXPECT_THAT(verified.block_failures, IsEmpty());
  EXPECT_EQ(verified.blocks_detached, 3);
  EXPECT_EQ(verified.blocks_verified, 3);
  EXPECT_EQ(verified.blocks_valid, 3);
  EXPECT_EQ(verified.chains.across_detached, kAggregates);
  EXPECT_EQ(verified.incomplete, "") << "the catalog still counts what has left";
}

TEST_P(ReconciliationDetachedTest, AnEventThatIsGoneBesideThePartitionIsNamed) {
  Detach();
  Run("DELETE FROM ledger_event WHERE {position} = (SELECT min({position}) FROM ledger_event)");
  const VerificationResult verified = VerifyChains();
  const auto position =
      db_->Count(ForTable("SELECT min({position}) - 1 FROM ledger_event", layout_));
  EXPECT_TRUE(
      Kinds(verified.findings).contains("block_coverage_gap at " + std::to_string(position)));
  EXPECT_EQ(verified.blocks_detached, 2);
  EXPECT_EQ(verified.block_failures.size(), 1U);
}

// The last event of an aggregate of the part stays in the table.
TEST_P(ReconciliationDetachedTest, AnEventThatStaysIsCountedOnce) {
  const auto bounds =
      db_->Value("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'part_old'");
  Detach();
  const std::string last = "(SELECT max({position}) FROM part_old)";
  Run("CREATE TABLE part_kept (LIKE part_old); "
      "INSERT INTO part_kept SELECT * FROM part_old WHERE {position} = " +
      last +
      "; "
      "UPDATE summa_host.partition_record SET kept_count = 1; "
      "UPDATE summa_host.partition_edge d SET last_version = last_version - 1, last_hash = "
      "k.{previous_hash} FROM part_kept k WHERE k.aggregate_id = d.aggregate_id; "
      "ALTER TABLE ledger_event ATTACH PARTITION part_kept " +
      bounds + "; ANALYZE ledger_event");
  const VerificationResult verified = VerifyChains();
  EXPECT_THAT(Kinds(verified.findings), IsEmpty());
  EXPECT_EQ(verified.blocks_detached, 3);
  EXPECT_EQ(verified.incomplete, "");
  // It does not stand for one that is gone.
  Run("DELETE FROM ledger_event WHERE {position} = (SELECT min({position}) FROM part_new)");
  EXPECT_EQ(VerifyChains().block_failures.size(), 1U);
}

TEST_P(ReconciliationDetachedTest, SnapshotsAreMadeOfChainsAcrossTheEdge) {
  const SnapshotOutcome before = CreateSnapshots();
  EXPECT_EQ(before.created, kAggregates);
  Detach();
  Append(AggregateNumber(1), 2);
  SnapshotOutcome after = CreateSnapshots();
  EXPECT_EQ(after.created, 1);
  EXPECT_EQ(after.refused, 0);
  EXPECT_THAT(Kinds(VerifyChains(true).findings), IsEmpty());
}

TEST_P(ReconciliationDetachedTest, FirstSnapshotsSayFromWhichVersionTheChainWasVerified) {
  Detach();
  const SnapshotOutcome made = CreateSnapshots();
  EXPECT_EQ(made.created, kAggregates);
  EXPECT_EQ(made.refused, 0);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.hash_snapshot s JOIN "
                       "summa_host.partition_edge e USING (aggregate_type, aggregate_id) WHERE "
                       "s.verified_from = e.last_version"),
            kAggregates);
}

TEST_P(ReconciliationDetachedTest, ASnapshotIsRefusedWhereTheEdgeIsNotLinked) {
  Detach();
  Run("UPDATE summa_host.partition_edge SET last_hash = repeat('0', 64)");
  const SnapshotOutcome made = CreateSnapshots();
  EXPECT_EQ(made.created, 0);
  EXPECT_EQ(made.refused, kAggregates);
}

INSTANTIATE_TEST_SUITE_P(Layouts, ReconciliationDetachedTest,
                         testing::Values(ledger::Layout::kDeployed, ledger::Layout::kPlan),
                         [](const auto& layout) {
                           return layout.param == ledger::Layout::kPlan ? "plan" : "deployed";
                         });

}  // namespace
}  // namespace summa::reconciliation
