// A consumer without a lease, as a plugin makes it in Activate(), on a bus in memory.
#include <gtest/gtest.h>

#include <summa/inbox.hpp>
#include <summa/message_bus.hpp>
#include <summa/testkit/memory_bus.hpp>

#include "tests/services/wait_until.hpp"

class Greeter {
 public:
  // In a plugin: `bus` is summa::BusClient(host().FindService(SUMMA_BUS_V1, "bus").service), made
  // in Activate(); Deactivate() ends the subscription.
  explicit Greeter(summa::BusClient bus) : bus_(bus) {
    summa::SubscribeOptions options;
    options.topics = {"ledger-account-created"};
    options.group = "greeter";       // the purpose: each group gets every message
    options.consumer = "greeter-1";  // stable, so that a restart finds what it left
    options.concurrency = 10;
    options.max_retries = 3;
    options.handler = [this](const summa::ConsumedMessage& message) { Greet(message); };
    subscription_ = bus_.Subscribe(options);
  }
  ~Greeter() { bus_.Disconnect(); }

  int greeted() const { return greeted_; }

 private:
  // Throws: tried again, then a dead letter. With a database, the effect is made once so:
  //   summa::Session session(host().sql());
  //   session.Begin();
  //   if (summa::Inbox::First(session, "greeter", message.id)) session.Exec(...);
  //   session.Commit();
  void Greet(const summa::ConsumedMessage& message) {
    if (message.payload.empty()) throw summa::Error(SUMMA_E_DATA, "", "no payload");
    ++greeted_;
  }

  std::atomic<int> greeted_{0};
  summa::MessageBus bus_;
  std::shared_ptr<summa::Consumer> subscription_;
};

TEST(Greeter, GreetsEveryNewAccountAndGivesUpWhatItCannotRead) {
  summa::testkit::MemoryBus bus;
  summa::detail::BusTable table(&bus);
  const Greeter greeter(summa::BusClient(table.table()));
  for (const std::string payload : {R"({"accountId":"1"})", "", R"({"accountId":"2"})"}) {
    summa_bus_message message{};
    message.stream = message.type = summa::ToAbi("ledger-account-created");
    message.id = summa::ToAbi("id");
    message.payload = summa::ToAbi(payload);
    summa_bus_receipt receipt{};
    bus.Publish({&message, 1}, {&receipt, 1});
  }
  EXPECT_TRUE(summa::test::BecomesTrue(
      [&] { return greeter.greeted() == 2 && bus.StoredDeadLetters().size() == 1; }));
  EXPECT_EQ(bus.StoredDeadLetters()[0].error, "no payload");
}
