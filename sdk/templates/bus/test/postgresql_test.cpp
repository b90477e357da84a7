// The bus in the real host, on a private PostgreSQL: what every bus has without a line of its own.
#include <gmock/gmock.h>

#include <summa/testkit/host_program.hpp>
#include <summa/testkit/test_ledger.hpp>

namespace {

using summa::testkit::HostProgram;
using summa::testkit::PostgreSql;
using summa::testkit::RunningHost;
using summa::testkit::TestLedger;
using testing::HasSubstr;

TEST(BusMemoryInTheHost, IsSeenByTheVerbsForBusesAndMakesTheHostReady) {
  PostgreSql server;
  TestLedger ledger(server);
  const HostProgram host(ledger.Configuration() +
                         "plugins: { bus-memory: { stream: payments, messages: 3 } }\n");
  EXPECT_THAT(host.RunOrThrow({"bus", "streams", "--output", "json"}), HasSubstr("payments"));
  RunningHost running(host);
  running.AwaitReady();
  EXPECT_THAT(running.Get("/status").body, HasSubstr(R"("deadLetters":0)"));
  EXPECT_EQ(running.Stop(), 0);
}

}  // namespace
