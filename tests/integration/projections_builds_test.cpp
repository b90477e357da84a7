// Rebuilding a read model while the ledger is written to, and who reads what meanwhile.
#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <summa/operation.hpp>
#include <thread>

#include "builds/rebuild.hpp"
#include "builds/swap.hpp"
#include "builds/verify.hpp"
#include "engine/progress_table.hpp"
#include "host/abi/operation_service.hpp"
#include "tests/integration/projections_support.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::projections {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BuildsTest : public ProjectionsTest {
 protected:
  void SetUp() override {
    Connect(test::InstallLedger(Server(), NewName()));
    test::EnsureAccounts(url_, 20);
    traffic_ = std::make_unique<test::TrafficGenerator>(
        url_, test::TrafficOptions{.connections = 4, .accounts = 20, .rate = 300});
    traffic_->Start();
    test::WaitUntil([&] { return traffic_->Committed() >= 300; }, test::kTimeout, "traffic");
    fake_->SetOperations(service_.table());
    RunAll();
  }

  // Starts one and works on it, and on the projections, until it has ended.
  OperationView RebuildAll(const std::string& projection, bool swap = true) {
    Rebuild rebuild(fake_->host(), settings_, *catalog_);
    OperationRequest request;
    request.kind = kRebuildKind;
    request.arguments = R"({"projection":")" + projection + R"(","sessions":3,"swap":)" +
                        (swap ? "true" : "false") + "}";
    const std::int64_t id = StartOperation(fake_->host(), sql_->unleased(), request);
    for (;;) {
      const WorkCaller caller{[this] { return fake_->host().BootNow(); }, [] { return false; },
                              [this](std::chrono::microseconds time) {
                                fake_->Advance(time);
                                return false;
                              }};
      const OperationView view =
          RunOperation(fake_->host(), sql_->unleased(), caller, rebuild.Binding(), id,
                       std::chrono::seconds(1))
              .last;
      RunAll();
      if (!view.open() || !view.error.empty()) return view;
    }
  }
  Verification VerifyLive(const std::string& projection) {
    Session session(sql_->unleased()), read(sql_->unleased(), "read");
    return Verify(sql_->unleased(), ledger::FindEvents(session),
                  *FindRole(ReadBuilds(read), projection, "live"),
                  [](std::int64_t) { return false; });
  }

  host::OperationService service_{"projections",
                                  {{kRebuildKind, "", "projection-rebuild", 1, 0}},
                                  "a/1",
                                  "anna",
                                  host::SystemClock()};
  std::unique_ptr<test::TrafficGenerator> traffic_;
};

TEST_F(BuildsTest, ARebuildTakesThePlaceOfTheOtherWhileTheLedgerIsWrittenTo) {
  for (const auto& [id, applier] : catalog_->all()) {
    const OperationView view = RebuildAll(id);
    EXPECT_EQ(view.state, OperationState::kDone) << id << ": " << view.error;
  }
  traffic_->Stop();
  RunAll();
  EXPECT_THAT(Differences(), IsEmpty());
  EXPECT_EQ(db_->Value("SELECT string_agg(DISTINCT role || ' ' || build, ', ') FROM "
                       "summa_read.projection_checkpoint"),
            "live 2, old 1");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_indexes WHERE schemaname = 'summa_read' AND "
                       "tablename LIKE 'entry_record_view_%'"),
            6)
      << "both builds have the same indexes";
}

TEST_F(BuildsTest, TheEarlierBuildFollowsAndComesBack) {
  ASSERT_EQ(RebuildAll("account-balance-view").state, OperationState::kDone);
  test::WaitUntil([&] { return traffic_->Committed() >= 500; }, test::kTimeout, "traffic");
  traffic_->Stop();
  RunAll();
  db_->Execute("CREATE ROLE reader_of_views; GRANT USAGE ON SCHEMA summa_read TO reader_of_views; "
               "GRANT SELECT ON summa_read.account_balance_view TO reader_of_views");
  Session read(sql_->unleased(), "read");
  EXPECT_EQ(TrySwap(read, *catalog_, "account-balance-view", "old"), "");
  EXPECT_THAT(Differences(), IsEmpty());
  EXPECT_EQ(db_->Value("SELECT build FROM summa_read.projection_checkpoint WHERE projection = "
                       "'account-balance-view' AND role = 'live'"),
            "1");
  EXPECT_EQ(db_->Value("SELECT has_table_privilege('reader_of_views', "
                       "'summa_read.account_balance_view', 'SELECT')"),
            "t");
  db_->Execute("DROP OWNED BY reader_of_views; DROP ROLE reader_of_views");
}

