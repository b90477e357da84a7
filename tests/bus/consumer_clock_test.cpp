// What a consumer does as time goes by: pauses, deadlines, suspicions. The test moves the clock,
// of the bus as well, and sleeps nowhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <summa/consumer.hpp>
#include <summa/testkit/manual_clock.hpp>
#include <summa/testkit/memory_bus.hpp>
#include <utility>

#include "tests/services/wait_until.hpp"

namespace summa {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::BecomesTrue;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr seconds kClaimAfter{30};

// Texts in the order in which threads told them.
class Notes {
 public:
  void Add(std::string_view text) {
    const std::lock_guard lock(mutex_);
    texts_.emplace_back(text);
  }
  std::vector<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return texts_;
  }
  std::size_t size() const { return all().size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> texts_;
};

// One handler or callback waits at it until it is opened.
class Gate {
 public:
  void Pass() {
    reached_.set_value();
    opened_.get_future().wait_for(test::kTimeout);
  }
  void AwaitArrival() { reached_.get_future().wait_for(test::kTimeout); }
  void Open() { opened_.set_value(); }

 private:
  std::promise<void> reached_, opened_;
};

class RecordedEvents final : public ConsumerEvents {
 public:
  void Failed(const ConsumedMessage& message, const std::string&) override {
    if (on_failed) on_failed(message);
  }
  void Overdue(std::string_view, std::string_view id) override { overdue.Add(id); }
  void Away(const std::string& error) override { away.Add(error); }
  std::function<void(const ConsumedMessage&)> on_failed;
  Notes overdue, away;
};

// What happens before a call reaches the bus. False: it does not reach it.
struct Before {
  std::function<bool()> poll = [] { return true; };
  std::function<bool()> ack = [] { return true; };
  std::function<bool(std::string_view)> settle = [](auto) { return true; };
  std::function<bool(std::size_t count, std::int32_t start)> renew = [](auto, auto) {
    return true;
  };
};
Before before;
summa_bus_v1 behind;  // the bus itself

summa_bus_v1 Watched(const summa_bus_v1& table) {
  before = Before{};
  behind = table;
  summa_bus_v1 watched = table;
  watched.poll = [](summa_bus_subscription* subscription, std::size_t max, std::int64_t wait,
                    const summa_bus_delivery** deliveries, std::size_t* count,
                    summa_error* error) -> std::int32_t {
    return before.poll() ? behind.poll(subscription, max, wait, deliveries, count, error)
                         : SUMMA_E_UNAVAILABLE;
  };
  watched.ack = [](summa_bus_subscription* subscription, const summa_str* ids, std::size_t count,
                   summa_error* error) -> std::int32_t {
    return before.ack() ? behind.ack(subscription, ids, count, error) : SUMMA_E_UNAVAILABLE;
  };
  watched.settle = [](summa_bus_subscription* subscription, summa_str id,
                      summa_error* error) -> std::int32_t {
    return before.settle(FromAbi(id)) ? behind.settle(subscription, id, error)
                                      : SUMMA_E_UNAVAILABLE;
  };
  watched.renew = [](summa_bus_subscription* subscription, const summa_str* ids, std::size_t count,
                     std::int32_t start, std::uint8_t* held, summa_error* error) -> std::int32_t {
    return before.renew(count, start) ? behind.renew(subscription, ids, count, start, held, error)
                                      : SUMMA_E_UNAVAILABLE;
  };
  return watched;
}

class ConsumerClock : public testing::Test {
 protected:
  ConsumerClock() : watched_(Watched(*table_.table())) {
    bus_.now = [this] { return BusTime(clock_.Now()); };
  }
  BusClient client() { return BusClient(&watched_); }

