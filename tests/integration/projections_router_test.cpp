// Reads of a program that move from the ledger to read models, phase by phase.
#include <gmock/gmock.h>

#include <summa/cqrs.hpp>

#include "tests/integration/projections_support.hpp"

namespace summa::projections {
namespace {

using ::testing::HasSubstr;

const Query kAccounts{.model = "account_balance", .sort_by = {{"id"}}};

class RouterTest : public ProjectionsTest {
 protected:
  void SetUp() override {
    const std::string name = NewName();
    const std::string url = test::InstallLedger(Server(), name);
    Connect(url, Server().CreateDatabase(name + "_read"));
    test::EnsureAccounts(url_, 3);
    RunAll();
    ledger_ = std::make_unique<SqlAdapter>(sql_->unleased(), "ledger");
    views_ = std::make_unique<SqlAdapter>(
        sql_->unleased(), "read",
        SqlAdapter::Tables{{"account_balance", {"summa_read", "account_balance_view"}}});
    options_.write = ledger_.get();
    options_.read = views_.get();
    options_.read_models = {"account_balance"};
    options_.compare_one_in = 1;
    options_.on_difference = [this](const ReadDifference& difference) {
      last_ = std::string(NameOf(difference.kind)) + " " + difference.column + " " +
              difference.ledger + " " + difference.read_model;
    };
  }
  static Query Account(const std::string& id) {
    return {.model = "account_balance", .where = {{"id", id}}};
  }
  std::string Id(int number) {
    return db_->Value("SELECT fixture.account_id(" + std::to_string(number) + ")");
  }
  // An answer that only the read model gives.
  void Mark(const std::string& balance) {
    read_->Execute("UPDATE summa_read.account_balance_view_1 SET balance = " + balance +
                   " WHERE id = '" + Id(1) + "'");
  }
  std::string Balance(CqrsAdapter& adapter, Consistency consistency = Consistency::kEventual) {
    const auto found = adapter.FindMany(Account(Id(1)), consistency);
    return found.empty() ? "none" : found.front().at("balance").value_or("NULL");
  }
  static std::string Refusal(CqrsAdapter& adapter, ReadPhase phase) {
    try {
      adapter.GoTo(phase);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "SH-0143");
      return error.what();
    }
  }

