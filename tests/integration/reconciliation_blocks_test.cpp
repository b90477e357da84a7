// Blocks: Summa's rule accepts ours and we accept Summa's; nothing is sealed too early and nothing
// escapes; late, gone and changed events are told apart.
#include "block_sealer.hpp"
#include "late_events.hpp"
#include "tests/integration/reconciliation_support.hpp"

namespace summa::reconciliation {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

using Set = std::multiset<std::string>;

// What Summa itself computes for the rows of block_checkpoint, written down from its rule alone:
// the hash over the hashes of the events in the range, the hash over that and the block before, the
// link.
constexpr const char* kSummasRule = R"sql(
SELECT b.block_sequence FROM block_checkpoint b
LEFT JOIN block_checkpoint p ON p.id = b.prev_block_id
CROSS JOIN LATERAL (
  SELECT encode(sha256(convert_to(coalesce(string_agg(e.{hash}, '' ORDER BY e.{position}), ''), 'UTF8')), 'hex') AS hash
  FROM ledger_event e WHERE e.{position} BETWEEN b.from_event_sequence AND b.to_event_sequence) c
WHERE b.block_hash <> encode(sha256(convert_to(coalesce(b.prev_block_hash, '') || c.hash, 'UTF8')), 'hex')
   OR p.block_hash IS DISTINCT FROM b.prev_block_hash
ORDER BY 1)sql";

// A block as Summa makes it: of what is visible at this moment.
constexpr const char* kSummasBlock = R"sql(
INSERT INTO block_checkpoint (from_event_sequence, to_event_sequence, event_count, events_hash, block_hash,
                              prev_block_id, prev_block_hash)
SELECT e.low, e.high, e.events, e.hash, encode(sha256(convert_to(coalesce(p.block_hash, '') || e.hash, 'UTF8')), 'hex'),
       p.id, p.block_hash
FROM (SELECT 1) one
LEFT JOIN (SELECT * FROM block_checkpoint ORDER BY block_sequence DESC LIMIT 1) p ON true
CROSS JOIN LATERAL (
  SELECT min({position}) AS low, max({position}) AS high, count(*) AS events,
         encode(sha256(convert_to(string_agg({hash}, '' ORDER BY {position}), 'UTF8')), 'hex') AS hash
  FROM ledger_event WHERE {position} > coalesce(p.to_event_sequence, 0)) e
WHERE e.events > 0)sql";

class BlocksTest : public ReconciliationTest, public testing::WithParamInterface<ledger::Layout> {
 protected:
  BlocksTest() {
    UseTraffic();
    if (GetParam() == ledger::Layout::kPlan) UsePlanLayout();
    settings_.timeout = std::chrono::milliseconds(100);
  }

  std::string For(std::string statement) const { return ForTable(statement, layout_); }
  SealOutcome Seal() {
    return WithWork(
        [&](Work& work) { return BlockSealer(sql_->unleased(), work, settings_).Run(); });
  }
  std::string SealError() {
    try {
      Seal();
    } catch (const Error& error) {
      return error.code() + " " + error.what();
    }
    return "";
  }
  void MakeSummasBlock() { ASSERT_EQ(db_->Change(For(kSummasBlock)), 1); }
  std::vector<std::string> RefusedBySumma() { return db_->Column(For(kSummasRule)); }
  std::int64_t Count(const std::string& what) { return db_->Count("SELECT count(*) FROM " + what); }
  std::int64_t Highest() { return db_->Count(For("SELECT max({position}) FROM ledger_event")); }
  // An event in the middle of a block that is the last of its aggregate.
  std::int64_t LastOfItsAggregate() {
    return db_->Count(For(
        "SELECT {position} FROM ledger_event e WHERE {position} > 100 AND NOT EXISTS (SELECT FROM "
        "ledger_event n WHERE n.aggregate_type = e.aggregate_type AND n.aggregate_id = "
        "e.aggregate_id AND n.{version} > e.{version}) ORDER BY 1 LIMIT 1"));
  }
  static std::string At(const char* kind, std::int64_t position) {
    return std::string(kind) + " at " + std::to_string(position);
  }
};

TEST_P(BlocksTest, CoverEveryEventOnceAndAreAcceptedBySummasRule) {
  settings_.block_size = 100;
  const SealOutcome outcome = Seal();
  EXPECT_GE(outcome.blocks, 8);
  EXPECT_EQ(outcome.events, Count("ledger_event"));
  EXPECT_EQ(outcome.waiting_events, 0);
  EXPECT_EQ(outcome.late, 0);
  EXPECT_THAT(RefusedBySumma(), IsEmpty());
  EXPECT_EQ(Count("block_checkpoint WHERE event_count > 100"), 0);
  EXPECT_EQ(db_->Count("SELECT sum(event_count) FROM block_checkpoint"), Count("ledger_event"));
  EXPECT_EQ(Count("block_checkpoint b JOIN block_checkpoint p ON p.id = b.prev_block_id WHERE "
                  "b.from_event_sequence <> p.to_event_sequence + 1"),
            0);
  const VerificationResult verified = VerifyChains();
  EXPECT_THAT(Kinds(verified.findings), IsEmpty());
  EXPECT_EQ(verified.blocks_valid, outcome.blocks);
}