  void Publish(const std::string& id, const std::string& key) {
    summa_bus_message message{};
    message.stream = ToAbi("a");
    message.id = ToAbi(id);
    message.key = ToAbi(key);
    summa_bus_receipt receipt{};
    bus_.Publish({&message, 1}, {&receipt, 1});
    ASSERT_EQ(receipt.outcome, SUMMA_BUS_CONFIRMED);
  }
  // One thread, so that a thread that waits means that nothing is handled; pauses of up to 5 s,
  // which is far from the deadline of a handler.
  SubscribeOptions Options(std::function<void(const ConsumedMessage&)> handler) {
    SubscribeOptions options;
    options.topics = {"a"};
    options.group = "g";
    options.consumer = "c";
    options.handler = std::move(handler);
    options.concurrency = 1;
    options.retry_base = options.retry_cap = seconds(5);
    options.poll_wait = milliseconds(1);
    options.events = &recorded_;
    options.clock = &clock_;
    return options;
  }
  // A reader that begins the first message it is given, where that is not its first start, and
  // vanishes. Returns what it was given.
  std::vector<std::string> BeginAndVanish(const std::string& consumer) {
    const auto reader = client().Subscribe("a", "g", consumer, SUMMA_BUS_COUNT_STARTS);
    std::vector<std::string> ids;
    for (const summa_bus_delivery& delivery : reader->Poll(100, microseconds(0))) {
      std::uint8_t held = 0;
      if (ids.empty() && delivery.recovered != 0) {
        reader->Renew({&delivery.delivery_id, 1}, SUMMA_BUS_START_BEGINS, {&held, 1});
      }
      ids.emplace_back(FromAbi(delivery.message.id));
    }
    return ids;
  }

  testkit::ManualClock clock_;
  testkit::MemoryBus bus_;  // claim_after is kClaimAfter
  detail::BusTable table_{&bus_};
  summa_bus_v1 watched_;
  RecordedEvents recorded_;
  Notes handled_;
};

TEST_F(ConsumerClock, AMessageThatFailedIsTriedAgainWhenItsPauseIsOverAndNotBefore) {
  Publish("1", "k");
  Publish("2", "k");
  Publish("x", "other");
  std::atomic<int> attempts{0};
  const Consumer consumer(client(), Options([&](const ConsumedMessage& message) {
                            if (message.id == "1" && ++attempts == 1) {
                              throw std::runtime_error("not yet");
                            }
                            handled_.Add(message.id);
                          }));
  EXPECT_TRUE(BecomesTrue([&] { return attempts > 0 && handled_.size() > 0; }));
  ASSERT_TRUE(clock_.AwaitWaiters(1));
  EXPECT_THAT(handled_.all(), ElementsAre("x"));
  EXPECT_EQ(attempts, 1);
  clock_.Advance(seconds(5));
  EXPECT_TRUE(BecomesTrue([&] { return handled_.size() == 3; }));
  EXPECT_THAT(handled_.all(), ElementsAre("x", "1", "2"));
}

TEST_F(ConsumerClock, EachPauseIsAtMostTwiceTheOneBeforeUpToTheCap) {
  Publish("poison", "k");
  std::atomic<int> attempts{0};
  SubscribeOptions options = Options([&](const ConsumedMessage&) {
    ++attempts;
    throw std::runtime_error("no");
  });
  options.retry_base = seconds(1);
  options.retry_cap = seconds(4);
  options.max_retries = 6;
  const Consumer consumer(client(), options);
  int expected = 1;
  for (const int pause : {1, 2, 4, 4, 4}) {
    ASSERT_TRUE(BecomesTrue([&] { return attempts >= expected; })) << "attempt " << expected;
    ASSERT_TRUE(clock_.AwaitWaiters(1));
    EXPECT_EQ(attempts, expected) << "an attempt without a pause";
    clock_.Advance(seconds(pause));
    ++expected;
  }
  EXPECT_TRUE(BecomesTrue([&] { return bus_.StoredDeadLetters().size() == 1; }));
  EXPECT_EQ(attempts, 6);
}

TEST_F(ConsumerClock, ATopicWhoseHandlersMissSomethingWaitsAndNoAttemptIsCounted) {
  Publish("1", "k1");
  Publish("2", "k2");
  Publish("3", "k3");
  std::atomic<bool> away{true};
  const Consumer consumer(client(), Options([&](const ConsumedMessage& message) {
                            if (away) throw Error(SUMMA_E_UNAVAILABLE, "", "away");
                            EXPECT_EQ(message.deliveries, 1) << message.id;
                            handled_.Add(message.id);
                          }));
  EXPECT_TRUE(BecomesTrue([&] { return recorded_.away.size() == 2; }));
  ASSERT_TRUE(clock_.AwaitWaiters(1));
  EXPECT_EQ(recorded_.away.size(), 2U) << "the third message waits with its topic";
  away = false;
  clock_.Advance(seconds(5));
  EXPECT_TRUE(BecomesTrue([&] { return handled_.size() == 3; }));
}

TEST_F(ConsumerClock, WhatWaitsIsRenewedAndAHandlerPastItsDeadlineIsToldOnceAndIsNot) {
  Publish("slow", "k");
  Publish("behind", "k");
  Gate gate;
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    EXPECT_EQ(message.deadline, clock_.Now() + seconds(12));
    if (message.id == "slow") gate.Pass();
    handled_.Add(message.id);
  });
  options.handler_deadline = seconds(12);
  Notes renewed;
  before.renew = [&](std::size_t count, std::int32_t) {
    renewed.Add(std::to_string(count));
    return true;
  };
  const Consumer consumer(client(), options);
  gate.AwaitArrival();
  for (const std::size_t times : {1U, 2U, 3U}) {
    EXPECT_EQ(renewed.size(), times - 1);
    EXPECT_EQ(recorded_.overdue.size(), times > 2 ? 1U : 0U);
    clock_.Advance(kClaimAfter / 3);
    ASSERT_TRUE(BecomesTrue([&] { return renewed.size() == times; }));
  }
  EXPECT_THAT(renewed.all(), ElementsAre("2", "1", "1"));
  EXPECT_THAT(recorded_.overdue.all(), ElementsAre("slow"));
  gate.Open();
  EXPECT_TRUE(BecomesTrue([&] { return handled_.size() >= 2; }));
}

