// What a consumer of any bus can rely on. The name of each case is the promise; README.md lists
// them.
#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <summa/message_bus.hpp>

#include "tests/bus/backend.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::bus_test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using test::BecomesTrue;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr microseconds kNoWait{0};

// What handlers and the consumer told, in the order in which it happened.
class Record final : public ConsumerEvents {
 public:
  void Handled(const ConsumedMessage& message) {
    const std::lock_guard lock(mutex_);
    ids_.emplace_back(message.id);
    by_key_[std::string(message.key)].emplace_back(message.id);
  }
  void DeadLettered(const ConsumedMessage& message, const std::string&) override {
    const std::lock_guard lock(mutex_);
    dead_.emplace_back(message.id);
  }
  void Failed(const ConsumedMessage&, const std::string&) override { ++failed; }
  void Away(const std::string&) override { ++away; }

  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return ids_.size();
  }
  std::vector<std::string> ids() const {
    const std::lock_guard lock(mutex_);
    return ids_;
  }
  std::vector<std::string> of_key(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? std::vector<std::string>{} : found->second;
  }
  std::vector<std::string> dead() const {
    const std::lock_guard lock(mutex_);
    return dead_;
  }
  std::atomic<int> away{0}, failed{0};

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> ids_, dead_;
  std::map<std::string, std::vector<std::string>> by_key_;
};

// Handlers wait at it until it is opened.
class Gate {
 public:
  void Pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    opened_.wait(lock, [this] { return open_; });
    --waiting_;
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  int waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
  int waiting_ = 0;
};

class Consume : public BusContract {
 protected:
  SubscribeOptions Options(std::function<void(const ConsumedMessage&)> handler) {
    SubscribeOptions options;
    options.topics = {"a"};
    options.group = "g";
    options.consumer = "c1";
    options.handler = std::move(handler);
    options.retry_base = milliseconds(5);
    options.retry_cap = milliseconds(20);
    options.poll_wait = milliseconds(100);
    options.events = &record_;
    return options;
  }
  std::function<void(const ConsumedMessage&)> Recording() {
    return [this](const ConsumedMessage& message) { record_.Handled(message); };
  }
  // Takes everything that is pending or new as a reader that never settles it.
  std::vector<std::string> TakeAndVanish(const std::string& consumer, std::uint32_t flags = 0,
                                         bool begin = false) {
    const auto reader = client().Subscribe("a", "g", consumer, flags);
    std::vector<std::string> ids;
    for (;;) {
      const auto deliveries = reader->Poll(100, kNoWait);
      if (deliveries.empty()) return ids;
      for (const auto& delivery : deliveries) {
        ids.emplace_back(FromAbi(delivery.message.id));
        std::uint8_t held = 0;
        if (begin && ids.size() == 1) {
          reader->Renew({&delivery.delivery_id, 1}, SUMMA_BUS_START_BEGINS, {&held, 1});
        }
      }
    }
  }
  struct Letter {
    std::string id, group, error;
    std::int64_t deliveries;
  };
  std::vector<Letter> Letters() {
    std::vector<Letter> letters;
    client().DeadLetters("a", "", [&](const summa_bus_dead_letter& letter) {
      letters.push_back({std::string(FromAbi(letter.message.id)),
                         std::string(FromAbi(letter.group)), std::string(FromAbi(letter.error)),
                         letter.deliveries});
      return true;
    });
    return letters;
  }
  Record record_;
};

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
  EXPECT_TRUE(consumer.Drain(test::kPatience));
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
  EXPECT_GE(record_.away, 9);
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
    EXPECT_TRUE(consumer.Drain(test::kPatience));
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
    std::atomic<std::int64_t> most_deliveries{0};
    SubscribeOptions options = Options([&](const ConsumedMessage& message) {
      ++calls;
      if (away) throw Error(status, "", "away");
      if (message.deliveries > most_deliveries) most_deliveries = message.deliveries;
      record.Handled(message);
    });
    // The first timeout may be one of its message alone: nobody else has said anything yet.
    options.max_retries = status == SUMMA_E_TRY_LATER ? 3 : 1;
    options.events = &record;
    Consumer consumer(client(), options);
    EXPECT_TRUE(BecomesTrue([&] { return calls >= 60; })) << status;
    away = false;
    EXPECT_TRUE(BecomesTrue([&] { return record.count() == 40; })) << status;
    EXPECT_LE(most_deliveries, options.max_retries);
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
  away = false;
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
  options.look = [&](const Error& error) {
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

TEST_P(Consume, AHandlerThatHadToStopIsNoCrash) {
  PublishNumbers("a", 0, 1);
  // Two readers die while they handle it: one more, and it would be given up.
  TakeAndVanish("c1", SUMMA_BUS_COUNT_STARTS);
  TakeAndVanish("c1", SUMMA_BUS_COUNT_STARTS, true);
  // Each of these ends in good order, because its lease is gone.
  for (int reader = 0; reader < 3; ++reader) {
    std::atomic<int> calls{0};
    Consumer consumer(client(), Options([&](const ConsumedMessage& message) {
                        EXPECT_EQ(message.deliveries, 3);
                        ++calls;
                        throw Error(SUMMA_E_FENCED, "", "the lease is gone");
                      }));
    EXPECT_TRUE(BecomesTrue([&] { return calls >= 2; }));
  }
  Consumer consumer(client(), Options([&](const ConsumedMessage& message) {
                      EXPECT_EQ(message.deliveries, 3);
                      record_.Handled(message);
                    }));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 1; }));
  EXPECT_THAT(Letters(), IsEmpty());
}

