// What a consumer of any bus can rely on. The name of each case is the promise; README.md lists
// them.
#include "tests/bus/consume_support.hpp"

namespace summa::bus_test {
namespace {

TEST_P(Consume, MessagesOfOneKeyAreHandledInOrderAndNeverTwoAtOnceAtConcurrencyTen) {
  Messages messages;
  std::map<std::string, std::vector<std::string>> expected;
  for (int i = 0; i < 3000; ++i) {
    const std::string key = "key" + std::to_string(i % 7);
    messages.Add("a", std::to_string(i), key);
    expected[key].push_back(std::to_string(i));
  }
  messages.Publish(bus());
  std::map<std::string, std::atomic<int>> running;
  for (const auto& [key, ids] : expected) running[key] = 0;
  std::atomic<bool> together{false};
  Consumer consumer(client(), Options([&](const ConsumedMessage& message) {
                      std::atomic<int>& here = running.at(std::string(message.key));
                      if (++here > 1) together = true;
                      std::this_thread::yield();
                      record_.Handled(message);
                      --here;
                    }));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() >= 3000; }));
  consumer.Unsubscribe();
  EXPECT_FALSE(together);
  for (const auto& [key, ids] : expected) EXPECT_EQ(record_.of_key(key), ids) << key;
}

TEST_P(Consume, AKeyWhoseHandlerHangsHoldsNoOtherKey) {
  Messages messages;
  messages.Add("a", "slow", "k1").Add("a", "behind", "k1");
  for (int i = 0; i < 200; ++i) messages.Add("a", std::to_string(i), "other" + std::to_string(i));
  messages.Publish(bus());
  Gate gate;
  Consumer consumer(client(), Options([&](const ConsumedMessage& message) {
                      if (message.id == "slow") gate.Pass();
                      record_.Handled(message);
                    }));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 200; }));
  EXPECT_THAT(record_.of_key("k1"), IsEmpty());
  gate.Open();
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 202; }));
  EXPECT_THAT(record_.of_key("k1"), ElementsAre("slow", "behind"));
}

TEST_P(Consume, AMessageThatFailsComesAgainBeforeTheNextOfItsKey) {
  Messages().Add("a", "1", "k").Add("a", "2", "k").Add("a", "x", "other").Publish(bus());
  std::atomic<int> attempts{0};
  std::atomic<std::int64_t> deliveries{0};
  Consumer consumer(client(), Options([&](const ConsumedMessage& message) {
                      if (message.id == "1") {
                        deliveries = message.deliveries;
                        if (++attempts < 3) throw std::runtime_error("not yet");
                      }
                      record_.Handled(message);
                    }));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 3; }));
  EXPECT_THAT(record_.of_key("k"), ElementsAre("1", "2"));
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(deliveries, 3);
  EXPECT_THAT(Letters(), IsEmpty());
}

TEST_P(Consume, PoisonGoesToTheDeadLettersAfterMaxRetriesAndItsKeyGoesOn) {
  Messages messages;
  messages.Add("a", "poison", "k").Add("a", "next", "k");
  for (int i = 0; i < 50; ++i) messages.Add("a", std::to_string(i), "o" + std::to_string(i));
  messages.Publish(bus());
  std::atomic<int> attempts{0};
  Consumer consumer(client(), Options([&](const ConsumedMessage& message) {
                      if (message.id == "poison") {
                        ++attempts;
                        throw std::runtime_error("cannot be handled");
                      }
                      record_.Handled(message);
                    }));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 51; }));
  EXPECT_TRUE(consumer.Drain(test::kTimeout));
  EXPECT_EQ(attempts, 3);
  const std::vector<Letter> letters = Letters();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].id, "poison");
  EXPECT_EQ(letters[0].group, "g");
  EXPECT_EQ(letters[0].error, "cannot be handled");
  EXPECT_EQ(letters[0].deliveries, 3);
  EXPECT_THAT(record_.dead(), ElementsAre("poison"));
}

TEST_P(Consume, ARedrivenDeadLetterIsHandledByTheGroupThatGaveItUpAndByNoOther) {
  Messages().Add("a", "1").Publish(bus());
  std::atomic<bool> mended{false};
  Consumer consumer(client(), Options([&](const ConsumedMessage& message) {
                      if (!mended) throw std::runtime_error("no");
                      record_.Handled(message);
                    }));
  ASSERT_TRUE(BecomesTrue([&] { return Letters().size() == 1; }));
  Record other;
  SubscribeOptions others =
      Options([&](const ConsumedMessage& message) { other.Handled(message); });
  others.group = "h";
  Consumer second(client(), others);
  ASSERT_TRUE(BecomesTrue([&] { return other.count() == 1; }));
  mended = true;
  std::string letter_id;
  client().DeadLetters("a", "", [&](const summa_bus_dead_letter& letter) {
    letter_id = FromAbi(letter.dead_letter_id);
    return true;
  });
  const summa_str id = ToAbi(letter_id);
  EXPECT_EQ(client().Redrive("a", {&id, 1}), 1U);
  Messages().Add("a", "later").Publish(bus());
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 2 && other.count() == 2; }));
  EXPECT_THAT(record_.ids(), ElementsAre("1", "later"));
  EXPECT_THAT(other.ids(), ElementsAre("1", "later"));
}

