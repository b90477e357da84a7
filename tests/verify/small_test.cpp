// The verification of a database made by Summa itself, and of its tampered variants, against what
// Summa's own code says of each.
#include <simdjson.h>

#include "tests/verify/verify_support.hpp"

namespace summa::verify {
namespace {

class SmallDatabase : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const auto shared = test::ForSharedData();
    if (!shared) GTEST_SKIP() << "skipped: ../shared/summa-db, a database made by Summa, is absent";
    folder_ = *shared + "/summa-db/";
  }

  std::unique_ptr<LedgerDatabase> Restore(const std::string& name, const std::string& patch = "") {
    Server().CreateDatabase(name);
    Server().RunSqlFile(name, folder_ + "small.sql.gz", true);
    if (!patch.empty()) Server().RunSqlFile(name, folder_ + patch);
    Server().RunSql(name, "ANALYZE");
    return std::make_unique<LedgerDatabase>(name);
  }
  simdjson::dom::element Expected(const std::string& file) { return parser_.load(folder_ + file); }

  std::string folder_;
  simdjson::dom::parser parser_;
};

void ExpectChains(const ChainReport& chains, simdjson::dom::element expected) {
  EXPECT_EQ(chains.aggregates, std::int64_t(expected["aggregates"]));
  EXPECT_EQ(chains.events_in_valid_prefixes, std::int64_t(expected["eventsInValidPrefixes"]));
  const simdjson::dom::array broken = expected["brokenChains"];
  ASSERT_EQ(chains.broken.size(), broken.size());
  std::size_t at = 0;
  for (simdjson::dom::element chain : broken) {
    EXPECT_EQ(chains.broken[at].aggregate_type, std::string_view(chain["aggregateType"]));
    EXPECT_EQ(chains.broken[at].aggregate_id, std::string_view(chain["aggregateId"]));
    EXPECT_EQ(chains.broken[at].broken_at_version, std::int64_t(chain["brokenAtVersion"]));
    EXPECT_EQ(chains.broken[at].event_count, std::int64_t(chain["eventCount"]));
    ++at;
  }
}

void ExpectBlocks(const BlockReport& blocks, simdjson::dom::element expected) {
  EXPECT_EQ(blocks.verified, std::int64_t(expected["blocks"]["blocksVerified"]));
  EXPECT_EQ(blocks.valid, std::int64_t(expected["blocks"]["blocksValid"]));
  EXPECT_EQ(blocks.failed, std::int64_t(expected["blocks"]["blocksFailed"]));
}

TEST_P(SmallDatabase, ChainsAndBlocksAreWhatSummaSays) {
  const std::string variant = GetParam();
  const bool clean = variant == "small";
  std::string name = variant;
  for (char& c : name) c = c == '-' ? '_' : c;
  const auto database = Restore(name, clean ? "" : variant + ".sql");
  const auto expected = Expected(variant + ".expected.json");
  for (const std::int64_t rows_per_range : {std::int64_t{1'000'000}, std::int64_t{1000}}) {
    VerifyOptions options;
    options.rows_per_range = rows_per_range;
    ExpectChains(VerifyChains(database->sql(), options), expected);
    ExpectBlocks(VerifyBlocks(database->sql(), options), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, SmallDatabase,
                         testing::Values("small", "tamper-event-data", "tamper-entry",
                                         "tamper-balance"),
                         [](const auto& variant) {
                           std::string name = variant.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(SmallDatabase, ACleanLedgerHasNoFinding) {
  const auto database = Restore("small_clean");
  const VerifyOptions options;
  EXPECT_EQ(VerifyChains(database->sql(), options).finding_count, 0);
  EXPECT_EQ(VerifyBlocks(database->sql(), options).finding_count, 0);
  EXPECT_EQ(VerifySnapshots(database->sql(), options).mismatches, 0);
}

TEST_F(SmallDatabase, AChangedEventIsNamed) {
  const auto database = Restore("small_event", "tamper-event-data.sql");
  const ChainReport chains = VerifyChains(database->sql(), {});
  ASSERT_EQ(chains.findings.size(), 1U);
  const Finding& finding = chains.findings[0];
  EXPECT_EQ(finding.kind, kind::kEventHashMismatch);
  EXPECT_EQ(finding.event_id, "b4ae9880-d60a-4610-92d0-578fce529309");
  EXPECT_EQ(finding.position, 574);
  EXPECT_EQ(finding.version, 1);
}

}  // namespace
}  // namespace summa::verify
