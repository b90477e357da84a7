// Step 0b: what a record itself names twice is no duplicate; what it does not name so often is one.
// On both layouts of the event store.
#include "books.hpp"
#include "tests/integration/reconciliation_support.hpp"

namespace summa::reconciliation {
namespace {

using ::testing::IsEmpty;

using Set = std::multiset<std::string>;

class RepeatsTest : public ReconciliationTest, public testing::WithParamInterface<ledger::Layout> {
 protected:
  RepeatsTest() {
    if (GetParam() == ledger::Layout::kDeployed) {
      UseFixture();
      schema_ = "fixture";
      for (int account = 1; account <= 4; ++account) {
        db_->Query("SELECT fixture.ensure_account($1::int, 10000)", {std::to_string(account)});
      }
      return;
    }
    const std::string name = NewName();
    Server().CreateDatabase(name);
    host::DatabaseSettings settings;
    settings.url = Server().Url(name);
    host::ControlPlane(settings).CreatePlanLedger();
    Server().RunSqlFile(name, test::SourceDir() + "/tests/fixture/plan.sql");
    Connect(settings.url);
    schema_ = "plan";
    for (int account = 1; account <= 4; ++account) {
      db_->Query("SELECT plan.open_account($1::int)", {std::to_string(account)});
      db_->Query("SELECT plan.transact(NULL, plan.account_id($1::int), 10000, $2, 'credit')",
                 {std::to_string(account), "opening-" + std::to_string(account)});
    }
  }

  bool Plan() const { return GetParam() == ledger::Layout::kPlan; }
  std::string Account(int number) const {
    return schema_ + ".account_id(" + std::to_string(number) + ")";
  }
  std::string Id(int number) { return db_->Value("SELECT " + Account(number)); }
  // Account 2 is named twice, account 3 once.
  std::string Places() const {
    return "ARRAY[" + Account(2) + ", " + Account(3) + ", " + Account(2) + "]";
  }
  std::string Transfer(const std::string& reference) {
    return db_->Value("SELECT " + schema_ + ".multi_transfer(" + Account(1) + ", " + Places() +
                          ", ARRAY[100, 50, 70], $1)",
                      {reference});
  }
  std::string Hold(const std::string& reference) {
    return db_->Value("SELECT " + schema_ + ".multi_hold(" + Account(1) + ", " + Places() +
                          ", ARRAY[100, 50, 70], $1)",
                      {reference});
  }
  void Capture(const std::string& hold, int amount = 220) {
    if (!Plan()) {
      db_->Query("SELECT fixture.hold_commit($1::uuid, $2::bigint)",
                 {hold, std::to_string(amount)});
      return;
    }
    const std::string amounts = amount == 220 ? "ARRAY[100, 50, 70]" : "ARRAY[45, 22, 33]";
    db_->Query("SELECT plan.multi_capture($1::uuid, " + Places() + ", " + amounts + ")", {hold});
  }
  std::string Refund(const std::string& transaction) {
    return db_->Value("SELECT " + schema_ + ".multi_refund($1::uuid" +
                          (Plan() ? ", " + Places() + ", ARRAY[100, 50, 70])" : ")"),
                      {transaction});
  }

  BooksReport Check() {
    return WithWork([&](Work& work) {
      Session session(sql_->unleased());
      session.Begin(SUMMA_SQL_READ_ONLY | SUMMA_SQL_REPEATABLE_READ);
      return CheckBooks(session, work, std::nullopt).report;
    });
  }
  Set FoundInBooks() {
    RunState run;
    run.books = Check();
    return Found(run);
  }
  // One entry more, with books that agree with it: the account's balance, its versions, and the
  // source pays for it. Only the record does not know of it.
  void PostOnceMore(const std::string& transaction, int account, const std::string& type,
                    int amount) {
    const auto post = [&](int number, const std::string& entry_type) {
      const std::string sign = entry_type == "CREDIT" ? "+" : "-", value = std::to_string(amount);
      const std::string side = entry_type == "CREDIT" ? "credit_balance" : "debit_balance";
      db_->Execute("WITH a AS (UPDATE account_balance SET balance = balance " + sign + value +
                   ", " + side + " = " + side + " + " + value +
                   ", lock_version = lock_version + 1 WHERE id = " + Account(number) +
                   " RETURNING *) INSERT INTO entry_record (transaction_id, account_id, "
                   "entry_type, amount, currency, balance_before, balance_after, "
                   "account_lock_version) SELECT '" +
                   transaction + "', id, '" + entry_type + "', " + value + ", 'USD', balance - (" +
                   sign + value + "), balance, lock_version FROM a");
    };
    post(account, type);
    post(4, type == "CREDIT" ? "DEBIT" : "CREDIT");
  }