TEST_P(Consume, ASlowConsumerHoldsABoundedNumberOfMessagesAndBytes) {
  Messages messages;
  const std::string payload = "\"" + std::string(1000, 'x') + "\"";
  for (int i = 0; i < 600; ++i) messages.Add("a", std::to_string(i), std::to_string(i), payload);
  messages.Publish(bus());
  Gate gate;
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    gate.Pass();
    record_.Handled(message);
  });
  options.max_messages = 100;
  options.max_bytes = 40'000;
  Consumer consumer(client(), options);
  std::size_t most_messages = 0;
  std::size_t most_bytes = 0;
  const auto look = [&] {
    most_messages = std::max(most_messages, consumer.held_messages());
    most_bytes = std::max(most_bytes, consumer.held_bytes());
  };
  EXPECT_TRUE(BecomesTrue([&] {
    look();
    return gate.waiting() == 10;
  }));
  gate.Open();
  EXPECT_TRUE(BecomesTrue([&] {
    look();
    return record_.count() == 600;
  }));
  EXPECT_GT(most_messages, 10U);
  EXPECT_LE(most_messages, 100U);
  // One page goes beyond: how large messages are is known when they are there.
  EXPECT_LE(most_bytes, 40'000U * 2 + 2000);
}

TEST_P(Consume, APausedConsumerBeginsNothingUntilItIsResumed) {
  Consumer consumer(client(), Options(Recording()));
  consumer.Pause();
  PublishNumbers("a", 0, 20);
  // A second group shows that the messages can be had.
  Record other;
  SubscribeOptions others =
      Options([&](const ConsumedMessage& message) { other.Handled(message); });
  others.group = "h";
  Consumer second(client(), others);
  EXPECT_TRUE(BecomesTrue([&] { return other.count() == 20; }));
  EXPECT_EQ(record_.count(), 0U);
  consumer.Resume();
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 20; }));
  EXPECT_EQ(record_.ids(), Numbers(0, 20));
}

TEST_P(Consume, ADrainedConsumerHasSettledWhatItTookAndLeftTheRest) {
  PublishNumbers("a", 0, 500);
  SubscribeOptions options = Options(Recording());
  options.max_messages = 50;
  Consumer consumer(client(), options);
  ASSERT_TRUE(BecomesTrue([&] { return record_.count() > 0; }));
  ASSERT_TRUE(consumer.Drain(test::kTimeout));
  const std::size_t handled = record_.count();
  EXPECT_EQ(consumer.held_messages(), 0U);
  consumer.Unsubscribe();
  EXPECT_EQ(record_.count(), handled);
  EXPECT_EQ(TakeAndVanish("c1"), Numbers(handled, 500));
}

TEST_P(Consume, PendingMessagesThatWereTrimmedDoNotStopTheOthers) {
  NEEDS(SUMMA_BUS_CLAIMS);
  PublishNumbers("a", 0, 6);
  EXPECT_EQ(TakeAndVanish("c1"), Numbers(0, 6));
  backend_->RemoveOldest("a", 4);
  Consumer consumer(client(), Options(Recording()));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 2; }));
  EXPECT_EQ(record_.ids(), Numbers(4, 6));
  EXPECT_EQ(backend_->Lost(), 4U);
}

TEST_P(Consume, WhatIsGivenBackComesAgainAfterItsDelayAndIsCounted) {
  NEEDS(SUMMA_BUS_CLAIMS | SUMMA_BUS_COUNTS);
  PublishNumbers("a", 0, 2);
  const auto reader = client().Subscribe("a", "g", "c1");
  const auto first = reader->Poll(10, kNoWait);
  ASSERT_EQ(first.size(), 2U);
  const std::string id(FromAbi(first[0].delivery_id));
  const summa_str abi_id = ToAbi(id);
  reader->Nack({&abi_id, 1}, milliseconds(30));
  const auto again = reader->Poll(10, std::chrono::seconds(30));
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(FromAbi(again[0].message.id), "0");
  EXPECT_EQ(again[0].delivery_count, 2);
  EXPECT_EQ(again[0].recovered, 1U);
}

TEST_P(Consume, AHandlerDeadlineThatIsNotBelowClaimAfterIsRefused) {
  NEEDS(SUMMA_BUS_CLAIMS);
  SubscribeOptions options = Options(Recording());
  options.handler_deadline = client().claim_after();
  try {
    Consumer consumer(client(), options);
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), SUMMA_E_CONFIG);
    EXPECT_EQ(error.code(), "SH-0620");
  }
}

TEST_P(Consume, DisconnectEndsEverySubscription) {
  MessageBus message_bus(client());
  message_bus.Ping();
  const auto consumer = message_bus.Subscribe(Options(Recording()));
  PublishNumbers("a", 0, 3);
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 3; }));
  message_bus.Disconnect();
  PublishNumbers("a", 3, 6);
  EXPECT_EQ(TakeAndVanish("c1"), Numbers(3, 6));
  EXPECT_EQ(record_.count(), 3U);
}

INSTANTIATE_TEST_SUITE_P(Buses, Consume, ::testing::ValuesIn(BackendKinds()), BackendName);

}  // namespace
}  // namespace summa::bus_test