TEST_P(Consume, AMessageThatAnotherReaderTookMeanwhileIsNotBegunAgain) {
  PublishNumbers("a", 0, 1);
  std::unique_ptr<SubscriptionClient> other;
  std::atomic<int> calls{0};
  Consumer consumer(client(), Options([&](const ConsumedMessage&) {
                      if (calls++ == 0) {
                        other = client().Subscribe("a", "g", "other", SUMMA_BUS_EXCLUSIVE);
                        EXPECT_EQ(other->Poll(1, kNoWait).size(), 1U);
                      }
                      throw Error(SUMMA_E_FENCED, "", "the lease is gone");
                    }));
  EXPECT_TRUE(BecomesTrue([&] { return calls > 0 && consumer.held_messages() == 0; }));
  EXPECT_EQ(calls, 1);
}

TEST_P(Consume, AStartThatEndsLateIsTakenBackFromWhoeverHasTheMessage) {
  PublishNumbers("a", 0, 1);
  const auto late = client().Subscribe("a", "g", "late", SUMMA_BUS_COUNT_STARTS);
  ASSERT_EQ(late->Poll(1, kNoWait).size(), 1U);
  const auto next =
      client().Subscribe("a", "g", "next", SUMMA_BUS_COUNT_STARTS | SUMMA_BUS_EXCLUSIVE);
  const auto taken = next->Poll(1, kNoWait);
  ASSERT_EQ(taken.size(), 1U);
  const std::string text(FromAbi(taken[0].delivery_id));
  const summa_str id = ToAbi(text);
  std::uint8_t held = 0;
  next->Renew({&id, 1}, SUMMA_BUS_START_BEGINS, {&held, 1});
  EXPECT_EQ(held, 1);
  late->Renew({&id, 1}, SUMMA_BUS_START_ENDED, {&held, 1});
  EXPECT_EQ(held, 0);
  next->Renew({&id, 1}, SUMMA_BUS_START_NONE, {&held, 1});
  EXPECT_EQ(held, 1) << "it must not change hands";
  const auto other =
      client().Subscribe("a", "g", "other", SUMMA_BUS_COUNT_STARTS | SUMMA_BUS_EXCLUSIVE);
  const auto again = other->Poll(1, kNoWait);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].delivery_count, 1) << "that of the next reader alone";
}

