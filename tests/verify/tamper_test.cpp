// Every way of tampering against every level of the verification, in both layouts.
// docs/integrity.md has the table.
#include <tuple>

#include "tests/verify/verify_support.hpp"

namespace summa::verify {
namespace {

using Kinds = std::set<std::string>;

struct Case {
  const char* name;
  const char* deployed;
  const char* plan;  // nullptr: the same statement
  Kinds chains, snapshots, blocks, ledger;
  // Levels (c, s, b, l) that name the event of tamper.victim, alone or among candidates.
  const char* names_victim = "";
  // Where the books of the plan's layout repeat what those of the deployed one do not.
  std::optional<Kinds> ledger_of_plan = std::nullopt;
};

// A last event of a chain in block 2, changed with its hash; and the middle of the longest chain.
constexpr const char* kVictimOfAccount =
    "INSERT INTO tamper.victim SELECT id FROM ledger_event WHERE aggregate_type = 'account' AND "
    "aggregate_id = md5('account-1')::uuid AND :version = 2;";

const Case kCases[] = {
    {"data_edited",
     "UPDATE ledger_event SET event_data = event_data || '{\"reason\": \"none\"}' WHERE id IN "
     "(SELECT id FROM tamper.victim)",
     "UPDATE ledger_event SET event_data = event_data || '{\"amount\": 6000}' WHERE id IN (SELECT "
     "id FROM tamper.victim)",
     {"event_hash_mismatch"},
     {},
     {},
     {},
     "c",
     Kinds{"event_contradicts_ledger"}},
    {"hash_removed",
     "ALTER TABLE ledger_event ALTER :hash DROP NOT NULL; UPDATE ledger_event SET :hash = NULL "
     "WHERE id IN (SELECT id FROM tamper.victim)",
     nullptr,
     {"event_hash_mismatch", "link_mismatch"},
     {},
     {"block_hash_mismatch"},
     {},
     "c"},
    {"data_edited_and_rehashed",
     "UPDATE ledger_event SET event_data = event_data || '{\"reason\": \"none\"}' WHERE id IN "
     "(SELECT id FROM tamper.victim);"
     "SELECT tamper.rehash(id) FROM tamper.victim",
     "UPDATE ledger_event SET event_data = event_data || '{\"amount\": 6000}' WHERE id IN (SELECT "
     "id FROM tamper.victim);"
     "SELECT tamper.rehash(id) FROM tamper.victim",
     {"link_mismatch"},
     {},
     {"block_hash_mismatch"},
     {},
     "",
     Kinds{"event_contradicts_ledger"}},
    {"first_event_deleted",
     "DELETE FROM outbox; DELETE FROM ledger_event WHERE aggregate_id = md5('account-1')::uuid AND "
     ":version = 1",
     nullptr,
     {"missing_first"},
     {"version_gap"},
     {"block_hash_mismatch"},
     {"event_contradicts_ledger"},
     ""},
    {"middle_event_deleted",
     "DELETE FROM ledger_event WHERE id IN (SELECT id FROM tamper.victim)",
     nullptr,
     {"version_gap"},
     {"version_gap"},
     {"block_hash_mismatch"},
     {},
     "",
     Kinds{"event_contradicts_ledger"}},
    {"two_events_swapped",
     "UPDATE ledger_event SET :version = -1 WHERE aggregate_id = md5('account-1')::uuid AND "
     ":version = 2;"
     "UPDATE ledger_event SET :version = 2 WHERE aggregate_id = md5('account-1')::uuid AND "
     ":version = 3;"
     "UPDATE ledger_event SET :version = 3 WHERE aggregate_id = md5('account-1')::uuid AND "
     ":version = -1",
     "ALTER TABLE ledger_event DROP CONSTRAINT ledger_event_sequence_number_check;"
     "UPDATE ledger_event SET :version = -1 WHERE aggregate_id = md5('account-1')::uuid AND "
     ":version = 2;"
     "UPDATE ledger_event SET :version = 2 WHERE aggregate_id = md5('account-1')::uuid AND "
     ":version = 3;"
     "UPDATE ledger_event SET :version = 3 WHERE aggregate_id = md5('account-1')::uuid AND "
     ":version = -1",
     {"link_mismatch"},
     {},
     {},
     {},
     "c"},
    {"version_twice",
     "DROP INDEX uq_ledger_event_aggregate_version; INSERT INTO ledger_event (aggregate_type, "
     "aggregate_id, :version, "
     "event_type, event_data, correlation_id, :hash, :previous) SELECT aggregate_type, "
     "aggregate_id, :version, event_type, "
     "event_data, correlation_id, :hash, :previous FROM ledger_event WHERE id IN (SELECT id FROM "
     "tamper.victim)",
     "DROP INDEX uq_ledger_event_aggregate_version; INSERT INTO ledger_event (aggregate_type, "
     "aggregate_id, :version, "
     "event_type, event_data, correlation_id, :hash, :previous) SELECT aggregate_type, "
     "aggregate_id, :version, 'OTHER', "
     "event_data, correlation_id, :hash, :previous FROM ledger_event WHERE id IN (SELECT id FROM "
     "tamper.victim)",
     {"version_duplicate"},
     {"version_gap"},
     {},
     {},
     ""},
    {"last_event_edited_and_rehashed",
     "TRUNCATE tamper.victim; INSERT INTO tamper.victim SELECT e.id FROM ledger_event e JOIN "
     "transaction_record t ON t.id = "
     "e.aggregate_id WHERE t.reference = 'debit-1'; UPDATE ledger_event SET event_data = "
     "event_data || '{\"amount\": 30}' "
     "WHERE id IN (SELECT id FROM tamper.victim); SELECT tamper.rehash(id) FROM tamper.victim",
     "TRUNCATE tamper.victim; INSERT INTO tamper.victim SELECT id FROM ledger_event WHERE "
     "aggregate_id = md5('account-1')::uuid "
     "ORDER BY :version DESC LIMIT 1; UPDATE ledger_event SET event_data = event_data || "
     "'{\"amount\": 1}' "
     "WHERE id IN (SELECT id FROM tamper.victim); SELECT tamper.rehash(id) FROM tamper.victim",
     {},
     {"snapshot_mismatch"},
     {"block_hash_mismatch"},
     {"event_contradicts_ledger"},
     "sbl"},
    {"type_edited",
     "TRUNCATE tamper.victim; INSERT INTO tamper.victim SELECT e.id FROM ledger_event e JOIN "
     "transaction_record t ON t.id = "
     "e.aggregate_id WHERE t.reference = 'debit-1'; UPDATE ledger_event SET event_type = "
     "'TransactionNoted' "
     "WHERE id IN (SELECT id FROM tamper.victim)",
     "UPDATE ledger_event SET event_type = 'DEBIT_POSTED' WHERE id IN (SELECT id FROM "
     "tamper.victim)",
     {},
     {},
     {},
     {"event_contradicts_ledger"},
     ""},
    {"time_edited",
     "TRUNCATE tamper.victim; INSERT INTO tamper.victim SELECT e.id FROM ledger_event e JOIN "
     "transaction_record t ON t.id = "
     "e.aggregate_id WHERE t.reference = 'debit-1'; UPDATE ledger_event SET created_at = "
     "created_at - interval '1 day' "
     "WHERE id IN (SELECT id FROM tamper.victim)",
     "UPDATE ledger_event SET created_at = created_at - interval '1 day' WHERE id IN (SELECT id "
     "FROM tamper.victim)",
     {},
     {},
     {},
     {"event_contradicts_ledger"},
     "l"},
    {"moved_to_another_aggregate",
     "TRUNCATE tamper.victim; INSERT INTO tamper.victim SELECT e.id FROM ledger_event e JOIN "
     "transaction_record t ON t.id = "
     "e.aggregate_id WHERE t.reference = 'debit-1'; UPDATE ledger_event SET aggregate_id = "
     "md5('nowhere')::uuid "
     "WHERE id IN (SELECT id FROM tamper.victim)",
     "TRUNCATE tamper.victim; INSERT INTO tamper.victim SELECT id FROM ledger_event WHERE "
     "aggregate_id = md5('account-4')::uuid; "
     "UPDATE ledger_event SET aggregate_id = md5('nowhere')::uuid WHERE id IN (SELECT id FROM "
     "tamper.victim)",
     {},
     {"snapshot_mismatch", "version_gap"},
     {},
     {"event_contradicts_ledger"},
     "l"},
    {"moved_to_the_end_of_another_chain",
     "UPDATE ledger_event SET aggregate_id = md5('account-2')::uuid, :version = 2 WHERE "
     "aggregate_type = 'account' AND "
     "aggregate_id = md5('account-1')::uuid AND :version = 6",
     "UPDATE ledger_event SET aggregate_id = md5('account-4')::uuid, :version = 2 WHERE id IN "
     "(SELECT id FROM ledger_event "
     "WHERE aggregate_id = md5('account-1')::uuid ORDER BY :version DESC LIMIT 1)",
     {"link_mismatch"},
     {"snapshot_mismatch", "version_gap"},
     {},
     {"event_contradicts_ledger"},
     ""},
    {"tail_deleted",
     "DELETE FROM ledger_event WHERE aggregate_type = 'account' AND aggregate_id = "
     "md5('account-1')::uuid AND :version >= 6",
     "DELETE FROM ledger_event WHERE aggregate_id = md5('account-1')::uuid AND :version >= 5",
     {},
     {"snapshot_mismatch", "version_gap"},
     {"block_hash_mismatch"},
     {"event_contradicts_ledger"},
     ""},
    {"aggregate_deleted",
     "DELETE FROM ledger_event WHERE aggregate_id = (SELECT id FROM transaction_record WHERE "
     "reference = 'transfer-1')",
     "DELETE FROM ledger_event WHERE aggregate_id = md5('account-4')::uuid",
     {},
     {"snapshot_mismatch", "version_gap"},
     {"block_hash_mismatch"},
     {"event_contradicts_ledger"},
     ""},
    {"event_forged",
     "SELECT fixture.append_event('transaction', md5('forged')::uuid, 'TransactionPosted', "
     "'{\"amount\": 5, \"reference\": \"f\"}');"
     "TRUNCATE tamper.victim; INSERT INTO tamper.victim SELECT id FROM ledger_event WHERE "
     "aggregate_id = md5('forged')::uuid",
     "SELECT plan.append(md5('account-2')::uuid, 'CREDIT_POSTED', '{\"amount\": 5, \"reference\": "
     "\"f\"}', gen_random_uuid());"
     "TRUNCATE tamper.victim; INSERT INTO tamper.victim SELECT id FROM ledger_event WHERE "
     "event_data->>'reference' = 'f'",
     {},
     {},
     {},
     {"event_contradicts_ledger"},
     "l"},
    {"chain_rewritten",
     "UPDATE ledger_event SET event_data = event_data || '{\"reason\": \"none\"}' WHERE id IN "
     "(SELECT id FROM tamper.victim);"
     "SELECT tamper.rewrite('account', md5('account-1')::uuid, 2)",
     "UPDATE ledger_event SET event_data = event_data || '{\"category\": \"none\"}' WHERE id IN "
     "(SELECT id FROM tamper.victim);"
     "SELECT tamper.rewrite('account', md5('account-1')::uuid, 2)",
     {},
     {"snapshot_mismatch"},
     {"block_hash_mismatch"},
     {},
     ""},
    {"chain_rewritten_with_its_snapshots",
     "UPDATE ledger_event SET event_data = event_data || '{\"reason\": \"none\"}' WHERE id IN "
     "(SELECT id FROM tamper.victim);"
     "SELECT tamper.rewrite('account', md5('account-1')::uuid, 2); TRUNCATE tamper.hash_snapshot; "
     "SELECT tamper.take_snapshots()",
     "UPDATE ledger_event SET event_data = event_data || '{\"category\": \"none\"}' WHERE id IN "
     "(SELECT id FROM tamper.victim);"
     "SELECT tamper.rewrite('account', md5('account-1')::uuid, 2); TRUNCATE tamper.hash_snapshot; "
     "SELECT tamper.take_snapshots()",
     {},
     {},
     {"block_hash_mismatch"},
     {},
     ""},
    {"snapshot_edited",
     "UPDATE tamper.hash_snapshot SET snapshot_hash = md5('x') || md5('y') WHERE aggregate_id = "
     "md5('account-1')::uuid",
     nullptr,
     {},
     {"snapshot_mismatch"},
     {},
     {},
     ""},
    {"block_rewritten",
     "UPDATE ledger_event SET event_data = event_data || '{\"reason\": \"none\"}' WHERE id IN "
     "(SELECT id FROM tamper.victim);"
     "SELECT tamper.rewrite('account', md5('account-1')::uuid, 2); TRUNCATE tamper.hash_snapshot; "
     "SELECT tamper.take_snapshots();"
     "SELECT tamper.rewrite_block(1, false)",
     "UPDATE ledger_event SET event_data = event_data || '{\"category\": \"none\"}' WHERE id IN "
     "(SELECT id FROM tamper.victim);"
     "SELECT tamper.rewrite('account', md5('account-1')::uuid, 2); TRUNCATE tamper.hash_snapshot; "
     "SELECT tamper.take_snapshots();"
     "SELECT tamper.rewrite_block(1, false)",
     {},
     {},
     {"block_link_mismatch", "block_hash_mismatch"},
     {},
     ""},
    {"every_block_rewritten",
     "UPDATE ledger_event SET event_data = event_data || '{\"reason\": \"none\"}' WHERE id IN "
     "(SELECT id FROM tamper.victim);"
     "SELECT tamper.rewrite('account', md5('account-1')::uuid, 2); TRUNCATE tamper.hash_snapshot; "
     "SELECT tamper.take_snapshots();"
     "SELECT tamper.rewrite_block(1, true)",
     "UPDATE ledger_event SET event_data = event_data || '{\"category\": \"none\"}' WHERE id IN "
     "(SELECT id FROM tamper.victim);"
     "SELECT tamper.rewrite('account', md5('account-1')::uuid, 2); TRUNCATE tamper.hash_snapshot; "
     "SELECT tamper.take_snapshots();"
     "SELECT tamper.rewrite_block(1, true)",
     // Only what was noted elsewhere of the newest block contradicts.
     {},
     {},
     {"block_hash_mismatch"},
     {},
     ""},
    {"newest_block_deleted",
     "DELETE FROM block_checkpoint WHERE block_sequence = 3",
     nullptr,
     {},
     {},
     {"block_coverage_gap"},
     {},
     ""},
    {"middle_block_deleted",
     "DELETE FROM block_checkpoint WHERE block_sequence = 2",
     nullptr,
     {},
     {},
     {"block_link_mismatch", "block_coverage_gap"},
     {},
     ""},
    {"block_row_edited",
     "UPDATE block_checkpoint SET event_count = event_count + 1 WHERE block_sequence = 2",
     nullptr,
     {},
     {},
     {"block_hash_mismatch"},
     {},
     ""},
    {"entry_edited",
     "UPDATE entry_record SET amount = amount + 1 WHERE id = (SELECT n.id FROM entry_record n JOIN "
     "transaction_record t ON t.id = "
     "n.transaction_id WHERE t.reference = 'transfer-1' AND n.entry_type = 'CREDIT'); TRUNCATE "
     "tamper.victim; "
     "INSERT INTO tamper.victim SELECT e.id FROM ledger_event e JOIN transaction_record t ON t.id "
     "= e.aggregate_id "
     "WHERE t.reference = 'transfer-1' AND e.event_type = 'TransactionPosted'",
     "UPDATE entry_record SET amount = amount + 1 WHERE id = (SELECT n.id FROM entry_record n JOIN "
     "transaction_record t ON t.id = "
     "n.transaction_id WHERE t.reference = 'transfer-1' AND n.entry_type = 'CREDIT'); TRUNCATE "
     "tamper.victim; "
     "INSERT INTO tamper.victim SELECT id FROM ledger_event WHERE event_data->>'reference' = "
     "'transfer-1' AND event_type = 'CREDIT_POSTED'",
     {},
     {},
     {},
     {"event_contradicts_ledger"},
     "l"},
    {"status_of_transaction_edited",
     "UPDATE transaction_record SET status = 'posted' WHERE reference = 'hold-2'",
     nullptr,
     {},
     {},
     {},
     {"event_contradicts_ledger"},
     ""},
    {"status_of_account_edited",
     "UPDATE account_balance SET status = 'closed' WHERE id = md5('account-2')::uuid",
     nullptr,
     {},
     {},
     {},
     {"event_contradicts_ledger"},
     ""},
    {"balance_edited",
     "UPDATE account_balance SET balance = balance + 5000 WHERE id = md5('account-2')::uuid",
     nullptr,
     // Step 1 of the reconciliation compares balances with entries.
     {},
     {},
     {},
     {},
     ""},
};

bool Names(const std::vector<Finding>& findings, const std::string& event_id) {
  for (const Finding& finding : findings) {
    if (finding.event_id == event_id) return true;
    for (const std::string& candidate : finding.candidates) {
      if (candidate == event_id) return true;
    }
  }
  return false;
}

class Tampering : public testing::TestWithParam<std::tuple<Layout, std::size_t>> {
 protected:
  Layout layout() const { return std::get<0>(GetParam()); }
  const Case& tampering() const { return kCases[std::get<1>(GetParam())]; }
};

// What a host has noted of the newest block while everything was well.
KnownBlock NewestBlock(test::Db& db) {
  const auto row = db.Query(
      "SELECT block_sequence, to_event_sequence, block_hash FROM block_checkpoint ORDER BY 1 DESC "
      "LIMIT 1");
  return {std::stoll(row[0][0]), std::stoll(row[0][1]), row[0][2]};
}

TEST_P(Tampering, IsFoundByTheLevelsThatCanSeeIt) {
  const auto database = CopyOfLedger(layout());
  BlockOptions block_options;
  block_options.known = NewestBlock(database->db);
  const bool plan = layout() == Layout::kPlan;
  const char* sql = plan && tampering().plan != nullptr ? tampering().plan : tampering().deployed;
  database->db.Execute(ForLayout(layout(), kVictimOfAccount));
  database->db.Execute(ForLayout(layout(), sql));
  const Levels found = VerifyEverything(*database, block_options);
  EXPECT_EQ(KindsOf(found.chains.findings), tampering().chains) << Described(found.chains.findings);
  EXPECT_EQ(KindsOf(found.snapshots.findings), tampering().snapshots)
      << Described(found.snapshots.findings);
  EXPECT_EQ(KindsOf(found.blocks.findings), tampering().blocks) << Described(found.blocks.findings);
  const Kinds& ledger =
      plan && tampering().ledger_of_plan ? *tampering().ledger_of_plan : tampering().ledger;
  EXPECT_EQ(KindsOf(found.ledger.findings), ledger) << Described(found.ledger.findings);
  for (const char* level = tampering().names_victim; *level != '\0'; ++level) {
    const std::vector<Finding>& findings = *level == 'c'   ? found.chains.findings
                                           : *level == 's' ? found.snapshots.findings
                                           : *level == 'b' ? found.blocks.findings
                                                           : found.ledger.findings;
    EXPECT_TRUE(Names(findings, database->db.Value("SELECT id FROM tamper.victim")))
        << "level " << *level << ": " << Described(findings);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, Tampering,
                         testing::Combine(testing::Values(Layout::kDeployed, Layout::kPlan),
                                          testing::Range(std::size_t{0}, std::size(kCases))),
                         [](const auto& param) {
                           return std::string(std::get<0>(param.param) == Layout::kPlan
                                                  ? "plan_"
                                                  : "deployed_") +
                                  kCases[std::get<1>(param.param)].name;
                         });

class CleanLedger : public testing::TestWithParam<Layout> {};

TEST_P(CleanLedger, HasNoFindingAtAnyLevel) {
  const auto database = CopyOfLedger(GetParam());
  const Levels found = VerifyEverything(*database);
  EXPECT_EQ(Described(found.chains.findings), "");
  EXPECT_EQ(Described(found.snapshots.findings), "");
  EXPECT_EQ(Described(found.blocks.findings), "");
  EXPECT_EQ(Described(found.ledger.findings), "");
  EXPECT_EQ(found.chains.events, database->db.Count("SELECT count(*) FROM ledger_event"));
  EXPECT_EQ(found.chains.events_in_valid_prefixes, found.chains.events);
  EXPECT_EQ(found.blocks.verified, 3);
  EXPECT_EQ(found.blocks.valid, 3);
  EXPECT_GT(found.snapshots.snapshots, 3);
}

INSTANTIATE_TEST_SUITE_P(Of, CleanLedger, testing::Values(Layout::kDeployed, Layout::kPlan),
                         [](const auto& param) {
                           return param.param == Layout::kPlan ? "plan" : "deployed";
                         });

}  // namespace
}  // namespace summa::verify
