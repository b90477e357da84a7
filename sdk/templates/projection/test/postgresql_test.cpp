// The read model in the real host, on a private PostgreSQL. The plugin `projections` applies it.
#include <gmock/gmock.h>

#include <summa/testkit/host_program.hpp>
#include <summa/testkit/test_ledger.hpp>

namespace {

using summa::testkit::HostProgram;
using summa::testkit::PostgreSql;
using summa::testkit::Rows;
using summa::testkit::TestLedger;

constexpr char kRead[] =
    "SELECT holder_id, category, credits, amount FROM summa_read.regular_credits ORDER BY 1, 2";

TEST(RegularCreditsInTheHost, HasEachCreditOnceAndFollows) {
  PostgreSql server;
  TestLedger ledger(server);
  ledger.OpenAccount(1);
  ledger.OpenAccount(2);
  ledger.Credit(1, 70, "wages");
  ledger.Credit(1, 30, "wages");
  ledger.Transfer(1, 2, 5, "gift");
  const HostProgram host(ledger.Configuration() +
                         "plugins: { projections: {}, regular-credits: {} }\n");

  const auto run = host.Run({"run", "--once"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(ledger.db().Query(kRead),
            (Rows{{"holder_1", "wages", "2", "100"}, {"holder_2", "gift", "1", "5"}}));

  ledger.Credit(2, 5, "gift");
  ASSERT_EQ(host.Run({"run", "--once"}).exit_code, 0);
  EXPECT_EQ(ledger.db().Query(kRead),
            (Rows{{"holder_1", "wages", "2", "100"}, {"holder_2", "gift", "2", "10"}}));
}

}  // namespace
