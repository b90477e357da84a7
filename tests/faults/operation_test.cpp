// kill -9 at every crash point of the journal of operations: another host goes on, and the
// operation ends as if nothing had happened.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/history_host.hpp"
#include "tests/faults/crash_points.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

constexpr int kBatch = 7;

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

class OperationKillTest : public testing::TestWithParam<CrashAt> {
 protected:
  void SetUp() override {
    static int number = 0;
    url_ = InstallLedger(Server(), "operations_" + std::to_string(++number));
    EnsureAccounts(url_, 40);
    db_ = std::make_unique<Db>(url_);
    db_->Execute(kHistoryTable);
    // Which transaction has written a row, and for the bad row that a step meets.
    db_->Execute(
        "CREATE TABLE history.bad (id uuid); CREATE FUNCTION history.refuse() RETURNS trigger "
        "LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT FROM history.bad b WHERE b.id = NEW.id) "
        "THEN RAISE EXCEPTION 'a bad row'; END IF; RETURN NEW; END $$; CREATE TRIGGER refuse "
        "BEFORE INSERT ON history.entry FOR EACH ROW EXECUTE FUNCTION history.refuse()");
    rows_ = db_->Count("SELECT count(*) FROM entry_record");
    first_ = std::make_unique<HistoryConfiguration>(url_, "first", kBatch);
    second_ = std::make_unique<HistoryConfiguration>(url_, "second", kBatch);
    ASSERT_EQ(first_->Verb({"migrate"}).exit_code, 0);
  }

  static std::map<std::string, std::string> KilledAt(const CrashAt& at) {
    return {{"SUMMA_CRASH_AT", Text(at)}};
  }
  void Start(const std::map<std::string, std::string>& environment = {}) {
    const RunResult started = first_->Verb({"history", "backfill", "--detach"}, environment);
    if (environment.empty()) {
      ASSERT_EQ(started.exit_code, 0) << started.err;
    }
  }
  void WaitForState(const std::string& state) {
    const bool became = BecomesTrue([&] {
      return db_->Count(
                 "SELECT count(*) FROM summa_host.operation WHERE state = $1 AND finished_at IS "
                 "NOT NULL",
                 {state}) == 1;
    });
    EXPECT_TRUE(became) << state << " in vain; " << heir_->process().Stderr();
  }
  // The host that is killed has the lease first; the other one stands by.
  void StartBoth(const CrashAt& at) {
    host_ = std::make_unique<RunningHost>(first_->With({}), KilledAt(at));
    WaitUntil(
        [&] {
          return db_->Count(
                     "SELECT count(*) FROM worker_lease WHERE worker_id = 'history-backfill' AND "
                     "lease_until > clock_timestamp()") == 1;
        },
        kTimeout, "the lease of the first host");
    heir_ = std::make_unique<RunningHost>(second_->With({}));
  }
  void ExpectKilled() {
    const auto end = host_->process().Wait(kTimeout);
    ASSERT_TRUE(end.has_value()) << "it came not to the place; " << host_->process().Stderr();
    EXPECT_EQ(*end, 128 + SIGKILL) << host_->process().Stderr();
  }
  void ExpectAsIfUndisturbed() {
    EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.operation"), 1);
    EXPECT_EQ(db_->Count("SELECT count(*) FROM history.entry"), rows_);
    EXPECT_EQ(db_->Count("SELECT count(*) FROM history.entry h JOIN entry_record e ON e.id = h.id "
                         "AND e.amount = h.amount"),
              rows_);
    EXPECT_EQ(db_->Count("SELECT done FROM summa_host.operation"), rows_)
        << "the journal counts each row once";
    EXPECT_EQ(db_->Value("SELECT coalesce(error, '') FROM summa_host.operation"), "");
  }
  // So that a host with a bad row meets it in its second batch.
  void SpoilARow() {
    db_->Execute(
        "INSERT INTO history.bad SELECT id FROM entry_record ORDER BY id OFFSET 10 LIMIT 1");
  }