  std::string schema_;
};

TEST_P(RepeatsTest, AreSoundInATransferThatNamesAnAccountTwice) {
  Transfer("m1");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM (SELECT FROM entry_record WHERE entry_type = 'CREDIT' "
                       "GROUP BY transaction_id, account_id HAVING count(*) > 1) twice"),
            1);
  EXPECT_THAT(FoundInBooks(), IsEmpty());
}

TEST_P(RepeatsTest, AreSoundInTheCaptureOfAHoldAndOfAPartOfIt) {
  Capture(Hold("h1"));
  EXPECT_THAT(FoundInBooks(), IsEmpty());
  Capture(Hold("h2"), 100);
  EXPECT_THAT(FoundInBooks(), IsEmpty());
}

TEST_P(RepeatsTest, AreSoundInTheReversalOfATransferAndOfAHold) {
  Refund(Transfer("m1"));
  EXPECT_THAT(FoundInBooks(), IsEmpty());
  const std::string hold = Hold("h1");
  Capture(hold);
  Refund(hold);
  EXPECT_THAT(FoundInBooks(), IsEmpty());
}

// A writer that keeps no destinations in its record: the events tell.
TEST_P(RepeatsTest, AreSoundWhenOnlyTheEventsNameTheAccountTwice) {
  Transfer("m1");
  db_->Execute("UPDATE transaction_record SET meta_data = '{\"category\": \"transfer\"}'");
  EXPECT_THAT(FoundInBooks(), IsEmpty());
}

TEST_P(RepeatsTest, AreSoundOfASystemAccountThatIsNotHot) {
  const std::string transfer = Transfer("m1");
  db_->Execute(
      "INSERT INTO system_account (identifier, name, currency, balance, credit_balance) "
      "VALUES ('@Fees', 'fees', 'USD', 170, 170)");
  Tamper(
      "UPDATE entry_record SET account_id = NULL, balance_before = NULL, balance_after = NULL, "
      "account_lock_version = NULL, system_account_id = (SELECT id FROM system_account WHERE "
      "identifier = '@Fees') WHERE transaction_id = '" +
      transfer + "' AND account_id = " + Account(2));
  Tamper(
      "UPDATE account_balance SET balance = balance - 170, credit_balance = credit_balance - "
      "170 WHERE id = " +
      Account(2));
  EXPECT_EQ(FoundInBooks().count("step0b_duplicate_entry " + transfer), 1U);
  db_->Execute(
      "UPDATE transaction_record SET meta_data = jsonb_set(jsonb_set(meta_data, "
      "'{destinations,0}', '{\"systemAccount\": \"@Fees\", \"amount\": 100}'), "
      "'{destinations,2}', '{\"systemAccount\": \"@Fees\", \"amount\": 70}') WHERE id = '" +
      transfer + "'");
  EXPECT_THAT(FoundInBooks(), IsEmpty());
}

TEST_P(RepeatsTest, LeaveAWholeLedgerClean) {
  const std::string hold = Hold("h1");
  Refund(Transfer("m1"));
  Transfer("m2");
  Capture(hold);
  Capture(Hold("h2"), 100);
  Refund(hold);
  if (!Plan()) {
    test::TrafficGenerator traffic(url_, {.connections = 2, .accounts = 8, .rate = 0});
    traffic.Start();
    test::WaitUntil([&] { return traffic.Committed() >= 500; }, test::kTimeout, "traffic");
    traffic.Stop();
    EXPECT_EQ(traffic.Failed(), 0) << traffic.LastError();
  }
  EXPECT_EQ(RunReconcile().run.Status(), "healthy");
  EXPECT_EQ(VerifyChains().findings.count(), 0);
  const verify::LedgerReport compared = verify::CompareWithLedger(sql_->unleased(), {});
  EXPECT_GT(compared.events, 0);
  EXPECT_EQ(compared.finding_count, 0);
}

TEST_P(RepeatsTest, AreDuplicatesWhereTheRecordNamesTheAccountOnce) {
  const std::string transfer = Transfer("m1");
  PostOnceMore(transfer, 3, "CREDIT", 50);
  EXPECT_EQ(FoundInBooks(), Set{"step0b_duplicate_entry " + Id(3)});
}

TEST_P(RepeatsTest, AreDuplicatesBeyondWhatTheRecordNames) {
  const std::string hold = Hold("h1");
  Capture(hold);
  PostOnceMore(hold, 2, "CREDIT", 70);  // a third time
  EXPECT_EQ(FoundInBooks(), Set{"step0b_duplicate_entry " + Id(2)});
}

TEST_P(RepeatsTest, AreDuplicatesInAReversalThatTakesTwice) {
  const std::string reversal = Refund(Transfer("m1"));
  PostOnceMore(reversal, 3, "DEBIT", 50);
  EXPECT_EQ(FoundInBooks(), Set{"step0b_duplicate_entry " + Id(3)});
}

TEST_P(RepeatsTest, AreDuplicatesInASimpleTransaction) {
  const std::string credit = db_->Value(
      "SELECT transaction_id FROM entry_record WHERE account_id = " + Account(1) + " LIMIT 1");
  PostOnceMore(credit, 1, "CREDIT", 10000);
  EXPECT_EQ(FoundInBooks(), Set{"step0b_duplicate_entry " + Id(1)});
}

// One of the two was replaced by a copy of the other: the number fits, versions and sums do not.
TEST_P(RepeatsTest, AreDuplicatesWhenOneIsACopyOfTheOther) {
  const std::string transfer = Transfer("m1");
  Tamper(
      "UPDATE entry_record e SET amount = c.amount, balance_before = c.balance_before, "
      "balance_after = c.balance_after, account_lock_version = c.account_lock_version "
      "FROM entry_record c WHERE e.transaction_id = '" +
      transfer + "' AND c.transaction_id = e.transaction_id AND e.account_id = " + Account(2) +
      " AND c.account_id = e.account_id AND e.amount = 100 AND c.amount = 70");
  EXPECT_EQ(FoundInBooks().count("step0b_duplicate_entry " + Id(2)), 1U);
}

// The account got what was meant for another; the transaction as a whole is balanced.
TEST_P(RepeatsTest, AreDuplicatesWhenTheSumIsNotTheOneNamed) {
  const std::string transfer = Transfer("m1");
  db_->Execute(
      "UPDATE transaction_record SET meta_data = jsonb_set(meta_data, "
      "'{destinations,0,amount}', '90') || '{}' WHERE id = '" +
      transfer + "'");
  db_->Execute(
      "UPDATE transaction_record SET meta_data = jsonb_set(meta_data, "
      "'{destinations,1,amount}', '60') WHERE id = '" +
      transfer + "'");
  const BooksReport report = Check();
  ASSERT_EQ(report.duplicates.count(), 1);
  EXPECT_EQ(report.duplicates.kept()[0].account_id, Id(2));
  EXPECT_NE(report.duplicates.kept()[0].expected.find("2 consecutive entries"), std::string::npos)
      << report.duplicates.kept()[0].expected;
}

INSTANTIATE_TEST_SUITE_P(Layouts, RepeatsTest,
                         testing::Values(ledger::Layout::kDeployed, ledger::Layout::kPlan),
                         [](const auto& layout) {
                           return std::string(layout.param == ledger::Layout::kPlan ? "Plan"
                                                                                    : "Deployed");
                         });

}  // namespace
}  // namespace summa::reconciliation