TEST_F(BuildsTest, ReadersSeeOneBuildOrTheOtherAndNoError) {
  std::atomic<bool> stop{false};
  std::atomic<long long> reads{0};
  std::string error;
  std::thread reader([&] {
    Db db(url_);
    try {
      db.Execute("PREPARE sums AS SELECT coalesce(sum(balance - credit_balance + debit_balance), "
                 "0)::text || ' ' || count(*) FROM summa_read.account_balance_view");
      while (!stop) {
        for (const std::string& sums : {db.Value("EXECUTE sums"),
                                       db.Value("SELECT coalesce(sum(balance - credit_balance + "
                                                "debit_balance), 0)::text || ' ' || count(*) FROM "
                                                "summa_read.account_balance_view")}) {
          if (sums != "0 20") error = "a mixture: " + sums;
        }
        ++reads;
      }
    } catch (const std::exception& thrown) {
      error = thrown.what();
    }
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(RebuildAll("account-balance-view").error, "");
  stop = true;
  reader.join();
  EXPECT_EQ(error, "");
  EXPECT_GT(reads.load(), 0);
}

TEST_F(BuildsTest, ABuildThatDiffersFromTheLedgerIsNotShown) {
  traffic_->Stop();
  RunAll();
  // As if somebody had changed an amount behind the events.
  db_->Execute("UPDATE account_balance SET balance = balance + 1 WHERE id = fixture.account_id(3)");
  try {
    RebuildAll("account-balance-view");
    ADD_FAILURE() << "it was shown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0556");
    EXPECT_THAT(error.what(), HasSubstr(db_->Value("SELECT fixture.account_id(3)")));
  }
  EXPECT_EQ(db_->Value("SELECT build FROM summa_read.projection_checkpoint WHERE projection = "
                       "'account-balance-view' AND role = 'live'"),
            "1");
}

TEST_F(BuildsTest, VerificationFindsEachDifferenceWhileTheLedgerIsWrittenTo) {
  for (const auto& [id, applier] : catalog_->all()) {
    const Verification found = VerifyLive(id);
    EXPECT_EQ(found.differences, 0) << id << ": " << found.examples.front().key << " "
                                    << found.examples.front().ledger << " "
                                    << found.examples.front().read_model;
    EXPECT_GT(found.rows, 10) << id;
  }
  traffic_->Stop();
  RunAll();
  db_->Execute(
      "UPDATE summa_read.account_balance_view_1 SET pending_debit = pending_debit + 1 WHERE id = "
      "fixture.account_id(1); "
      "DELETE FROM summa_read.account_balance_view_1 WHERE id = fixture.account_id(2); "
      "UPDATE summa_read.entry_record_view_1 SET amount = amount + 1 WHERE account_id = "
      "fixture.account_id(3) AND reference = 'opening_3'; "
      "UPDATE summa_read.transaction_summary_view_1 SET status = 'voided' WHERE reference = "
      "'opening_4'; "
      "UPDATE summa_read.holder_dashboard_view_1 SET transactions = transactions + 1 WHERE holder_id "
      "= 'holder_000005'");
  EXPECT_EQ(VerifyLive("account-balance-view").differences, 2);
  EXPECT_EQ(VerifyLive("entry-record-view").differences, 1);
  EXPECT_EQ(VerifyLive("transaction-summary-view").differences, 1);
  EXPECT_EQ(VerifyLive("holder-dashboard-view").differences, 1);
}

}  // namespace
}  // namespace summa::projections
