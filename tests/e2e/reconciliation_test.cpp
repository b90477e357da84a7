// The verbs of the reconciliation plugin with the real program: results, exit codes, leases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kNobody = "00000000-0000-4000-8000-000000000001";

class Reconciliation : public testing::Test {
 protected:
  Reconciliation() : url_(InstallLedger(server_, "ledger")), db_(url_) {
    EnsureAccounts(url_, 5);
    account_ = db_.Value("SELECT id FROM account_balance ORDER BY id LIMIT 1");
  }
  std::string Configuration(const std::string& plugin = "{}") const {
    return "database: { ledger: { url: \"" + url_ +
           "\" }, migrate: auto }\nhost: { listen: \"127.0.0.1:0\" }\nplugins: { reconciliation: " +
           plugin + " }\n";
  }
  RunResult Verb(std::vector<std::string> words) const {
    const TemporaryFile file("summa.yaml", Configuration());
    words.insert(words.end(), {"-c", file.Path(), "--output", "json"});
    return SummaHost(words);
  }
  void Tamper(const std::string& statement) {
    db_.Execute("SET session_replication_role = replica; " + statement);
  }

  PostgresServer server_;
  std::string url_;
  Db db_;
  std::string account_;
};

TEST_F(Reconciliation, ReconcilePrintsTheRowThatItWrote) {
  const RunResult run = Verb({"reconcile"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "resultId"), db_.Value("SELECT id FROM reconciliation_result"));
  EXPECT_EQ(JsonMember(run.out, "run_date"),
            db_.Value("SELECT run_date FROM reconciliation_result"));
  EXPECT_EQ(JsonMember(run.out, "status"), "healthy");
  EXPECT_THAT(run.out,
              HasSubstr(R"("step1_result":{"checked":true,"accountsChecked":5,"mismatches":0})"));
}

TEST_F(Reconciliation, ReconcileEndsWithOneWhenSomethingIsWrong) {
  Tamper("UPDATE account_balance SET balance = balance + 5 WHERE id = '" + account_ + "'");
  const RunResult run = Verb({"reconcile"});
  EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "status"), "mismatches_found");
  EXPECT_EQ(JsonMember(run.out, "total_mismatches"), "1");
  EXPECT_THAT(run.out, HasSubstr("\"step\":\"step1_user_account_balance\""));
  EXPECT_THAT(run.out, HasSubstr(account_));
}

TEST_F(Reconciliation, ReconcileEndsWithSeventyFiveWhenTheLeaseIsHeld) {
  ASSERT_EQ(Verb({"verify", "status"}).exit_code, 0);  // migrated
  db_.Execute(
      "INSERT INTO worker_lease (worker_id, lease_holder, lease_until) VALUES "
      "('daily-reconciliation', 'a runner of Summa', now() + interval '1 hour')");
  const RunResult run = Verb({"reconcile", "--wait", "100ms"});
  EXPECT_EQ(run.exit_code, 75) << run.out << run.err;
  EXPECT_EQ(db_.Count("SELECT count(*) FROM reconciliation_result"), 0);
}

TEST_F(Reconciliation, VerifyAllFindsNothingThenNamesWhatWasChanged) {
  RunResult run = Verb({"verify:all", "--full"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "status"), "valid");
  EXPECT_EQ(JsonMember(run.out, "events"), db_.Value("SELECT count(*) FROM ledger_event"));
  EXPECT_THAT(run.out, HasSubstr("\"findings\":[]"));
  EXPECT_THAT(run.err, HasSubstr("entries: ")) << "progress";

  Tamper("UPDATE ledger_event SET event_data = '{\"changed\": true}' WHERE aggregate_id = '" +
         account_ + "'");
  const std::string event =
      db_.Value("SELECT id FROM ledger_event WHERE aggregate_id = $1", {account_});
  run = Verb({"verify:all", "--full"});
  EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "status"), "invalid");
  EXPECT_THAT(run.out, HasSubstr("\"kind\":\"event_hash_mismatch\""));
  EXPECT_THAT(run.out, HasSubstr("\"eventId\":\"" + event + "\""));
  EXPECT_THAT(run.out, HasSubstr("\"brokenAtVersion\":1"));
  EXPECT_EQ(db_.Count("SELECT count(*) FROM reconciliation_result"), 0) << "it changes nothing";
}

