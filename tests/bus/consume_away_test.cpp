// When something is away, and when only one message says so. README.md lists the promises.
#include <array>
#include <set>

#include "tests/bus/consume_support.hpp"

namespace summa::bus_test {
namespace {

TEST_P(Consume, WhenWhatHandlersNeedIsAwayNothingIsGivenUp) {
  PublishNumbers("a", 0, 5);
  std::atomic<int> calls{0};
  Consumer consumer(
      client(), Options([&](const ConsumedMessage& message) {
        // Away, told to stop, without the lease: no word about the message.
        constexpr std::array kBlameless = {SUMMA_E_UNAVAILABLE, SUMMA_E_FENCED, SUMMA_E_CANCELLED};
        if (const int call = calls++; call < 9) {
          throw Error(kBlameless[static_cast<std::size_t>(call) % 3], "", "away");
        }
        record_.Handled(message);
      }));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 5; }));
  EXPECT_EQ(record_.ids(), Numbers(0, 5));
  EXPECT_TRUE(BecomesTrue([&] { return record_.away >= 9; }));
  EXPECT_THAT(Letters(), IsEmpty());
}

// In order: what it needs is away, a lock or a timeout, a statement that was cancelled.
constexpr std::array kOneMessageSays = {SUMMA_E_UNAVAILABLE, SUMMA_E_TRY_LATER, SUMMA_E_CANCELLED};

TEST_P(Consume, OneMessageThatBlamesWhatItNeedsIsGivenUpWhenOthersGetThrough) {
  for (const int status : kOneMessageSays) {
    Restart(std::chrono::seconds(30));
    Record record;
    Messages().Add("a", "poison", "k").Add("a", "next", "k").Publish(bus());
    std::atomic<int> attempts{0};
    SubscribeOptions options = Options([&](const ConsumedMessage& message) {
      if (message.id == "poison") {
        ++attempts;
        throw Error(status, "", "says the poison");
      }
      record.Handled(message);
    });
    options.events = &record;
    Consumer consumer(client(), options);
    ASSERT_TRUE(BecomesTrue([&] { return record.away + record.failed > 0; })) << status;
    Messages messages;
    for (int i = 0; i < 50; ++i) messages.Add("a", std::to_string(i), "o" + std::to_string(i));
    messages.Publish(bus());
    EXPECT_TRUE(BecomesTrue([&] { return record.count() == 51; })) << status;
    EXPECT_TRUE(consumer.Drain(test::kTimeout));
    ASSERT_EQ(Letters().size(), 1U) << status;
    EXPECT_EQ(Letters()[0].id, "poison");
    EXPECT_EQ(Letters()[0].error, "says the poison");
    EXPECT_EQ(Letters()[0].deliveries, 3);
    EXPECT_THAT(record.of_key("k"), ElementsAre("next"));
  }
}

TEST_P(Consume, OneMessageThatBlamesWhatItNeedsKeepsNoOtherKeyWaiting) {
  for (const int status : kOneMessageSays) {
    Restart(std::chrono::seconds(30));
    Record record;
    Messages().Add("a", "poison", "k").Add("a", "next", "k").Publish(bus());
    SubscribeOptions options = Options([&](const ConsumedMessage& message) {
      if (message.id == "poison") throw Error(status, "", "says the poison");
      record.Handled(message);
    });
    // Whoever waits for the poison waits longer than this test.
    options.retry_base = options.retry_cap = std::chrono::hours(1000);
    options.events = &record;
    std::atomic<int>& away = record.away;
    Consumer consumer(client(), options);
    ASSERT_TRUE(BecomesTrue([&] { return away + record.failed == 1; })) << status;
    Messages messages;
    for (int i = 0; i < 50; ++i) messages.Add("a", std::to_string(i), "o" + std::to_string(i));
    messages.Publish(bus());
    EXPECT_TRUE(BecomesTrue([&] { return record.count() == 50; })) << status;
    EXPECT_THAT(record.of_key("k"), IsEmpty());
  }
}

TEST_P(Consume, WhatSeveralKeysMissIsAwayAndNoMessageLosesAnAttempt) {
  for (const int status : {SUMMA_E_UNAVAILABLE, SUMMA_E_TRY_LATER}) {
    Restart(std::chrono::seconds(30));
    Record record;
    Messages messages;
    for (int i = 0; i < 40; ++i) {
      messages.Add("a", std::to_string(i), "key" + std::to_string(i % 4));
    }
    messages.Publish(bus());
    std::atomic<bool> away{true};
    std::atomic<int> calls{0};
    std::atomic<std::int64_t> max_deliveries{0};
    SubscribeOptions options = Options([&](const ConsumedMessage& message) {
      ++calls;
      if (away) throw Error(status, "", "away");
      if (message.deliveries > max_deliveries) max_deliveries = message.deliveries;
      record.Handled(message);
    });
    // The first timeout may be one of its message alone: nobody else has said anything yet.
    options.max_retries = status == SUMMA_E_TRY_LATER ? 3 : 1;
    options.events = &record;
    Consumer consumer(client(), options);
    EXPECT_TRUE(BecomesTrue([&] { return calls >= 60; })) << status;
    // It comes back while nobody is on the way to say that it is away.
    consumer.Pause();
    EXPECT_TRUE(BecomesTrue([&] { return record.away + record.failed == calls; })) << status;
    away = false;
    consumer.Resume();
    EXPECT_TRUE(BecomesTrue([&] { return record.count() == 40; })) << status;
    EXPECT_LE(max_deliveries, options.max_retries);
    EXPECT_THAT(Letters(), IsEmpty()) << status;
  }
}