TEST_F(ConsumerClock, WhatADeadReaderHadIsTakenOverAfterClaimAfterAndASuspectRunsAlone) {
  Publish("suspect", "k");
  Publish("other", "o");
  EXPECT_THAT(BeginAndVanish("dead"), ElementsAre("suspect", "other"));
  EXPECT_THAT(BeginAndVanish("dead"), ElementsAre("suspect", "other"));
  Gate gate;
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    if (message.id == "suspect") gate.Pass();
    handled_.Add(message.id);
  });
  options.concurrency = 2;
  std::atomic<int> polls{0};
  before.poll = [&] {
    ++polls;
    return true;
  };
  const Consumer consumer(client(), options);
  clock_.Advance(kClaimAfter - microseconds(1));
  const int seen = polls;
  EXPECT_TRUE(BecomesTrue([&] { return polls > seen + 1; }));
  EXPECT_EQ(consumer.held_messages(), 0U) << "the dead reader may come back";
  clock_.Advance(microseconds(1));
  gate.AwaitArrival();
  ASSERT_TRUE(clock_.AwaitWaiters(1));
  EXPECT_EQ(consumer.held_messages(), 2U);
  EXPECT_THAT(handled_.all(), IsEmpty()) << "nothing runs beside a suspect";
  gate.Open();
  EXPECT_TRUE(BecomesTrue([&] { return handled_.size() == 2; }));
  EXPECT_THAT(handled_.all(), ElementsAre("suspect", "other"));
}

// A bus without capabilities that says of every message that it was delivered before.
std::vector<summa_bus_delivery> delivered_before;
summa_bus_v1 RecoveringCore(const summa_bus_v1& table) {
  summa_bus_v1 recovering = Watched(table);
  recovering.poll = [](summa_bus_subscription* subscription, std::size_t max, std::int64_t wait,
                       const summa_bus_delivery** deliveries, std::size_t* count,
                       summa_error* error) -> std::int32_t {
    const std::int32_t status = behind.poll(subscription, max, wait, deliveries, count, error);
    delivered_before.assign(*deliveries, *deliveries + *count);
    for (summa_bus_delivery& delivery : delivered_before) delivery.recovered = 1;
    *deliveries = delivered_before.data();
    return status;
  };
  return recovering;
}