TEST_F(Reconciliation, VerifyAllNamesAForgedEventByWhatTheBooksSay) {
  // Hashed anew, and the last of its chain: no hash tells.
  Tamper(
      "UPDATE ledger_event SET event_data = event_data || '{\"currency\": \"XTS\"}', hash = "
      "fixture.hash(prev_hash, event_data || '{\"currency\": \"XTS\"}') WHERE aggregate_id = '" +
      account_ + "'");
  RunResult run = Verb({"verify:all", "--full"});
  EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "status"), "invalid");
  EXPECT_THAT(run.out, HasSubstr("\"kind\":\"event_contradicts_ledger\""));
  EXPECT_THAT(run.out, HasSubstr("currency XTS"));
  EXPECT_THAT(run.out, HasSubstr(account_));
  run = Verb({"verify:all"});
  EXPECT_EQ(run.exit_code, 0) << "only a full verification reads everything: " << run.out;
}

TEST_F(Reconciliation, VerifyAggregateSaysFromWhereItVerified) {
  const std::vector<std::string> words = {"verify:aggregate", "--type", "ACCOUNT", "--id",
                                          account_};
  RunResult run = Verb(words);
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "aggregateType"), "account");
  EXPECT_EQ(JsonMember(run.out, "mode"), "full");
  EXPECT_EQ(JsonMember(run.out, "valid"), "true");
  EXPECT_EQ(JsonMember(run.out, "eventCount"), "1");

  run = Verb({"verify:create-snapshots", "--batch-size", "2"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "created"),
            db_.Value("SELECT count(DISTINCT aggregate_id) FROM ledger_event"));
  run = Verb(words);
  EXPECT_EQ(JsonMember(run.out, "mode"), "snapshot") << run.out;
  EXPECT_EQ(JsonMember(run.out, "snapshotVersion"), "1");
  run = Verb({"verify:aggregate", "--type", "account", "--id", account_, "--full"});
  EXPECT_EQ(JsonMember(run.out, "mode"), "full") << run.out;

  Tamper("UPDATE ledger_event SET hash = repeat('0', 64) WHERE aggregate_id = '" + account_ + "'");
  run = Verb(words);
  EXPECT_EQ(run.exit_code, 1) << run.out;
  EXPECT_EQ(JsonMember(run.out, "valid"), "false");
  EXPECT_THAT(run.out, HasSubstr("snapshot_mismatch"));
}

TEST_F(Reconciliation, VerifyAggregateRefusesWhatIsNoIdAndWhatDoesNotExist) {
  RunResult run = Verb({"verify:aggregate", "--type", "account", "--id", "acc_123"});
  EXPECT_EQ(run.exit_code, 64) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "code"), "SH-0707");
  run = Verb({"verify:aggregate", "--type", "account", "--id", kNobody});
  EXPECT_EQ(run.exit_code, 66) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "code"), "SH-0708");
}

TEST_F(Reconciliation, CreateSnapshotsRefusesAChainThatIsNotValid) {
  Tamper("UPDATE ledger_event SET event_data = '{}' WHERE aggregate_id = '" + account_ + "'");
  const RunResult run = Verb({"verify:create-snapshots"});
  EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "refused"), "1");
  EXPECT_THAT(run.out, HasSubstr(account_));
}

TEST_F(Reconciliation, StatusShowsWhatTheWorkersDid) {
  const TemporaryFile file("summa.yaml", Configuration("{ block_size: 4 }"));
  const RunResult once = SummaHost({"run", "--once", "-c", file.Path(), "--output", "json"});
  EXPECT_EQ(once.exit_code, 0) << once.out << once.err;
  const RunResult status = Verb({"verify:status"});
  EXPECT_EQ(status.exit_code, 0) << status.out << status.err;
  EXPECT_EQ(JsonMember(status.out, "sealedPosition"),
            db_.Value("SELECT max(sequence_number) FROM ledger_event"));
  EXPECT_EQ(JsonMember(status.out, "unsealedEvents"), "0");
  EXPECT_EQ(JsonMember(status.out, "lastReconciliation"), "healthy");
  EXPECT_LT(std::stod(JsonMember(status.out, "oldestUnverifiedAgeSeconds").value_or("1e9")), 300);
  EXPECT_EQ(db_.Count("SELECT max(event_count) FROM block_checkpoint"), 4);
}

TEST_F(Reconciliation, MaxRateMakesItSlowAndChangesNothingElse) {
  const long long entries = db_.Count("SELECT count(*) FROM entry_record");
  const RunResult run = Verb({"verify:all", "--max-rate", std::to_string(entries * 10)});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "status"), "valid");
}

}  // namespace
}  // namespace summa::test