TEST_P(Consume, MessagesThatNeedNothingDoNotMakeThoseThatDoLookGuilty) {
  Messages messages;
  for (int i = 0; i < 300; ++i) {
    messages.Add("a", std::to_string(i), (i % 2 == 0 ? "needs" : "free") + std::to_string(i % 20));
  }
  messages.Publish(bus());
  std::atomic<bool> away{true};
  std::atomic<int> complaints{0};
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    if (away && message.key.starts_with("needs")) {
      ++complaints;
      throw Error(SUMMA_E_UNAVAILABLE, "", "away");
    }
    record_.Handled(message);
  });
  options.max_retries = 1;
  Consumer consumer(client(), options);
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 150 && complaints >= 100; }));
  consumer.Pause();
  EXPECT_TRUE(BecomesTrue([&] { return record_.away + record_.failed == complaints; }));
  away = false;
  consumer.Resume();
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 300; }));
  EXPECT_THAT(Letters(), IsEmpty());
}

TEST_P(Consume, ALookOfItsOwnTellsAnOutageFromOneMessage) {
  PublishNumbers("a", 0, 2);  // one key: nobody else can tell
  std::atomic<bool> away{true};
  std::atomic<int> calls{0};
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    ++calls;
    if (message.id == "0") throw Error(SUMMA_E_UNAVAILABLE, "X-1", "the connection is lost");
    record_.Handled(message);
  });
  options.is_away = [&](const Error& error) {
    EXPECT_EQ(error.code(), "X-1");
    return std::optional<bool>(away);
  };
  Consumer consumer(client(), options);
  EXPECT_TRUE(BecomesTrue([&] { return calls >= 20; }));
  EXPECT_THAT(Letters(), IsEmpty());
  away = false;
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 1; }));
  EXPECT_THAT(record_.dead(), ElementsAre("0"));
}

TEST_P(Consume, ADeadLetterThatCannotBeWrittenHoldsItsKeyAlone) {
  Messages messages;
  messages.Add("a", "poison", "k").Add("a", "next", "k");
  messages.Publish(bus());
  backend_->BreakDeadLetters("a", true);
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    if (message.id == "poison") throw std::runtime_error("cannot be handled");
    record_.Handled(message);
  });
  options.max_retries = 1;
  options.retry_base = options.retry_cap = std::chrono::seconds(2);
  Consumer consumer(client(), options);
  ASSERT_TRUE(BecomesTrue([&] { return record_.away > 0; }));
  for (int round = 0; round < 20; ++round) {
    Messages others;
    for (int i = 0; i < 10; ++i) {
      others.Add("a", std::to_string(round) + "-" + std::to_string(i), "o" + std::to_string(i));
    }
    others.Publish(bus());
  }
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 200; }));
  EXPECT_THAT(record_.of_key("k"), IsEmpty());
  backend_->BreakDeadLetters("a", false);
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 201; }));
  EXPECT_THAT(record_.dead(), ElementsAre("poison"));
}

TEST_P(Consume, ARestartOfTheServerLosesNothing) {
  PublishNumbers("a", 0, 300);
  SubscribeOptions options = Options(Recording());
  options.max_messages = 20;
  Consumer consumer(client(), options);
  ASSERT_TRUE(BecomesTrue([&] { return record_.count() > 0; }));
  if (!backend_->RestartServer()) GTEST_SKIP() << "skipped: this bus has no server";
  EXPECT_TRUE(BecomesTrue([&] {
    try {
      bus().Ping();
      return true;
    } catch (const Error&) {
      return false;
    }
  }));
  PublishNumbers("a", 300, 400);
  EXPECT_TRUE(BecomesTrue([&] {
    const std::vector<std::string> ids = record_.ids();
    return std::set<std::string>(ids.begin(), ids.end()).size() == 400;
  }));
}

TEST_P(Consume, AFullBusIsBackpressureAndTheOrderHolds) {
  PublishNumbers("a", 0, 50);
  client().Subscribe("a", "g", "c1");  // the group is there
  backend_->SetFull(true);
  // A consumer that starts now comes in: it is what makes room.
  Consumer consumer(client(), Options(Recording()));
  // What is there is handled and acknowledged, which needs no room.
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 50; }));
  EXPECT_TRUE(consumer.Drain(test::kTimeout));
  Messages more;
  for (const std::string& number : Numbers(50, 100)) more.Add("a", number);
  for (const int outcome : more.Try(bus())) {
    EXPECT_TRUE(outcome == SUMMA_BUS_STREAM_FAULT || outcome == SUMMA_BUS_UNSENT) << outcome;
  }
  backend_->SetFull(false);
  consumer.Resume();
  more.Publish(bus());
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 100; }));
  EXPECT_EQ(record_.ids(), Numbers(0, 100));
  EXPECT_THAT(Letters(), IsEmpty());
}

}  // namespace
}  // namespace summa::bus_test