TEST_P(Consume, AReaderThatDiedBetweenEffectAndAckHasItsMessagesDeliveredAgain) {
  PublishNumbers("a", 0, 5);
  EXPECT_EQ(TakeAndVanish("c1", SUMMA_BUS_COUNT_STARTS), Numbers(0, 5));
  Consumer consumer(client(), Options([&](const ConsumedMessage& message) {
                      EXPECT_EQ(message.deliveries, 2);
                      record_.Handled(message);
                    }));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 5; }));
  EXPECT_EQ(record_.ids(), Numbers(0, 5));
}

TEST_P(Consume, AMessageThatEndsTheProcessIsGivenUpAndThoseThatOnlyWaitedAreNot) {
  PublishNumbers("a", 0, 4);
  // The reader begins the first message and dies; three times more after it was recovered.
  for (int i = 0; i < 4; ++i) TakeAndVanish("c1", SUMMA_BUS_COUNT_STARTS, i > 0);
  Consumer consumer(client(), Options(Recording()));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 3 && record_.dead().size() == 1; }));
  EXPECT_THAT(record_.ids(), ElementsAre("1", "2", "3"));
  ASSERT_EQ(Letters().size(), 1U);
  EXPECT_EQ(Letters()[0].id, "0");
  EXPECT_THAT(Letters()[0].error, ::testing::HasSubstr("no handler ever answered"));
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
  ASSERT_TRUE(consumer.Drain(test::kPatience));
  const std::size_t handled = record_.count();
  EXPECT_EQ(consumer.held_messages(), 0U);
  consumer.Unsubscribe();
  EXPECT_EQ(record_.count(), handled);
  EXPECT_EQ(TakeAndVanish("c1"), Numbers(handled, 500));
}

TEST_P(Consume, UnsubscribingLeavesWhatWasNotHandledToTheNextReader) {
  PublishNumbers("a", 0, 100);
  Gate gate;
  auto consumer = std::make_unique<Consumer>(client(), Options([&](const ConsumedMessage& message) {
                                               if (message.id == "3") gate.Pass();
                                               record_.Handled(message);
                                             }));
  ASSERT_TRUE(BecomesTrue([&] { return gate.waiting() == 1; }));
  std::thread ending([&] { consumer->Unsubscribe(); });
  gate.Open();
  ending.join();
  consumer.reset();
  const std::vector<std::string> handled = record_.ids();
  ASSERT_GE(handled.size(), 4U);
  EXPECT_EQ(TakeAndVanish("c1"), Numbers(handled.size(), 100));
}

TEST_P(Consume, TheMessagesOfAFrozenReaderGoToAnotherAndItsLateAcksDoNoHarm) {
  Restart(milliseconds(700));
  PublishNumbers("a", 0, 10);
  const auto frozen = client().Subscribe("a", "g", "frozen");
  std::vector<std::string> ids;
  std::vector<summa_str> abi_ids;
  for (const auto& delivery : frozen->Poll(10, kNoWait)) {
    ids.emplace_back(FromAbi(delivery.delivery_id));
  }
  ASSERT_EQ(ids.size(), 10U);
  for (const std::string& id : ids) abi_ids.push_back(ToAbi(id));
  Consumer consumer(client(), Options(Recording()));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 10; }));
  EXPECT_EQ(record_.ids(), Numbers(0, 10));
  ASSERT_TRUE(consumer.Drain(test::kPatience));
  frozen->Ack(abi_ids);  // it wakes up
  std::vector<std::uint8_t> held(10, 1);
  frozen->Renew(abi_ids, SUMMA_BUS_START_NONE, held);
  EXPECT_THAT(held, ::testing::Each(0));  // and is told that it has nothing
  consumer.Resume();
  PublishNumbers("a", 10, 20);
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 20; }));
  EXPECT_EQ(record_.ids(), Numbers(0, 20));
}

