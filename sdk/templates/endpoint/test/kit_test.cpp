// The route without a server and without a host.
#include <gmock/gmock.h>

#include <summa/testkit/fake_request.hpp>
#include <summa/testkit/scripted_sql.hpp>

#include "accounts.hpp"

namespace holder_accounts {
namespace {

using summa::testkit::FakeRequest;
using summa::testkit::ScriptedRows;
using summa::testkit::ScriptedSql;
using testing::ElementsAre;

TEST(Accounts, AreShownAsJson) {
  ScriptedSql sql;
  const auto id = *summa::ParseUuid("0f8fad5b-d9cb-469f-a165-70867728950e");
  sql.Answer("FROM account_balance",
             ScriptedRows({"id", "currency", "status", "balance"})
                 .Add({summa::UuidValue(id), "USD", "active", std::int64_t{70}}));
  FakeRequest request(sql.table());
  request.Set("holder", "holder_1").Set("limit", "100");
  EXPECT_EQ(Get(request.request()).body,
            R"({"holder":"holder_1","accounts":[{"id":"0f8fad5b-d9cb-469f-a165-70867728950e",)"
            R"("currency":"USD","status":"active","balance":70}]})");
  EXPECT_THAT(sql.Statements().front().parameters, ElementsAre("holder_1", "100"));
}

TEST(Accounts, OfAHolderWithoutAnyAreAnError) {
  ScriptedSql sql;
  sql.Answer("FROM account_balance", ScriptedRows({"id", "currency", "status", "balance"}));
  FakeRequest request(sql.table());
  request.Set("holder", "nobody").Set("limit", "100");
  try {
    Get(request.request());
    FAIL() << "nothing was thrown";
  } catch (const summa::Error& error) {
    EXPECT_EQ(error.code(), "HA-0001");
    EXPECT_EQ(error.status(), SUMMA_E_NOT_FOUND);
  }
}

}  // namespace
}  // namespace holder_accounts
