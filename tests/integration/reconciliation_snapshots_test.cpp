// Snapshots: only of what was verified, never changed, and never trusted blindly. And the rolling
// verification, which looks at what they vouch for.
#include "rolling.hpp"
#include "snapshot_maker.hpp"
#include "tests/integration/reconciliation_support.hpp"

namespace summa::reconciliation {
namespace {

using ::testing::IsEmpty;

using Set = std::multiset<std::string>;

class SnapshotsTest : public ReconciliationTest,
                      public testing::WithParamInterface<ledger::Layout> {
 protected:
  SnapshotsTest() {
    UseTraffic();
    if (GetParam() == ledger::Layout::kPlan) UsePlanLayout();
    settings_.timeout = std::chrono::milliseconds(100);
    settings_.snapshot_after_events = 10;
  }
  std::string For(const std::string& statement) const { return ForTable(statement, layout_); }
  SnapshotOutcome CreateAll(std::int64_t least = 1, std::int64_t batch = 100) {
    return WithWork([&](Work& work) {
      return SnapshotMaker(sql_->unleased(), work, settings_).CreateAll(least, batch);
    });
  }
  SnapshotOutcome CatchUp() {
    return WithWork(
        [&](Work& work) { return SnapshotMaker(sql_->unleased(), work, settings_).CatchUp(); });
  }
  std::int64_t Count(const std::string& what) { return db_->Count("SELECT count(*) FROM " + what); }
  std::int64_t Aggregates() {
    return db_->Count(
        "SELECT count(*) FROM (SELECT DISTINCT aggregate_type, aggregate_id FROM ledger_event) a");
  }
  // Snapshots that are not an event of their aggregate, as it is stored.
  std::int64_t Wrong() {
    return db_->Count(For(
        "SELECT count(*) FROM summa_host.hash_snapshot s LEFT JOIN ledger_event e ON "
        "e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id AND e.{version} = "
        "s.snapshot_version AND e.{hash} = s.snapshot_hash AND e.{position} = s.position "
        "WHERE e.id IS NULL OR s.event_count <> s.snapshot_version"));
  }
  RollingOutcome Roll() {
    return WithWork(
        [&](Work& work) { return Rolling(sql_->unleased(), work, settings_, incomplete_).Next(); });
  }
  std::set<std::string> incomplete_;
  void ChangeData(const std::string& aggregate, int version) {
    Tamper(For("UPDATE ledger_event SET event_data = '{\"changed\": 1}' WHERE aggregate_id = '" +
               aggregate + "' AND {version} = " + std::to_string(version)));
  }
};

TEST_P(SnapshotsTest, AreMadeOfAllAggregatesAndThenAreCurrent) {
  const SnapshotOutcome made = CreateAll();
  EXPECT_EQ(made.created, Aggregates());
  EXPECT_EQ(made.events, Count("ledger_event"));
  EXPECT_EQ(made.refused, 0);
  EXPECT_EQ(Wrong(), 0);
  const SnapshotOutcome again = CreateAll();
  EXPECT_EQ(again.created, 0);
  EXPECT_EQ(again.already_current, Aggregates());
}

TEST_P(SnapshotsTest, AreFewerWithALeastNumberOfEvents) {
  Append(AggregateNumber(1), 12);
  const SnapshotOutcome made = CreateAll(12);
  EXPECT_EQ(made.created, 1);
  EXPECT_EQ(made.skipped, Aggregates() - 1);
}

TEST_P(SnapshotsTest, AreVerifiedFromTheLastOneOn) {
  Append(AggregateNumber(1), 20);
  CreateAll(20);
  Append(AggregateNumber(1), 10);
  const SnapshotOutcome more = CreateAll(10);
  EXPECT_EQ(more.created, 1);
  EXPECT_EQ(more.events, 11) << "the event of the snapshot, and ten new ones";
  EXPECT_EQ(Count("summa_host.hash_snapshot"), 2) << "the old one stays";
  EXPECT_EQ(Count("summa_host.hash_snapshot WHERE snapshot_version = 30 AND verified_from = 20"),
            1);
}

TEST_P(SnapshotsTest, AreRefusedForAChainThatIsNotValid) {
  Append(AggregateNumber(1), 12);
  ChangeData(AggregateNumber(1), 7);
  const SnapshotOutcome made = CreateAll();
  EXPECT_EQ(made.refused, 1);
  EXPECT_EQ(made.created, Aggregates() - 1);
  ASSERT_EQ(made.findings.count(), 1);
  const Discrepancy& finding = made.findings.kept().front();
  EXPECT_EQ(finding.kind, "event_hash_mismatch");
  EXPECT_EQ(finding.aggregate_id, AggregateNumber(1));
  EXPECT_EQ(finding.version, 7);
  EXPECT_EQ(Count("summa_host.hash_snapshot WHERE aggregate_id = '" + AggregateNumber(1) + "'"), 0);
}

TEST_P(SnapshotsTest, AreRefusedWhereEventsAreMissing) {
  Append(AggregateNumber(1), 12);
  Append(AggregateNumber(2), 12);
  Append(AggregateNumber(3), 12);
  const std::string where = "DELETE FROM ledger_event WHERE aggregate_id = '";
  Tamper(For(where + AggregateNumber(1) + "' AND {version} = 1"));
  Tamper(For(where + AggregateNumber(2) + "' AND {version} = 6"));
  Tamper(For("UPDATE ledger_event SET {previous_hash} = repeat('0', 64) WHERE aggregate_id = '" +
             AggregateNumber(3) + "' AND {version} = 5"));
  const SnapshotOutcome made = CreateAll(10);
  EXPECT_EQ(made.refused, 3);
  std::set<std::string> kinds;
  for (const Discrepancy& finding : made.findings.kept()) kinds.insert(finding.kind);
  EXPECT_EQ(kinds, (std::set<std::string>{"missing_first", "version_gap", "link_mismatch"}));
}

// The stored event no longer is what the snapshot was made of: it is not trusted, and what is wrong
// below it is named.
TEST_P(SnapshotsTest, AreNotTrustedWhenTheirEventWasChanged) {
  const std::string aggregate = AggregateNumber(1);
  Append(aggregate, 12);
  CreateAll(12);
  // From version 4 on everything is written anew, with hashes that fit.
  Tamper(
      For("DELETE FROM ledger_event WHERE aggregate_id = '" + aggregate + "' AND {version} > 3"));
  for (int n = 100; n < 115; ++n) db_->Execute(AppendStatement(aggregate, n));
  const SnapshotOutcome made = CreateAll(1);
  EXPECT_EQ(made.refused, 1);
  EXPECT_EQ(made.findings.kept().front().kind, "snapshot_mismatch");
  EXPECT_EQ(Count("summa_host.hash_snapshot WHERE aggregate_id = '" + aggregate + "'"), 1);
  Set kinds;
  const VerificationResult verified = VerifyChains();
  for (const Discrepancy& finding : verified.findings.kept()) kinds.insert(finding.kind);
  EXPECT_EQ(kinds, Set{"snapshot_mismatch"});
}

TEST_P(SnapshotsTest, HideAChangeBelowThemOnlyFromAVerificationThatTrustsThem) {
  Append(AggregateNumber(1), 12);
  CreateAll(12);
  ChangeData(AggregateNumber(1), 5);
  EXPECT_EQ(VerifyChains(/*from_snapshots=*/true).chains.broken_count, 0);
  EXPECT_EQ(VerifyChains(/*from_snapshots=*/false).chains.broken_count, 1);
}

TEST_P(SnapshotsTest, AreMadeByTheWorkerForWhatHasGrownEnough) {
  Append(AggregateNumber(1), 9);
  Append(AggregateNumber(2), 10);
  SnapshotOutcome made = CatchUp();
  EXPECT_EQ(made.created, 1);
  EXPECT_EQ(Count("summa_host.hash_snapshot WHERE snapshot_version = 10"), 1);
  Append(AggregateNumber(1), 1);
  Append(AggregateNumber(2), 9);
  EXPECT_EQ(CatchUp().created, 1);
  EXPECT_EQ(CatchUp().created, 0);
  Append(AggregateNumber(2), 1);
  EXPECT_EQ(CatchUp().created, 1);
  settings_.snapshot_after_events = 2;  // less is enough now: looked for from the start
  EXPECT_GT(CatchUp().created, 0);
  EXPECT_EQ(Wrong(), 0);
}

// An event that is committed late must not be passed over.
TEST_P(SnapshotsTest, WaitForAWriterThatMayStillAddAnEventBelow) {
  Append(AggregateNumber(1), 9);
  Db writer(url_);
  writer.Execute("BEGIN; " + AppendStatement(AggregateNumber(1)));
  Append(AggregateNumber(2), 3);
  EXPECT_EQ(CatchUp().created, 0);
  writer.Execute("COMMIT");
  EXPECT_EQ(CatchUp().created, 1);
}

TEST_P(SnapshotsTest, RollingVerificationGoesOverEverythingAndThenIsDone) {
  Append(AggregateNumber(1), 12);
  Append("f0000000-0000-4000-8000-000000000001", 12);
  CreateAll(12);
  ChangeData("f0000000-0000-4000-8000-000000000001", 5);
  std::int64_t events = 0, findings = 0;
  std::set<std::string> parts;
  RollingOutcome outcome;
  do {
    outcome = Roll();
    EXPECT_TRUE(parts.insert(outcome.part).second) << outcome.part << " twice";
    if (outcome.part.rfind("chains/", 0) == 0) events += outcome.rows;
    findings += outcome.findings.count();
    if (outcome.more_due) {
      EXPECT_GT(outcome.oldest_unverified_age_seconds, 0);
    }
  } while (outcome.more_due);
  EXPECT_EQ(parts.size(), Rolling::kSlices + 3u);
  EXPECT_EQ(events, Count("ledger_event")) << "every event once";
  EXPECT_EQ(findings, 1) << "also what a snapshot vouches for";
  EXPECT_LT(outcome.oldest_unverified_age_seconds, 60);
  outcome = Roll();
  EXPECT_EQ(outcome.part, "") << "nothing is due any more";
  db_->Execute(
      "UPDATE summa_host.verification_part SET verified_at = now() - interval '6 days' "
      "WHERE part = 'chains/07'");
  outcome = Roll();
  EXPECT_EQ(outcome.part, "chains/07");
}

// Neither verified nor in the way of the other parts.
TEST_P(SnapshotsTest, RollingVerificationLeavesAPartUnverifiedThatHasFarFewerRowsThanBefore) {
  while (Roll().more_due) continue;
  db_->Execute(
      "UPDATE summa_host.verification_part SET verified_at = now() - interval '6 days', rows = "
      "rows + 1000 WHERE part = 'chains/07'");
  const auto verified_at = [&] {
    return db_->Value(
        "SELECT verified_at FROM summa_host.verification_part WHERE part = 'chains/07'");
  };
  const std::string before = verified_at();
  for (int round = 0; round < 2; ++round) {
    const RollingOutcome outcome = Roll();
    EXPECT_EQ(outcome.part, "chains/07");
    ASSERT_TRUE(outcome.incomplete.has_value());
    EXPECT_EQ(outcome.incomplete->code(), "SH-0709");
    EXPECT_EQ(verified_at(), before);
    EXPECT_EQ(Roll().part, "") << "nothing else is due, and the round is over";
  }
  db_->Execute("DELETE FROM summa_host.verification_part WHERE part = 'chains/07'");
  EXPECT_FALSE(Roll().incomplete.has_value()) << "what the message says to do";
}

INSTANTIATE_TEST_SUITE_P(Layouts, SnapshotsTest,
                         testing::Values(ledger::Layout::kDeployed, ledger::Layout::kPlan),
                         [](const auto& layout) {
                           return layout.param == ledger::Layout::kPlan ? "Plan" : "Deployed";
                         });

}  // namespace
}  // namespace summa::reconciliation