  std::unique_ptr<SqlAdapter> ledger_, views_;
  CqrsOptions options_;
  std::string last_;
};

TEST_F(RouterTest, EachPhaseHasItsAnswers) {
  CqrsAdapter adapter(options_);
  EXPECT_EQ(Balance(adapter), "1000000");
  adapter.GoTo(ReadPhase::kShadowRead);
  EXPECT_EQ(Balance(adapter), "1000000");
  adapter.GoTo(ReadPhase::kCutover);
  Mark("7");
  EXPECT_EQ(Balance(adapter), "7");
  EXPECT_EQ(Balance(adapter, Consistency::kStrong), "1000000");
  EXPECT_EQ(last_, "different balance 1000000 7") << "for some time, some are still compared";
  Mark("1000000");
  adapter.Forget();
  Balance(adapter);
  adapter.GoTo(ReadPhase::kCleanup);
  Mark("8");
  EXPECT_EQ(Balance(adapter), "8");
  EXPECT_EQ(adapter.comparisons().compared, 0);
  adapter.GoTo(ReadPhase::kDualWrite);
  EXPECT_EQ(Balance(adapter), "1000000") << "the way back is always open";
  EXPECT_EQ(adapter.FindMany({.model = "transaction_record"}).size(), 3U)
      << "other models are the ledger's";
}

TEST_F(RouterTest, APhaseEndsOnlyWhenTheAnswersWereTheSame) {
  CqrsAdapter adapter(options_);
  EXPECT_THAT(Refusal(adapter, ReadPhase::kShadowRead), HasSubstr("no answers were compared"));
  Balance(adapter);
  EXPECT_THAT(Refusal(adapter, ReadPhase::kCutover), HasSubstr("left out"));
  adapter.GoTo(ReadPhase::kShadowRead);
  Mark("7");
  read_->Execute("DELETE FROM summa_read.account_balance_view_1 WHERE id = '" + Id(2) + "'");
  read_->Execute(
      "INSERT INTO summa_read.account_balance_view_1 SELECT gen_random_uuid(), holder_id, "
      "holder_type, currency, 0, 0, 0, 0, 0, status, 0, updated_at FROM "
      "summa_read.account_balance_view_1 WHERE id = '" +
      Id(3) + "'");
  EXPECT_EQ(adapter.FindMany(kAccounts).size(), 3U);
  const ReadComparisons found = adapter.comparisons();
  EXPECT_EQ(found.Of(DifferenceKind::kDifferent), 1);
  EXPECT_EQ(found.Of(DifferenceKind::kMissing), 1);
  EXPECT_EQ(found.Of(DifferenceKind::kExtra), 1);
  EXPECT_EQ(found.Of(DifferenceKind::kBehind), 0);
  EXPECT_THAT(Refusal(adapter, ReadPhase::kCutover),
              HasSubstr("1 rows were missing, 1 rows were extra, 1 rows were different"));
  EXPECT_EQ(adapter.phase(), ReadPhase::kShadowRead);
}

TEST_F(RouterTest, AnAnswerThatIsOnlyBehindHoldsUpNothing) {
  options_.phase = ReadPhase::kShadowRead;
  options_.catch_up = [this] {
    RunAll();
    return true;
  };
  CqrsAdapter adapter(options_);
  db_->Execute("SELECT fixture.credit(fixture.account_id(1), 5)");
  EXPECT_EQ(Balance(adapter), "1000005");
  EXPECT_EQ(adapter.comparisons().Of(DifferenceKind::kBehind), 1);
  EXPECT_EQ(adapter.comparisons().Lasting(), 0);
  EXPECT_EQ(last_, "behind balance 1000005 1000000");
  adapter.GoTo(ReadPhase::kCutover);
  EXPECT_EQ(Balance(adapter), "1000005");
}

TEST_F(RouterTest, WritesAndTransactionsAreTheLedgers) {
  db_->Execute("CREATE TABLE note (id text PRIMARY KEY, \"it's\" text, number bigint)");
  options_.read_models = {"note"};  // that the read models do not have
  options_.phase = ReadPhase::kCleanup;
  CqrsAdapter adapter(options_);
  const std::string hostile = "'; DROP TABLE note; --";
  EXPECT_EQ(adapter.Create("note", {{"id", "a"}, {"it's", hostile}, {"number", std::nullopt}}),
            (Record{{"id", "a"}, {"it's", hostile}, {"number", std::nullopt}}));
  adapter.Transaction([](Adapter& inner) {
    inner.Create("note", {{"id", "b"}, {"number", "2"}});
    EXPECT_EQ(inner.FindMany({.model = "note"}).size(), 2U) << "of the ledger, in the transaction";
    inner.Transaction([](Adapter& same) { same.Update("note", {{"id", "b"}}, {{"number", "3"}}); });
  });
  EXPECT_THROW(adapter.Transaction([](Adapter& inner) {
    inner.Create("note", {{"id", "c"}});
    throw Error(SUMMA_E_DATA, "", "changed its mind");
  }),
               Error);
  const auto found = ledger_->FindMany({.model = "note",
                                        .where = {{"number", "3", Comparison::kAtLeast}},
                                        .select = {"id"},
                                        .limit = 5});
  EXPECT_EQ(found, (std::vector<Record>{{{"id", "b"}}}));
  EXPECT_EQ(ledger_->FindOne({.model = "note", .where = {{"it's", hostile}}})->at("id"), "a");
  EXPECT_EQ(ledger_->FindOne({.model = "note", .where = {{"number", std::nullopt}}})->at("id"),
            "a");
  EXPECT_EQ(ledger_->FindOne({.model = "note", .sort_by = {{"id", true}}})->at("id"), "b");
  EXPECT_EQ(adapter.Update("note", {{"id", "a"}}, {{"number", "1"}}), 1);
  EXPECT_EQ(adapter.Delete("note", {{"id", "a"}}), 1);
  try {
    adapter.Delete("note", {});
    ADD_FAILURE() << "everything was deleted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0144");
  }
}

}  // namespace
}  // namespace summa::projections
