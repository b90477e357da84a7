// The plugin in the real host, on a private PostgreSQL. Its bus is bus-memory of the test kit, which
// holds messages from the beginning; the first of them has no key.
#include <gmock/gmock.h>

#include <summa/testkit/host_program.hpp>
#include <summa/testkit/test_ledger.hpp>

namespace {

using summa::testkit::HostProgram;
using summa::testkit::PostgreSql;
using summa::testkit::TestLedger;
using testing::HasSubstr;

TEST(AccountGreeterInTheHost, GreetsEachAccountOnceAndGivesUpWhatItCannotHandle) {
  PostgreSql server;
  TestLedger ledger(server);
  const HostProgram host(ledger.Configuration() +
                         "plugins:\n"
                         "  bus-memory: { stream: ledger-account-created, messages: 5 }\n"
                         "  account-greeter: { use: { bus: bus-memory } }\n");

  const auto run = host.Run({"run", "--once"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("SH-0141")) << "a dead letter is told";
  EXPECT_EQ(ledger.db().Count("SELECT count(*) FROM account_greeter.greeting"), 4);

  // A new host has a new memory, with the same messages in it.
  ASSERT_EQ(host.Run({"run", "--once"}).exit_code, 0);
  EXPECT_EQ(ledger.db().Count("SELECT count(*) FROM account_greeter.greeting"), 4);
  EXPECT_THAT(host.RunOrThrow({"account-greeter", "count", "--output", "json"}),
              HasSubstr(R"("greetings":4)"));
}

}  // namespace