TEST_P(BlocksTest, GoOnFromSummasAndAreGoneOnFromByIt) {
  MakeSummasBlock();
  Append(AggregateNumber(1), 3);
  EXPECT_EQ(Seal().events, 3);
  Append(AggregateNumber(1), 2);
  MakeSummasBlock();
  Append(AggregateNumber(1), 2);
  EXPECT_EQ(Seal().events, 2);
  EXPECT_THAT(RefusedBySumma(), IsEmpty());
  const VerificationResult verified = VerifyChains();
  EXPECT_THAT(Kinds(verified.findings), IsEmpty());
  EXPECT_EQ(verified.blocks_valid, 4);
}

TEST_P(BlocksTest, AreNotMadeTwiceOfTheSameEvents) {
  Seal();
  const SealOutcome again = Seal();
  EXPECT_EQ(again.blocks, 0);
  EXPECT_EQ(again.events, 0);
}

TEST_P(BlocksTest, WaitForAWriterThatMayStillAddAnEventBelow) {
  Seal();
  Db writer(url_);
  writer.Execute("BEGIN; " + AppendStatement(AggregateNumber(1)));
  Append(AggregateNumber(2));
  const std::string error = SealError();
  EXPECT_THAT(error, testing::StartsWith("SH-0702"));
  EXPECT_THAT(error, testing::HasSubstr("pid " + std::to_string(writer.BackendPid())));
  EXPECT_EQ(Count("block_checkpoint"), 1);
  writer.Execute("COMMIT");
  EXPECT_EQ(Seal().events, 2);
  EXPECT_THAT(RefusedBySumma(), IsEmpty());
  EXPECT_THAT(Kinds(VerifyChains().findings), IsEmpty());
}

// The number was drawn long before the event was written: no barrier can know of it.
TEST_P(BlocksTest, ReportAnEventUnderANumberDrawnByHandAsLateAndSealItByItself) {
  Append(AggregateNumber(1));
  const std::string number =
      db_->Value(For("SELECT nextval(pg_get_serial_sequence('ledger_event', '{position}'))"));
  Append(AggregateNumber(2), 3);
  Seal();
  db_->Execute(AppendStatement(AggregateNumber(3), 1, number));
  const std::int64_t position = std::stoll(number);

  const VerificationResult before = VerifyChains();
  EXPECT_EQ(Kinds(before.findings), (Set{At("late_event", position)}));
  EXPECT_THAT(before.block_failures, IsEmpty());
  EXPECT_EQ(before.blocks_valid, 1);
  EXPECT_EQ(before.Report().events_found.count(), 0) << "a late event is no mismatch";

  EXPECT_EQ(Seal().late, 1);
  EXPECT_EQ(Count("summa_host.late_event"), 1);
  EXPECT_EQ(fake_->CountCode("SH-0704"), 1u);
  EXPECT_EQ(Seal().late, 0) << "sealed twice";
  EXPECT_THAT(Kinds(VerifyChains().findings), IsEmpty()) << "known by now";

  Tamper(For("UPDATE ledger_event SET event_type = 'Other' WHERE {position} = " + number));
  EXPECT_EQ(Kinds(VerifyChains().findings), (Set{At("block_hash_mismatch", position)}));
  Tamper(For("DELETE FROM ledger_event WHERE {position} = " + number));
  EXPECT_EQ(Kinds(VerifyChains().findings), (Set{At("block_coverage_gap", position)}));
}

// Summa seals what is visible: this is what its own verifier calls tampered.
TEST_P(BlocksTest, TellAnEventThatCameLateForSummasBlockFromTampering) {
  MakeSummasBlock();
  Append(AggregateNumber(1));
  Db writer(url_);
  writer.Execute("BEGIN; " + AppendStatement(AggregateNumber(2)));
  const std::int64_t late = db_->Count(
      For("SELECT last_value FROM pg_sequences WHERE sequencename LIKE 'ledger_event%'"));
  Append(AggregateNumber(3));
  MakeSummasBlock();
  writer.Execute("COMMIT");
  EXPECT_FALSE(RefusedBySumma().empty());
  const VerificationResult verified = VerifyChains();
  EXPECT_EQ(Kinds(verified.findings), (Set{At("late_event", late)}));
  EXPECT_THAT(verified.block_failures, IsEmpty());
  EXPECT_EQ(verified.blocks_valid, 2);
  EXPECT_EQ(verified.late, std::vector<std::int64_t>{late});
}

// The late event has the lowest number of its block: it lies between two blocks, in none.
TEST_P(BlocksTest, SealAnEventThatFellBetweenTwoOfSummasBlocks) {
  MakeSummasBlock();
  Db writer(url_);
  writer.Execute("BEGIN; " + AppendStatement(AggregateNumber(2)));
  Append(AggregateNumber(3));
  MakeSummasBlock();
  writer.Execute("COMMIT");
  const std::int64_t late = Highest() - 1;
  EXPECT_EQ(Kinds(VerifyChains().findings), (Set{At("block_coverage_gap", late)}));
  EXPECT_EQ(Seal().late, 1);
  EXPECT_THAT(Kinds(VerifyChains().findings), IsEmpty());
  Tamper(For("DELETE FROM ledger_event WHERE {position} = " + std::to_string(late)));
  EXPECT_EQ(Kinds(VerifyChains().findings), (Set{At("block_coverage_gap", late)}));
}