class ConsumerOfCore : public ConsumerClock {
 protected:
  void Publish(const std::string& id, const std::string& key, const std::string& payload = "") {
    summa_bus_message message{};
    message.stream = ToAbi("a");
    message.id = ToAbi(id);
    message.key = ToAbi(key);
    message.payload = ToAbi(payload);
    summa_bus_receipt receipt{};
    core_.Publish({&message, 1}, {&receipt, 1});
    ASSERT_EQ(receipt.outcome, SUMMA_BUS_CONFIRMED);
  }
  std::size_t Letters() {
    std::size_t letters = 0;
    BusClient(table_.table()).DeadLetters("a", "", [&](const summa_bus_dead_letter&) {
      ++letters;
      return true;
    });
    return letters;
  }
  testkit::MemoryBus core_{testkit::MemoryBus::kCore};
  detail::BusTable table_{&core_};
};

TEST_F(ConsumerOfCore, AMessageThatWasDeliveredBeforeHasAllItsAttempts) {
  const summa_bus_v1 recovering = RecoveringCore(*table_.table());
  Publish("poison", "k");
  std::atomic<int> attempts{0};
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    EXPECT_EQ(message.deliveries, ++attempts);
    throw std::runtime_error("no");
  });
  options.retry_base = options.retry_cap = microseconds(0);
  const Consumer consumer(BusClient(&recovering), options);
  EXPECT_TRUE(BecomesTrue([&] { return Letters() == 1; }));
  EXPECT_EQ(attempts, 3);
}

TEST_F(ConsumerOfCore, AConsumerThatFollowsKnowsTheAttemptsAndWhatIsHandled) {
  Publish("poison", "k");
  Publish("behind", "k2");
  Publish("as well", "k3");
  DeliveryMemory memory;
  std::atomic<int> attempts{0};
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    if (message.id != "poison") return handled_.Add(message.id);
    EXPECT_EQ(message.deliveries, ++attempts);
    throw std::runtime_error("no");
  });
  options.memory = &memory;
  for (const int call : {1, 2, 3}) {
    const Consumer consumer(BusClient(table_.table()), options);
    EXPECT_TRUE(BecomesTrue([&] { return attempts == call && handled_.size() == 2; }));
  }
  EXPECT_EQ(Letters(), 1U);
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(handled_.size(), 2U) << "what is handled is not handled again";
  // Its lease was lost: another reader may have had the message.
  Publish("poison", "k");
  for (const int call : {1, 2}) {
    attempts = 0;
    memory.Clear();
    const Consumer consumer(BusClient(table_.table()), options);
    EXPECT_TRUE(BecomesTrue([&] { return attempts == 1; })) << call;
  }
}

TEST_F(ConsumerOfCore, ADeadLetterThatIsTooLargeNamesThePlaceOfItsMessage) {
  Publish("poison", "k", R"({"amount":1})");
  core_.decide = [](const summa_bus_message& message) {
    return FromAbi(message.stream) == "a.dlq" && message.payload.size > 2 ? SUMMA_BUS_REFUSED
                                                                          : SUMMA_BUS_CONFIRMED;
  };
  SubscribeOptions options =
      Options([&](const ConsumedMessage&) { throw std::runtime_error("no"); });
  options.max_retries = 1;
  const BusClient bus(table_.table());
  {
    const Consumer consumer(bus, options);
    EXPECT_TRUE(BecomesTrue([&] { return Letters() == 1; }));
    EXPECT_THAT(consumer.Failing(), IsEmpty());
  }
  std::vector<std::string> ids, payloads;
  const auto list = [&] {
    ids.clear();
    payloads.clear();
    bus.DeadLetters("a", "", [&](const summa_bus_dead_letter& letter) {
      EXPECT_EQ(FromAbi(letter.error), "no");
      ids.emplace_back(FromAbi(letter.dead_letter_id));
      payloads.emplace_back(FromAbi(letter.message.payload));
      return true;
    });
  };
  list();
  EXPECT_THAT(payloads, ElementsAre(R"({"amount":1})")) << "it is read from the topic";
  core_.Remove([](const testkit::StoredMessage& message) { return message.stream == "a"; });
  list();
  ASSERT_EQ(ids.size(), 1U);
  const summa_str id = ToAbi(ids[0]);
  EXPECT_THROW(bus.Redrive("a", {&id, 1}), Error) << "the payload is gone";
  EXPECT_EQ(bus.Discard("a", {&id, 1}), 1U);
}

