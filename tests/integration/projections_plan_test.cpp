// The read models on the plan's layout: random histories against an oracle.
#include <gmock/gmock.h>

#include <iostream>
#include <random>

#include "tests/integration/projections_support.hpp"

namespace summa::projections {
namespace {

constexpr int kHistories = 100;
constexpr int kAccounts = 4;  // of one history
constexpr int kOperations = 25;

class PlanTest : public ProjectionsTest {
 protected:
  void SetUp() override {
    const std::string name = NewName();
    Server().CreateDatabase(name);
    host::DatabaseSettings settings;
    settings.url = Server().Url(name);
    settings.application_name = "projections-test";
    host::ControlPlane(settings).CreatePlanLedger();
    Server().RunSqlFile(name, test::SourceDir() + "/tests/fixture/plan.sql");
    Connect(settings.url);
  }

  int Random(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::string Account() {
    return "plan.account_id(" + std::to_string(first_ + Random(kAccounts)) + ")";
  }
  std::string Reference() { return "'reference_" + std::to_string(++references_) + "'"; }
  std::string Amount() { return std::to_string(1 + Random(50)); }
  std::string Latest(const std::string& condition) {
    return db_->Value("SELECT coalesce((SELECT id::text FROM transaction_record WHERE " +
                      condition + " ORDER BY created_at DESC, reference DESC LIMIT 1), '')");
  }

  void History(int number) {
    first_ = number * kAccounts + 1;
    for (int i = 0; i < kAccounts; ++i) {
      db_->Execute("SELECT plan.open_account(" + std::to_string(first_ + i) + ")");
    }
    for (int i = 0; i < kOperations; ++i) Operate();
    db_->Execute(
        "BEGIN; UPDATE account_balance SET status = 'closed' WHERE id = " + Account() +
        "; SELECT plan.append(id, 'ACCOUNT_CLOSED', jsonb_build_object('accountId', id), "
        "gen_random_uuid()) FROM account_balance WHERE status = 'closed' AND NOT EXISTS "
        "(SELECT FROM ledger_event WHERE aggregate_id = account_balance.id AND event_type = "
        "'ACCOUNT_CLOSED'); COMMIT");
  }

  void Operate() {
    const std::string hold = "'" +
                             Latest(
                                 "is_hold AND status = 'inflight' AND NOT meta_data ? "
                                 "'destinations'") +
                             "'::uuid";
    const std::string many = "'" +
                             Latest(
                                 "is_hold AND status = 'inflight' AND meta_data ? "
                                 "'destinations'") +
                             "'::uuid";
    const bool has_hold = hold != "''::uuid", has_many = many != "''::uuid";
    switch (Random(10)) {
      case 0:
        return Do("plan.transact(NULL, " + Account() + ", " + Amount() + ", " + Reference() +
                  ", 'credit')");
      case 1:
        return Do("plan.transact(" + Account() + ", NULL, " + Amount() + ", " + Reference() +
                  ", 'debit')");
      case 2:
        return Do("plan.transact(" + Account() + ", " + Account() + ", " + Amount() + ", " +
                  Reference() + ", 'transfer')");
      case 3:
        return Do("plan.place_hold(" + Account() + ", 40, " + Reference() + ")");
      case 4:
        return has_hold ? Do("plan.release_hold(" + hold + ")") : void();
      case 5:
        return has_hold ? Do("plan.capture_hold(" + hold + ", " + Amount().substr(0, 1) + ")")
                        : void();
      case 6: {
        // One destination named twice.
        const std::string twice = Account();
        return Do("plan.multi_transfer(" + Account() + ", ARRAY[" + twice + ", " + Account() +
                  ", " + twice + "], ARRAY[" + Amount() + ", 7, " + Amount() + "]::bigint[], " +
                  Reference() + ")");
      }
      case 7:
        return Refund();
      case 8:
        return Do("plan.multi_hold(" + Account() + ", ARRAY[" + Account() + ", " + Account() +
                  "], ARRAY[20, 5]::bigint[], " + Reference() + ")");
      default:
        return has_many ? Do("plan.multi_capture(" + many + ", ARRAY[" + Account() + ", " +
                             Account() + "], ARRAY[3, 4]::bigint[])")
                        : void();
    }
  }
  // Of what went to several accounts, by any two.
  void Refund() {
    const std::string made = Latest(
        "meta_data ? 'destinations' AND NOT is_hold AND NOT is_reversal AND status = "
        "'posted' AND amount > 1");
    if (made.empty()) return;
    const std::string amount =
        db_->Value("SELECT amount FROM transaction_record WHERE id = '" + made + "'");
    Do("plan.multi_refund('" + made + "', ARRAY[" + Account() + ", " + Account() + "], ARRAY[1, " +
       amount + " - 1]::bigint[])");
  }
  void Do(const std::string& function) { db_->Execute("SELECT " + function); }

  std::mt19937 random_{20261130};
  int first_ = 1, references_ = 0;
};

TEST_F(PlanTest, RandomHistoriesAreReproduced) {
  settings_.batch_size = 3;  // so that events of one transaction come in different batches
  MakeRunner();
  for (int history = 0; history < kHistories; ++history) {
    History(history);
    if (history % 20 == 0) {
      RunAll();
      ASSERT_THAT(Differences(), ::testing::IsEmpty()) << "after history " << history;
    }
  }
  RunAll();
  EXPECT_GT(db_->Count("SELECT count(*) FROM transaction_record WHERE is_reversal"), 100);
  EXPECT_THAT(Differences(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace summa::projections