TEST_P(BlocksTest, NameAnEventThatIsGone) {
  settings_.block_size = 200;
  Seal();
  const std::int64_t position = LastOfItsAggregate();
  Tamper(For("DELETE FROM ledger_event WHERE {position} = " + std::to_string(position)));
  const VerificationResult verified = VerifyChains();
  EXPECT_EQ(Kinds(verified.findings).count(At("block_coverage_gap", position)), 1u);
  EXPECT_EQ(verified.block_failures.size(), 1u);
  EXPECT_EQ(verified.blocks_verified - verified.blocks_valid, 1);
}

// Everything that Summa's hashes do not cover, in the last event of an aggregate.
TEST_P(BlocksTest, NoticeAChangeOfAnyColumn) {
  settings_.block_size = 200;
  Seal();
  const std::string where = " WHERE {position} = " + std::to_string(LastOfItsAggregate());
  for (const std::string& change :
       {std::string("event_type = event_type || 'x'"),
        std::string("correlation_id = gen_random_uuid()"),
        std::string("created_at = created_at + interval '1 microsecond'"),
        std::string("id = gen_random_uuid()"), std::string("aggregate_id = gen_random_uuid()")}) {
    db_->Execute("BEGIN");
    db_->Execute("SET LOCAL session_replication_role = replica");
    db_->Execute("CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM ledger_event");
    db_->Execute(For("UPDATE ledger_event SET " + change + where));
    db_->Execute("COMMIT");
    const VerificationResult verified = VerifyChains();
    EXPECT_THAT(Kinds(verified.findings), testing::Contains("block_hash_mismatch")) << change;
    EXPECT_EQ(verified.block_failures.size(), 1u) << change;
    Tamper("TRUNCATE ledger_event CASCADE; INSERT INTO ledger_event SELECT * FROM kept");
  }
  EXPECT_THAT(Kinds(VerifyChains().findings), IsEmpty());
}

// A forger who computes the event's own hash anew.
TEST_P(BlocksTest, NoticeAnEventThatWasForgedWithItsHash) {
  settings_.block_size = 200;
  Seal();
  const std::string position = std::to_string(LastOfItsAggregate());
  Tamper(
      For("UPDATE ledger_event SET event_data = '{\"forged\": 1}', {hash} = "
          "fixture.hash({previous_hash}, '{\"forged\": 1}') WHERE {position} = " +
          position));
  const VerificationResult verified = VerifyChains();
  EXPECT_EQ(verified.chains.broken_count, 0);
  ASSERT_EQ(verified.block_failures.size(), 1u);
  const std::string id =
      db_->Value(For("SELECT id FROM ledger_event WHERE {position} = " + position));
  bool named = false;
  for (const Discrepancy& finding : verified.findings.kept()) {
    named = named || std::count(finding.candidates.begin(), finding.candidates.end(), id) > 0;
  }
  EXPECT_TRUE(named) << "the forged event is not among the candidates of its block";
}

TEST_P(BlocksTest, NoticeThatTheNewestBlocksAreGone) {
  settings_.block_size = 200;
  Seal();
  const std::int64_t blocks = Count("block_checkpoint");
  Tamper("DELETE FROM block_checkpoint WHERE block_sequence > 2");
  const VerificationResult verified = VerifyChains();
  EXPECT_EQ(verified.findings.count(), blocks - 2);
  EXPECT_EQ(verified.block_failures.size(), static_cast<std::size_t>(blocks - 2));
}

TEST_P(BlocksTest, SealAnEventWhoseHashIsWrongAsItIsAndSaySo) {
  const std::string position = std::to_string(LastOfItsAggregate());
  Tamper(
      For("UPDATE ledger_event SET event_data = '{\"other\": 1}' WHERE {position} = " + position));
  const SealOutcome outcome = Seal();
  EXPECT_EQ(Kinds(outcome.findings), (Set{"event_hash_mismatch at " + position}));
  EXPECT_THAT(RefusedBySumma(), IsEmpty());
}

TEST_P(BlocksTest, SealsAndLateEventsCannotBeChanged) {
  Seal();
  for (const char* statement :
       {"UPDATE summa_host.block_seal SET content_hash = ''", "DELETE FROM summa_host.block_seal",
        "TRUNCATE summa_host.block_seal", "DELETE FROM summa_host.late_event",
        "TRUNCATE summa_host.hash_snapshot"}) {
    EXPECT_THROW(db_->Execute(statement), test::DbError) << statement;
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, BlocksTest,
                         testing::Values(ledger::Layout::kDeployed, ledger::Layout::kPlan),
                         [](const auto& layout) {
                           return layout.param == ledger::Layout::kPlan ? "Plan" : "Deployed";
                         });

}  // namespace
}  // namespace summa::reconciliation