TEST_F(ConsumerOfCore, ALetterWithoutItsPayloadIsRedrivenWithIt) {
  Publish("poison", "k", R"({"amount":1})");
  core_.decide = [](const summa_bus_message& message) {
    return FromAbi(message.stream) == "a.dlq" && message.payload.size > 2 ? SUMMA_BUS_REFUSED
                                                                          : SUMMA_BUS_CONFIRMED;
  };
  const BusClient bus(table_.table());
  std::string id;
  {
    SubscribeOptions options =
        Options([&](const ConsumedMessage&) { throw std::runtime_error("no"); });
    options.max_retries = 1;
    const Consumer consumer(bus, options);
    EXPECT_TRUE(BecomesTrue([&] { return Letters() == 1; }));
  }
  bus.DeadLetters("a", "", [&](const summa_bus_dead_letter& letter) {
    id = FromAbi(letter.dead_letter_id);
    return true;
  });
  const summa_str abi_id = ToAbi(id);
  EXPECT_EQ(bus.Redrive("a", {&abi_id, 1}), 1U);
  std::vector<std::string> payloads;
  for (const testkit::StoredMessage& message : core_.Stored()) {
    if (message.stream == "a") payloads.push_back(message.payload);
  }
  EXPECT_THAT(payloads, ElementsAre(R"({"amount":1})", R"({"amount":1})"));
}

TEST_F(ConsumerOfCore, ADeadLetterThatIsRefusedAltogetherIsNamedAndHoldsItsKeyAlone) {
  Publish("poison", "k");
  Publish("more poison", "k2");
  Publish("good", "k3");
  std::atomic<bool> refuse{true};
  core_.decide = [&](const summa_bus_message& message) {
    return refuse && FromAbi(message.stream) == "a.dlq" ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
  };
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    if (message.id.ends_with("poison")) throw std::runtime_error("no");
    handled_.Add(message.id);
  });
  options.max_retries = 1;
  const Consumer consumer(BusClient(table_.table()), options);
  EXPECT_TRUE(BecomesTrue([&] { return consumer.Failing().size() == 2; }));
  EXPECT_TRUE(BecomesTrue([&] { return handled_.size() == 1; })) << "the topic goes on";
  for (const Finding& finding : consumer.Failing()) {
    EXPECT_EQ(finding.severity, Severity::kError);
    EXPECT_THAT(finding.found, testing::HasSubstr("its dead letter is refused"));
  }
  refuse = false;
  ASSERT_TRUE(clock_.AwaitWaiters(1));
  clock_.Advance(seconds(5));
  EXPECT_TRUE(BecomesTrue([&] { return Letters() == 2; }));
  EXPECT_TRUE(BecomesTrue([&] { return consumer.Failing().empty(); }));
}

TEST_F(ConsumerOfCore, ATopicWhoseDeadLettersCanHaveNoStreamIsRefused) {
  SubscribeOptions options = Options([](const ConsumedMessage&) {});
  options.topics = {std::string(196, 'x')};
  { const Consumer consumer(BusClient(table_.table()), options); }
  options.topics = {std::string(197, 'x')};
  try {
    const Consumer consumer(BusClient(table_.table()), options);
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), SUMMA_E_CONFIG);
    EXPECT_EQ(error.code(), "SH-0632");
  }
  const Consumer consumer(client(), options);  // the dead letters are the bus's own
}