TEST_P(Consume, AMessageThatIsHandledLongerThanClaimAfterStaysOursWhileItsReaderLives) {
  Restart(milliseconds(2400));  // long enough for a busy machine to renew within it
  PublishNumbers("a", 0, 1);
  Messages().Add("a", "waits", "k").Publish(bus());
  const auto start = std::chrono::steady_clock::now();
  Gate gate;
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    if (message.id == "0") gate.Pass();
    record_.Handled(message);
  });
  options.handler_deadline = milliseconds(2000);
  Consumer consumer(client(), options);
  ASSERT_TRUE(BecomesTrue([&] { return gate.waiting() == 1; }));
  // Another reader polls for more than claim_after: what only waits here is renewed.
  const auto other = client().Subscribe("a", "g", "other");
  std::vector<std::string> taken;
  while (std::chrono::steady_clock::now() - start < milliseconds(6000)) {
    for (const auto& delivery : other->Poll(10, milliseconds(50))) {
      taken.emplace_back(FromAbi(delivery.message.id));
    }
  }
  EXPECT_THAT(taken, ::testing::Not(::testing::Contains("waits")));
  gate.Open();
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() >= 2; }));
}

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
  EXPECT_TRUE(consumer.Drain(test::kPatience));
  EXPECT_EQ(thrower.called, 4);  // two failures, a dead letter, what was away
  EXPECT_EQ(Letters().size(), 1U);
  std::map<std::string, std::string> failing;
  for (const Finding& finding : consumer.Failing()) failing[finding.subject] = finding.found;
  EXPECT_EQ(failing["consumer g, callback Failed"], "it threw an exception: no row for it");
  EXPECT_EQ(failing["consumer g, callback DeadLettered"], "it threw what is no std::exception");
  EXPECT_EQ(failing["consumer g, callback Away"], "it threw an exception: the log is away");
}

// Looks at its consumer from every event, which needs the lock of the consumer.
class Looker final : public ConsumerEvents {
 public:
  void Failed(const ConsumedMessage&, const std::string&) override { Look(failed); }
  void DeadLettered(const ConsumedMessage&, const std::string&) override { Look(dead); }
  void Overdue(std::string_view, std::string_view) override { Look(overdue); }
  std::atomic<Consumer*> consumer{nullptr};
  std::atomic<int> failed{0}, dead{0}, overdue{0};

 private:
  void Look(std::atomic<int>& counter) {
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
  Looker looker;
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    if (message.id == "poison") throw std::runtime_error("no");
    gate.Pass();
    record_.Handled(message);
  });
  options.handler_deadline = milliseconds(100);
  options.events = &looker;
  Consumer consumer(client(), options);
  looker.consumer = &consumer;
  EXPECT_TRUE(BecomesTrue([&] { return looker.overdue >= 1 && looker.dead == 1; }));
  EXPECT_GE(looker.failed, 2);
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

TEST_P(Consume, AnExclusiveReaderTakesOverAtOnceAndInOrder) {
  PublishNumbers("a", 0, 5);
  EXPECT_EQ(TakeAndVanish("dead"), Numbers(0, 5));
  PublishNumbers("a", 5, 10);
  SubscribeOptions options = Options(Recording());
  options.exclusive = true;
  Consumer consumer(client(), options);
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 10; }));
  EXPECT_EQ(record_.ids(), Numbers(0, 10));
}

TEST_P(Consume, PendingMessagesThatWereTrimmedDoNotStopTheOthers) {
  PublishNumbers("a", 0, 6);
  EXPECT_EQ(TakeAndVanish("c1"), Numbers(0, 6));
  backend_->RemoveOldest("a", 4);
  Consumer consumer(client(), Options(Recording()));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 2; }));
  EXPECT_EQ(record_.ids(), Numbers(4, 6));
  EXPECT_EQ(backend_->Lost(), 4U);
}

TEST_P(Consume, WhatIsGivenBackComesAgainAfterItsDelayAndIsCounted) {
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

TEST_P(Consume, ARestartOfTheServerLosesNothing) {
  PublishNumbers("a", 0, 300);
  SubscribeOptions options = Options(Recording());
  options.max_messages = 20;
  Consumer consumer(client(), options);
  ASSERT_TRUE(BecomesTrue([&] { return record_.count() > 0; }));
  if (!backend_->RestartServer()) GTEST_SKIP() << "this bus has no server";
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
  EXPECT_TRUE(consumer.Drain(test::kPatience));
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

TEST_P(Consume, AHandlerDeadlineThatIsNotBelowClaimAfterIsRefused) {
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
