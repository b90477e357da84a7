// The worker without a server: what it does around its statement.
#include <gmock/gmock.h>

#include <summa/testkit/fake_host.hpp>
#include <summa/testkit/scripted_sql.hpp>

#include "census.hpp"

namespace account_census {
namespace {

using summa::testkit::FakeHost;
using summa::testkit::FakeTick;
using summa::testkit::ScriptedRows;
using summa::testkit::ScriptedSql;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Census, WritesInOneTransactionAndReportsWhatHasChanged) {
  ScriptedSql sql;
  sql.Answer("RETURNING", ScriptedRows({"status", "accounts"})
                              .Add({"active", std::int64_t{7}})
                              .Add({"closed", std::int64_t{1}}));
  FakeHost host(sql.table());
  Census census(host.host(), 5);
  const FakeTick tick(sql.table());
  EXPECT_EQ(census.Run(summa::Tick(tick.abi())).items, 2);
  EXPECT_THAT(sql.Texts(), ElementsAre("BEGIN", HasSubstr("INSERT INTO"), "COMMIT"));
  ASSERT_EQ(host.CountCode("AC-0001"), 1u);
  EXPECT_EQ(host.Lines().front().fields.at("accounts"), "7");
}

TEST(Census, SaysNothingOfWhatIsNotCommitted) {
  ScriptedSql sql;
  sql.Answer("RETURNING", ScriptedRows({"status", "accounts"}).Add({"active", std::int64_t{7}}));
  sql.LoseLeaseAt("INSERT INTO");
  FakeHost host(sql.table());
  Census census(host.host(), 5);
  const FakeTick tick(sql.table());
  EXPECT_THROW(census.Run(summa::Tick(tick.abi())), summa::Error);
  EXPECT_EQ(sql.Commits(), 0u);
  EXPECT_TRUE(host.Lines().empty());
}

}  // namespace
}  // namespace account_census