// A bus whose polls are changed by the test: it may repeat deliveries, or make them unreadable.
std::function<void(std::vector<summa_bus_delivery>&)> change_deliveries;
summa_bus_v1 ChangedCore(const summa_bus_v1& table) {
  summa_bus_v1 changed = Watched(table);
  changed.poll = [](summa_bus_subscription* subscription, std::size_t max, std::int64_t wait,
                    const summa_bus_delivery** deliveries, std::size_t* count,
                    summa_error* error) -> std::int32_t {
    const std::int32_t status = behind.poll(subscription, max, wait, deliveries, count, error);
    delivered_before.assign(*deliveries, *deliveries + *count);
    change_deliveries(delivered_before);
    *deliveries = delivered_before.data();
    *count = delivered_before.size();
    return status;
  };
  return changed;
}

// A key of this partition of the bus in memory.
std::string KeyOf(std::size_t partition) {
  for (int i = 0;; ++i) {
    std::string key = "key" + std::to_string(i);
    if (std::hash<std::string>()(key) % 2 == partition) return key;
  }
}

TEST_F(ConsumerOfCore, WhatIsDeliveredAgainWithinASubscriptionIsHandledOnce) {
  Publish("1", "k");
  Publish("2", "k");
  const summa_bus_v1 repeating = ChangedCore(*table_.table());
  change_deliveries = [](std::vector<summa_bus_delivery>& deliveries) {
    const std::vector<summa_bus_delivery> once = deliveries;
    deliveries.insert(deliveries.end(), once.begin(), once.end());
  };
  const Consumer consumer(BusClient(&repeating), Options([&](const ConsumedMessage& message) {
                            handled_.Add(message.id);
                          }));
  EXPECT_TRUE(BecomesTrue([&] { return handled_.size() >= 2 && consumer.CaughtUp(); }));
  EXPECT_THAT(handled_.all(), ElementsAre("1", "2"));
}

TEST_F(ConsumerOfCore, WhatWasDeliveredAndCouldNotBeKeptIsDeliveredAgain) {
  Publish("1", "k");
  const summa_bus_v1 table = ChangedCore(*table_.table());
  std::atomic<bool> broken{true};
  change_deliveries = [&](std::vector<summa_bus_delivery>& deliveries) {
    if (deliveries.empty() || !broken.exchange(false)) return;
    deliveries[0].message.payload.size = SIZE_MAX - 1000;  // no text has room for it
  };
  const Consumer consumer(BusClient(&table), Options([&](const ConsumedMessage& message) {
                            handled_.Add(message.id);
                          }));
  ASSERT_TRUE(BecomesTrue([&] { return recorded_.away.size() == 1; }));
  Publish("2", "k");
  // The thread that fetches, and the one that handles.
  ASSERT_TRUE(clock_.AwaitWaiters(2));
  clock_.Advance(seconds(5) + milliseconds(1));
  EXPECT_TRUE(BecomesTrue([&] { return handled_.size() == 2; }));
  EXPECT_THAT(handled_.all(), ElementsAre("1", "2"));
}

TEST_F(ConsumerOfCore, APartitionThatCannotBeSettledHoldsNoOther) {
  Publish("1", KeyOf(0));
  Publish("2", KeyOf(1));
  const summa_bus_v1 table = Watched(*table_.table());
  Notes settles;
  before.settle = [&](std::string_view id) {
    settles.Add(id);
    return id != "1" || settles.size() > 2;
  };
  const Consumer consumer(BusClient(&table), Options([](const ConsumedMessage&) {}));
  EXPECT_TRUE(BecomesTrue([&] { return settles.size() == 2; }));
  for (int i = 0; i < 3 && settles.size() < 3; ++i) {
    ASSERT_TRUE(clock_.AwaitWaiters(1));
    clock_.Advance(milliseconds(50));
  }
  EXPECT_TRUE(BecomesTrue([&] { return consumer.CaughtUp(); }));
  EXPECT_THAT(settles.all(), ElementsAre("1", "2", "1"));
}

