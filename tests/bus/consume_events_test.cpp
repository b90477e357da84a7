// What a consumer tells, and what its listener may do. README.md lists the promises.
#include "tests/bus/consume_support.hpp"

namespace summa::bus_test {
namespace {

// Events that throw, each in another way.
class Thrower final : public ConsumerEvents {
 public:
  void Failed(const ConsumedMessage&, const std::string&) override {
    ++called;
    throw std::runtime_error("no row for it");
  }
  void DeadLettered(const ConsumedMessage&, const std::string&) override {
    ++called;
    throw 7;
  }
  void Away(const std::string&) override {
    ++called;
    throw Error(SUMMA_E_UNAVAILABLE, "", "the log is away");
  }
  std::atomic<int> called{0};
};

TEST_P(Consume, AnEventThatThrowsEndsNothingAndIsNamed) {
  Messages messages;
  messages.Add("a", "poison", "k").Add("a", "next", "k").Add("a", "away", "l").Publish(bus());
  Thrower thrower;
  std::atomic<int> calls{0};
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    if (message.id == "poison") throw std::runtime_error("cannot be handled");
    if (message.id == "away" && calls++ == 0) throw Error(SUMMA_E_UNAVAILABLE, "", "away");
    record_.Handled(message);
  });
  options.events = &thrower;
  Consumer consumer(client(), options);
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 2; }));
  EXPECT_TRUE(consumer.Drain(test::kTimeout));
  // Two failures, a dead letter, and what was away, which is told when its message may run again.
  EXPECT_TRUE(BecomesTrue([&] { return thrower.called == 4 && consumer.Failing().size() == 3; }));
  EXPECT_EQ(Letters().size(), 1U);
  std::map<std::string, std::string> failing;
  for (const Finding& finding : consumer.Failing()) failing[finding.subject] = finding.found;
  EXPECT_EQ(failing["consumer g, callback Failed"], "it threw an exception: no row for it");
  EXPECT_EQ(failing["consumer g, callback DeadLettered"],
            "it threw an exception that is not a std::exception");
  EXPECT_EQ(failing["consumer g, callback Away"], "it threw an exception: the log is away");
}

// Looks at its consumer from every event, which needs the lock of the consumer.
class ReentrantEvents final : public ConsumerEvents {
 public:
  void Failed(const ConsumedMessage&, const std::string&) override { CountAndCheck(failed); }
  void DeadLettered(const ConsumedMessage&, const std::string&) override { CountAndCheck(dead); }
  void Overdue(std::string_view, std::string_view) override { CountAndCheck(overdue); }
  std::atomic<Consumer*> consumer{nullptr};
  std::atomic<int> failed{0}, dead{0}, overdue{0};

 private:
  void CountAndCheck(std::atomic<int>& counter) {
    if (Consumer* known = consumer.load()) {
      static_cast<void>(known->held_messages());
      known->Pause();
      known->Resume();
    }
    ++counter;
  }
};

TEST_P(Consume, AnEventMayUseItsConsumer) {
  Restart(milliseconds(300));
  Messages().Add("a", "slow", "s").Add("a", "poison", "p").Publish(bus());
  Gate gate;
  ReentrantEvents events;
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    if (message.id == "poison") throw std::runtime_error("no");
    gate.Pass();
    record_.Handled(message);
  });
  options.handler_deadline = milliseconds(100);
  options.events = &events;
  Consumer consumer(client(), options);
  events.consumer = &consumer;
  EXPECT_TRUE(BecomesTrue([&] { return events.overdue >= 1 && events.dead == 1; }));
  EXPECT_GE(events.failed, 2);
  gate.Open();
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() >= 1; }));
  Messages().Add("a", "after", "q").Publish(bus());
  EXPECT_TRUE(BecomesTrue([&] {
    const auto ids = record_.ids();
    return std::find(ids.begin(), ids.end(), "after") != ids.end();
  }));
}

// Waits in an event until it is let go.
class Waiter final : public ConsumerEvents {
 public:
  void Failed(const ConsumedMessage&, const std::string&) override { gate.Pass(); }
  Gate gate;
};

TEST_P(Consume, AnEventThatHangsIsNamedAndHoldsOnlyItsKey) {
  Messages().Add("a", "poison", "p").Publish(bus());
  Waiter waiter;
  std::atomic<int> calls{0};
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    if (message.id == "poison" && calls++ == 0) throw std::runtime_error("no");
    record_.Handled(message);
  });
  options.events = &waiter;
  Consumer consumer(client(), options);
  ASSERT_TRUE(BecomesTrue([&] { return waiter.gate.waiting() == 1; }));
  PublishNumbers("a", 0, 20);
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 20; }));
  EXPECT_TRUE(BecomesTrue([&] {
    const std::vector<Finding> failing = consumer.Failing();
    return failing.size() == 1 && failing[0].severity == Severity::kError &&
           failing[0].subject == "consumer g, callback Failed";
  }));
  waiter.gate.Open();
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 21 && consumer.Failing().empty(); }));
}

}  // namespace
}  // namespace summa::bus_test