  std::string url_;
  long long rows_ = 0;
  std::unique_ptr<Db> db_;
  std::unique_ptr<HistoryConfiguration> first_, second_;
  std::unique_ptr<RunningHost> host_, heir_;
};

TEST_P(OperationKillTest, AnotherHostGoesOnAsIfNothingHadHappened) {
  const CrashAt at = GetParam();
  if (at.name.starts_with("operation.start")) {
    Start(KilledAt(at));  // the verb dies
    Start();
    heir_ = std::make_unique<RunningHost>(second_->With({}));
  } else {
    const bool fails = at.name.starts_with("operation.fail");
    if (fails) SpoilARow();
    StartBoth(at);
    Start();
    ExpectKilled();
    if (fails) db_->Execute("TRUNCATE history.bad");
  }
  WaitForState("done");
  ExpectAsIfUndisturbed();
}

// Named so that gtest_filter finds it: "operation_claim_at_1".
std::string NameOf(const testing::TestParamInfo<CrashAt>& info) {
  std::string name = info.param.name + "_at_" + std::to_string(info.param.hit);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

std::vector<CrashAt> AllPoints() {
  std::vector<CrashAt> points;
  for (const std::string& name : CrashPointsInSources({"host/operation"})) {
    points.push_back({name, 1, false});
    // Once for each batch: also in the middle.
    const bool often =
        name == "operation.worked" || name == "operation.commit" || name == "operation.committed";
    if (often) points.push_back({name, 4, false});
  }
  return points;
}

INSTANTIATE_TEST_SUITE_P(EveryPoint, OperationKillTest, testing::ValuesIn(AllPoints()), NameOf);

// While what an aborted operation has left is taken back.
class OperationUndoKillTest : public OperationKillTest {};

TEST_P(OperationUndoKillTest, AnotherHostTakesBackWhatIsLeft) {
  SpoilARow();  // the operation stands after its first batch and waits for a retry
  StartBoth(GetParam());
  Start();
  WaitUntil(
      [&] {
        return db_->Count("SELECT count(*) FROM summa_host.operation WHERE failures > 0") == 1;
      },
      kTimeout, "the bad row");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM history.entry"), kBatch);
  ASSERT_EQ(first_->Verb({"operations", "abort", "1"}).exit_code, 0);
  ExpectKilled();
  WaitForState("aborted");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM history.entry"), 0);
}

// The first batch is the first hit of the last four, the undoing the second; the third claim may
// be a retry of the bad row, which does no harm.
INSTANTIATE_TEST_SUITE_P(EveryPoint, OperationUndoKillTest,
                         testing::Values(CrashAt{"operation.finished", 1, false},
                                         CrashAt{"operation.worked", 2, false},
                                         CrashAt{"operation.commit", 2, false},
                                         CrashAt{"operation.committed", 2, false}),
                         NameOf);

// A host that is frozen in the middle of a batch and comes back late commits nothing.
class OperationFreezeTest : public OperationKillTest {};

TEST_F(OperationFreezeTest, AHostThatComesBackLateDoesNothingTwice) {
  host_ = std::make_unique<RunningHost>(
      first_->With({}),
      std::map<std::string, std::string>{{"SUMMA_FREEZE_AT", "operation.commit:3"}});
  WaitUntil(
      [&] {
        return db_->Count(
                   "SELECT count(*) FROM worker_lease WHERE worker_id = "
                   "'history-backfill'") == 1;
      },
      kTimeout, "the lease of the first host");
  heir_ = std::make_unique<RunningHost>(second_->With({}));
  Start();
  WaitForState("done");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.operation WHERE host LIKE '%second%'"), 1);
  host_->process().Signal(SIGCONT);
  host_->process().Signal(SIGTERM);
  host_->process().WaitOrKill(kTimeout);
  ExpectAsIfUndisturbed();
}

}  // namespace
}  // namespace summa::test
