// The handler without a server and without a bus.
#include <gmock/gmock.h>

#include <summa/testkit/fake_host.hpp>
#include <summa/testkit/scripted_sql.hpp>

#include "greeter.hpp"

namespace account_greeter {
namespace {

using summa::testkit::FakeHost;
using summa::testkit::ScriptedRows;
using summa::testkit::ScriptedSql;
using testing::ElementsAre;
using testing::HasSubstr;

class GreeterTest : public testing::Test {
 protected:
  summa::LeasedMessage Message(std::string_view id, std::string_view key) const {
    summa::LeasedMessage message;
    message.id = id;
    message.key = key;
    message.sql = sql_.table();
    message.group = "account-greeter";
    return message;
  }
  ScriptedSql sql_;
  FakeHost host_{sql_.table()};
  Greeter greeter_{host_.host()};
};

TEST_F(GreeterTest, WritesAGreetingTogetherWithTheIdOfTheMessage) {
  sql_.Answer("summa_host.inbox", ScriptedRows(1));  // it is new
  greeter_.Handle(Message("m1", "account-1"));
  EXPECT_THAT(sql_.Texts(), ElementsAre("BEGIN", HasSubstr("summa_host.inbox"),
                                        HasSubstr("account_greeter.greeting"), "COMMIT"));
  EXPECT_THAT(sql_.Statements()[2].parameters, ElementsAre("m1", "account-1"));
}

TEST_F(GreeterTest, WritesNothingForAMessageThatItHasHandled) {
  sql_.Answer("summa_host.inbox", ScriptedRows(0));
  greeter_.Handle(Message("m1", "account-1"));
  EXPECT_EQ(sql_.Commits(), 0u);
}

TEST_F(GreeterTest, RefusesAMessageWithoutAKey) {
  EXPECT_THROW(greeter_.Handle(Message("m1", "")), summa::Error);
  EXPECT_TRUE(sql_.Texts().empty());
}

}  // namespace
}  // namespace account_greeter