TEST_F(ConsumerOfCore, WhatIsHeldOfALostPartitionIsNeitherGivenUpNorSettled) {
  for (const char* id : {"1", "2", "3"}) Publish(id, KeyOf(1));
  Publish("stays", KeyOf(0));
  const summa_bus_v1 table = Watched(*table_.table());
  std::atomic<int> polls{0};
  before.poll = [&] {
    ++polls;
    return true;
  };
  Gate gate;
  std::atomic<bool> first{true};
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    if (first.exchange(false)) {
      gate.Pass();
      throw std::runtime_error("no");
    }
    handled_.Add(message.id);
  });
  options.max_retries = 1;
  const Consumer consumer(BusClient(&table), options);
  gate.AwaitArrival();
  {
    const auto other = BusClient(table_.table()).Subscribe("a", "g", "other");
    const int seen = polls;
    EXPECT_TRUE(BecomesTrue([&] { return polls > seen + 2; })) << "it asks what it lost";
    gate.Open();
    EXPECT_TRUE(BecomesTrue([&] { return handled_.size() == 1; }));
    EXPECT_THAT(handled_.all(), ElementsAre("stays"));
    EXPECT_EQ(Letters(), 0U);
    std::vector<std::string> given;
    for (const auto& delivery : other->Poll(10, microseconds(0))) {
      given.emplace_back(FromAbi(delivery.message.id));
    }
    EXPECT_THAT(given, ElementsAre("1", "2", "3"));
  }
  EXPECT_TRUE(BecomesTrue([&] { return handled_.size() == 4; })) << "the partition comes back";
  EXPECT_THAT(handled_.all(), ElementsAre("stays", "1", "2", "3"));
  EXPECT_EQ(Letters(), 0U);
}

TEST_F(ConsumerClock, WithoutDeadLettersOfTheBusNoneIsWrittenForWhatAnotherReaderHas) {
  testkit::MemoryBus bus(testkit::MemoryBus::kAll & ~std::uint32_t{SUMMA_BUS_DEAD_LETTERS});
  const detail::BusTable table(&bus);
  const BusClient both(table.table());
  summa_bus_message message{};
  message.stream = ToAbi("a");
  message.id = message.key = ToAbi("1");
  summa_bus_receipt receipt{};
  bus.Publish({&message, 1}, {&receipt, 1});
  std::unique_ptr<SubscriptionClient> other;
  std::atomic<int> calls{0};
  SubscribeOptions options = Options([&](const ConsumedMessage&) {
    other = both.Subscribe("a", "g", "other", SUMMA_BUS_EXCLUSIVE);
    EXPECT_EQ(other->Poll(1, microseconds(0)).size(), 1U);
    ++calls;
    throw std::runtime_error("no");
  });
  options.max_retries = 1;
  const Consumer consumer(both, options);
  EXPECT_TRUE(BecomesTrue([&] { return calls == 1 && consumer.held_messages() == 0; }));
  for (const testkit::StoredMessage& stored : bus.Stored()) EXPECT_EQ(stored.stream, "a");
}

TEST_F(ConsumerClock, AMessageWhoseReadersAllDiedIsGivenUp) {
  Publish("deadly", "k");
  for (const std::string reader : {"first", "second", "third"}) {
    EXPECT_THAT(BeginAndVanish(reader), ElementsAre("deadly"));
    clock_.Advance(kClaimAfter);
  }
  const Consumer consumer(
      client(), Options([&](const ConsumedMessage& message) { handled_.Add(message.id); }));
  EXPECT_TRUE(BecomesTrue([&] { return bus_.StoredDeadLetters().size() == 1; }));
  EXPECT_THAT(bus_.StoredDeadLetters()[0].error, testing::HasSubstr("delivered 3 times"));
  EXPECT_THAT(handled_.all(), IsEmpty());
}

