// What is written down of a message, without a server and without a bus.
#include "intake.hpp"

#include <gmock/gmock.h>

#include <summa/testkit/fake_host.hpp>
#include <summa/testkit/scripted_sql.hpp>

namespace webhook {
namespace {

using summa::testkit::FakeHost;
using summa::testkit::ScriptedRows;
using summa::testkit::ScriptedSql;
using testing::ElementsAre;
using testing::HasSubstr;

class IntakeTest : public testing::Test {
 protected:
  summa::LeasedMessage Message(std::string_view id, std::string_view key) const {
    summa::LeasedMessage message;
    message.id = id;
    message.key = key;
    message.type = "ledger-account-credited";
    message.timestamp = "2026-01-31T12:00:00.123456Z";
    message.payload = "{}";
    message.sql = sql_.table();
    message.group = "webhook";
    return message;
  }
  ScriptedSql sql_;
  FakeHost host_{sql_.table()};
  Intake intake_{host_.host(), {"ledger-account-credited"}};
};

TEST_F(IntakeTest, StoresAMessageTogetherWithItsId) {
  sql_.Answer("summa_host.inbox", ScriptedRows(1));  // it is new
  intake_.Handle(Message("m1", "account-1"));
  EXPECT_THAT(sql_.Texts(), ElementsAre("BEGIN", HasSubstr("summa_host.inbox"),
                                        HasSubstr("webhook.delivery"), "COMMIT"));
  EXPECT_THAT(sql_.Statements()[2].parameters,
              ElementsAre("m1", "ledger-account-credited", "account-1",
                          "2026-01-31T12:00:00.123456Z", "{}"));
}

TEST_F(IntakeTest, StoresNothingForAMessageThatIsKnown) {
  sql_.Answer("summa_host.inbox", ScriptedRows(0));
  intake_.Handle(Message("m1", "account-1"));
  EXPECT_EQ(sql_.Commits(), 0u);
}

TEST_F(IntakeTest, LetsAMessageWithoutAKeyWaitForNoOther) {
  sql_.Answer("summa_host.inbox", ScriptedRows(1));
  intake_.Handle(Message("m1", ""));
  EXPECT_EQ(sql_.Statements()[2].parameters[2], "m1");
}

TEST_F(IntakeTest, RefusesAnIdThatWouldMakeHeaders) {
  for (const char* id : {"", "m1\r\nx-evil: 1", "m 1", "m\xc3\xa9"}) {
    EXPECT_THROW(intake_.Handle(Message(id, "k")), summa::Error) << id;
  }
  EXPECT_THROW(intake_.Handle(Message(std::string(300, 'x'), "k")), summa::Error);
  EXPECT_TRUE(sql_.Texts().empty());
}

TEST_F(IntakeTest, CommitsNothingWhenTheLeaseIsLost) {
  sql_.Answer("summa_host.inbox", ScriptedRows(1));
  sql_.LoseLeaseAt("webhook.delivery");
  EXPECT_THROW(intake_.Handle(Message("m1", "k")), summa::Error);
  EXPECT_EQ(sql_.Commits(), 0u);
}

}  // namespace
}  // namespace webhook
