// An honest transaction that commits late under a lower position does not make an honest block look
// tampered with; anything else does.
#include "verify/late_event.hpp"

#include <summa/ledger/hash.hpp>

#include "tests/verify/verify_support.hpp"

namespace summa::verify {
namespace {

class LateEvents : public testing::TestWithParam<Layout> {
 protected:
  std::string Append(const std::string& reference) const {
    if (GetParam() == Layout::kPlan) {
      return "SELECT plan.transact(NULL, plan.account_id(4), 7, '" + reference + "', 'credit')";
    }
    return "SELECT fixture.credit(fixture.account_id(4), 7, '" + reference + "')";
  }
  // Another account, so that it does not wait for the slow one.
  std::string AppendElsewhere(const std::string& reference) const {
    if (GetParam() == Layout::kPlan) {
      return "SELECT plan.transact(NULL, plan.account_id(2), 7, '" + reference + "', 'credit')";
    }
    return "SELECT fixture.credit(fixture.account_id(2), 7, '" + reference + "')";
  }
};

TEST_P(LateEvents, AreNamedAndTheBlockStaysValid) {
  const auto database = CopyOfLedger(GetParam());
  test::Db slow(database->url);
  slow.Execute("BEGIN");
  slow.Query(Append("late"));
  database->db.Query(AppendElsewhere("early-1"));
  database->db.Query(AppendElsewhere("early-2"));
  database->db.Query("SELECT tamper.make_block()");  // the slow transaction is open
  slow.Execute("COMMIT");
  database->db.Query(AppendElsewhere("after"));
  database->db.Query("SELECT tamper.make_block()");

  const BlockReport blocks = VerifyBlocks(database->sql(), {});
  EXPECT_EQ(blocks.verified, 5);
  EXPECT_EQ(blocks.valid, 5) << Described(blocks.findings);
  ASSERT_EQ(blocks.findings.size(), 1U) << Described(blocks.findings);
  const Finding& late = blocks.findings[0];
  EXPECT_EQ(late.kind, kind::kLateEvent);
  EXPECT_EQ(late.block_sequence, 4);
  const std::string late_id = database->db.Value(
      ForLayout(GetParam(), "SELECT id FROM ledger_event WHERE event_data->>'reference' = 'late'"));
  EXPECT_EQ(late.event_id, late_id);
  EXPECT_EQ(VerifyChains(database->sql(), {}).finding_count, 0);

  // With an event of the block changed besides, it is tampered with.
  database->db.Execute(ForLayout(GetParam(),
                                 "UPDATE ledger_event SET :hash = md5('a') || md5('b') WHERE "
                                 "event_data->>'reference' = 'early-2'"));
  EXPECT_EQ(KindsOf(VerifyBlocks(database->sql(), {}).findings),
            (std::set<std::string>{"block_hash_mismatch"}));
}

TEST_P(LateEvents, BetweenTwoBlocksLieInNone) {
  const auto database = CopyOfLedger(GetParam());
  test::Db slow(database->url);
  database->db.Query("SELECT tamper.make_block()");
  slow.Execute("BEGIN");
  slow.Query(Append("late"));  // the lowest position above the block
  database->db.Query(AppendElsewhere("early"));
  database->db.Query("SELECT tamper.make_block()");
  slow.Execute("COMMIT");
  const BlockReport blocks = VerifyBlocks(database->sql(), {});
  EXPECT_EQ(blocks.valid, blocks.verified);
  ASSERT_EQ(blocks.findings.size(), 1U) << Described(blocks.findings);
  EXPECT_EQ(blocks.findings[0].kind, kind::kBlockCoverageGap);
  EXPECT_EQ(
      blocks.findings[0].event_id,
      database->db.Value("SELECT id FROM ledger_event WHERE event_data->>'reference' = 'late'"));
}

INSTANTIATE_TEST_SUITE_P(Of, LateEvents, testing::Values(Layout::kDeployed, Layout::kPlan),
                         [](const auto& param) {
                           return param.param == Layout::kPlan ? "plan" : "deployed";
                         });

// Rows of which every third belongs to the transaction of its neighbour.
std::vector<SealedRow> Rows(std::size_t count) {
  std::vector<SealedRow> rows;
  Hasher hasher;
  for (std::size_t i = 0; i < count; ++i) {
    hasher.Add(std::to_string(i));
    rows.push_back({hasher.Finish().string(), static_cast<std::int64_t>(i % 3 == 1 ? i - 1 : i)});
  }
  return rows;
}

std::string HashWithout(const std::vector<SealedRow>& rows, const std::set<std::size_t>& without) {
  Hasher hasher;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (without.count(i) == 0) hasher.Add(rows[i].hash);
  }
  return hasher.Finish().string();
}

TEST(FindLate, FindsOneTransactionWhereverItLies) {
  const std::vector<SealedRow> rows = Rows(1000);
  for (const std::size_t late :
       {std::size_t{2}, std::size_t{5}, std::size_t{500}, std::size_t{998}}) {
    EXPECT_EQ(FindLate(rows, 1, HashWithout(rows, {late})), std::vector<std::size_t>{late});
  }
  EXPECT_EQ(FindLate(rows, 2, HashWithout(rows, {300, 301})), (std::vector<std::size_t>{300, 301}));
}

TEST(FindLate, FindsTwoRecentTransactions) {
  const std::vector<SealedRow> rows = Rows(400);
  EXPECT_EQ(FindLate(rows, 2, HashWithout(rows, {350, 389})), (std::vector<std::size_t>{350, 389}));
  EXPECT_EQ(FindLate(rows, 3, HashWithout(rows, {360, 361, 389})),
            (std::vector<std::size_t>{360, 361, 389}));
}

TEST(FindLate, FindsNothingWhereSomethingElseChanged) {
  std::vector<SealedRow> rows = Rows(300);
  const std::string sealed = HashWithout(rows, {100});
  rows[50].hash[0] = rows[50].hash[0] == '0' ? '1' : '0';
  EXPECT_EQ(FindLate(rows, 1, sealed), std::nullopt);
  EXPECT_EQ(FindLate(rows, 0, sealed), std::nullopt);
  EXPECT_EQ(FindLate({}, 1, sealed), std::nullopt);
}

}  // namespace
}  // namespace summa::verify