TEST_F(ConsumerClock, ACallbackThatDoesNotReturnIsNamedAfterFiveSeconds) {
  Publish("poison", "k");
  Gate gate;
  recorded_.on_failed = [&](const ConsumedMessage&) { gate.Pass(); };
  std::atomic<int> attempts{0};
  const Consumer consumer(client(), Options([&](const ConsumedMessage&) {
                            if (++attempts == 1) throw std::runtime_error("no");
                          }));
  gate.AwaitArrival();
  clock_.Advance(seconds(5) - microseconds(1));
  EXPECT_THAT(consumer.Failing(), IsEmpty());
  clock_.Advance(microseconds(1));
  const std::vector<Finding> failing = consumer.Failing();
  EXPECT_EQ(failing.size(), 1U);
  for (const Finding& finding : failing) {
    EXPECT_EQ(finding.found, "it has not returned for 5 s; its thread waits");
  }
  gate.Open();
}

TEST_F(ConsumerClock, DrainingEndsWhenItsTimeIsOver) {
  Publish("slow", "k");
  Gate gate;
  Consumer consumer(client(), Options([&](const ConsumedMessage&) { gate.Pass(); }));
  gate.AwaitArrival();
  auto drained = std::async(std::launch::async, [&] { return consumer.Drain(seconds(9)); });
  // Whoever drains waits, and so does the thread that fetches.
  ASSERT_TRUE(clock_.AwaitWaiters(2));
  clock_.Advance(seconds(9));
  EXPECT_FALSE(drained.get());
  auto again = std::async(std::launch::async, [&] { return consumer.Drain(hours(1)); });
  gate.Open();
  EXPECT_TRUE(again.get()) << "and at once when there is nothing left";
}

TEST_F(ConsumerClock, AnAckThatTheBusRefusedIsRepeatedAfterAPause) {
  Publish("1", "k");
  std::atomic<int> acks{0};
  before.ack = [&] { return ++acks > 1; };
  const Consumer consumer(client(), Options([](const ConsumedMessage&) {}));
  EXPECT_TRUE(BecomesTrue([&] { return acks > 0; }));
  ASSERT_TRUE(clock_.AwaitWaiters(1));
  EXPECT_EQ(acks, 1);
  EXPECT_FALSE(consumer.CaughtUp());
  clock_.Advance(milliseconds(50));
  ASSERT_TRUE(clock_.AwaitWaiters(1));
  EXPECT_EQ(acks, 1) << "first it looks for something to do";
  clock_.Advance(milliseconds(1));
  EXPECT_TRUE(BecomesTrue([&] { return consumer.CaughtUp(); }));
  EXPECT_EQ(acks, 2);
}

TEST_F(ConsumerClock, ABusThatIsAwayIsAskedAgainAfterAPause) {
  Publish("1", "k");
  std::atomic<int> polls{0};
  before.poll = [&] { return ++polls > 1; };
  const Consumer consumer(
      client(), Options([&](const ConsumedMessage& message) { handled_.Add(message.id); }));
  // The thread that fetches, and the one that handles.
  ASSERT_TRUE(BecomesTrue([&] { return polls > 0; }));
  ASSERT_TRUE(clock_.AwaitWaiters(2));
  EXPECT_EQ(polls, 1);
  EXPECT_EQ(recorded_.away.size(), 1U);
  clock_.Advance(seconds(5) + milliseconds(1));
  EXPECT_TRUE(BecomesTrue([&] { return handled_.size() == 1; }));
}

TEST_F(ConsumerClock, StartsThatNeverCameAreReturnedForTwoSecondsAtMost) {
  for (const std::string id : {"1", "2", "3"}) Publish(id, id);
  std::atomic<bool> begun{false};
  Consumer consumer(client(), Options([&](const ConsumedMessage& message) {
                      begun = true;
                      EXPECT_TRUE(BecomesTrue([&] { return message.ShouldStop(); }));
                    }));
  ASSERT_TRUE(BecomesTrue([&] { return begun && consumer.held_messages() == 3; }));
  std::atomic<int> returned{0};
  before.renew = [&](std::size_t, std::int32_t start) {
    EXPECT_EQ(start, SUMMA_BUS_START_ENDED);
    ++returned;
    clock_.Advance(seconds(2));  // a bus that is slow to answer
    return true;
  };
  consumer.Unsubscribe();
  EXPECT_EQ(returned, 1) << "of two";
}

}  // namespace
}  // namespace summa
