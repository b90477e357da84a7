// The plugin in the real host, on a private PostgreSQL.
#include <gmock/gmock.h>

#include <summa/testkit/host_program.hpp>
#include <summa/testkit/test_ledger.hpp>

namespace {

using summa::testkit::HostProgram;
using summa::testkit::PostgreSql;
using summa::testkit::TestLedger;
using testing::HasSubstr;

TEST(AccountCensusInTheHost, CountsAccountsAndShowsThem) {
  PostgreSql server;
  TestLedger ledger(server);
  ledger.OpenAccount(1);
  ledger.OpenAccount(2);
  const HostProgram host(ledger.Configuration() + "plugins: { account-census: {} }\n");

  const auto run = host.Run({"run", "--once"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(ledger.db().Query("SELECT status, accounts FROM account_census.status"),
            (summa::testkit::Rows{{"active", "2"}}));
  EXPECT_THAT(host.RunOrThrow({"account-census", "show", "--output", "json"}),
              HasSubstr(R"("accounts":2)"));

  // A run that finds nothing new writes nothing.
  const std::string before = ledger.db().Value("SELECT xmin FROM account_census.status");
  ASSERT_EQ(host.Run({"run", "--once"}).exit_code, 0);
  EXPECT_EQ(ledger.db().Value("SELECT xmin FROM account_census.status"), before);
}

}  // namespace
