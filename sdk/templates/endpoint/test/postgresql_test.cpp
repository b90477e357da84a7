// The plugin in the real host, on a private PostgreSQL.
#include <gmock/gmock.h>

#include <summa/testkit/host_program.hpp>
#include <summa/testkit/test_ledger.hpp>

namespace {

using summa::testkit::HostProgram;
using summa::testkit::HttpAnswer;
using summa::testkit::PostgreSql;
using summa::testkit::RunningHost;
using summa::testkit::TestLedger;
using testing::HasSubstr;

TEST(HolderAccountsInTheHost, AnswersOverHttp) {
  PostgreSql server;
  TestLedger ledger(server);
  ledger.OpenAccount(1);
  ledger.Credit(1, 70);
  const HostProgram host(ledger.Configuration() + "plugins: { holder-accounts: {} }\n");
  RunningHost running(host);
  running.AwaitReady();

  const HttpAnswer found = running.Get("/v1/holder-accounts/holder_1");
  EXPECT_EQ(found.status, 200) << found.body;
  EXPECT_THAT(found.body, HasSubstr(R"("balance":70)"));
  const HttpAnswer unknown = running.Get("/v1/holder-accounts/nobody");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, HasSubstr("HA-0001"));
  EXPECT_EQ(running.Get("/v1/holder-accounts/holder_1?limit=0").status, 400);
  EXPECT_EQ(running.Stop(), 0);
}

}  // namespace
