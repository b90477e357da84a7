// With the inbox, a message that comes more than once has its effect in the database once.
#include <atomic>
#include <summa/consumer.hpp>
#include <summa/inbox.hpp>

#include "host/abi/sql_service.hpp"
#include "tests/bus/backend.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

class InboxTest : public DatabaseTest, public ::testing::WithParamInterface<bus_test::BackendKind> {
 protected:
  InboxTest() {
    settings_.pool = 12;
    db_->Execute("CREATE TABLE balance (amount integer); INSERT INTO balance VALUES (0)");
    service_ = std::make_unique<SqlService>(std::map<std::string, std::shared_ptr<SessionPool>>{
        {"ledger", std::make_shared<SessionPool>(settings_)}});
  }
  void Publish(const std::string& id) {
    bus_test::Messages().Add("a", id).Publish(backend_->bus());
  }
  void Apply(std::string_view message_id) {
    summa::Session session(service_->unleased());
    session.Begin();
    if (summa::Inbox::First(session, "test", message_id)) {
      session.Exec("UPDATE balance SET amount = amount + 1");
    }
    session.Commit();
  }
  long long Balance() { return db_->Count("SELECT amount FROM balance"); }

  std::unique_ptr<bus_test::Backend> backend_ = GetParam().make(std::chrono::seconds(30));
  summa::detail::BusTable table_{&backend_->bus()};
  std::unique_ptr<SqlService> service_;
};

TEST_P(InboxTest, ACrashBetweenEffectAndAckLeavesOneEffect) {
  Publish("m1");
  {
    const auto dead = BusClient(table_.table()).Subscribe("a", "g", "c");
    const auto deliveries = dead->Poll(1, std::chrono::microseconds(0));
    ASSERT_EQ(deliveries.size(), 1U);
    Apply(FromAbi(deliveries[0].message.id));  // and it ends before it can acknowledge
  }
  ASSERT_EQ(Balance(), 1);
  std::atomic<int> handled{0};
  SubscribeOptions options;
  options.topics = {"a"};
  options.group = "g";
  options.consumer = "c";
  options.handler = [&](const ConsumedMessage& message) {
    Apply(message.id);
    ++handled;
  };
  Publish("m1");  // and once more, by a publisher that got no answer
  Publish("m2");
  Consumer consumer(BusClient(table_.table()), options);
  EXPECT_TRUE(test::BecomesTrue([&] { return handled == 3; }));
  EXPECT_EQ(Balance(), 2);
}

TEST_P(InboxTest, WhatWasRolledBackIsNew) {
  {
    summa::Session session(service_->unleased());
    session.Begin();
    EXPECT_TRUE(summa::Inbox::First(session, "test", "m1"));
  }
  Apply("m1");
  EXPECT_EQ(Balance(), 1);
  summa::Session session(service_->unleased());
  session.Begin();
  EXPECT_FALSE(summa::Inbox::First(session, "test", "m1"));
  EXPECT_TRUE(summa::Inbox::First(session, "other", "m1"));  // consumers do not share it
}

INSTANTIATE_TEST_SUITE_P(Buses, InboxTest, ::testing::ValuesIn(bus_test::BackendKinds()),
                         bus_test::BackendName);

}  // namespace
}  // namespace summa::host
