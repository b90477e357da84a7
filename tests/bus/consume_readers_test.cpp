// Readers that die, freeze or follow each other. README.md lists the promises.
#include <summa/leased_consumer.hpp>
#include <summa/testkit/fake_host.hpp>

#include "tests/bus/consume_support.hpp"

namespace summa::bus_test {
namespace {

TEST_P(Consume, AHandlerThatHadToStopIsNoCrash) {
  NEEDS(SUMMA_BUS_COUNTS);
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
  NEEDS(SUMMA_BUS_CLAIMS | SUMMA_BUS_EXCLUSIVE_READERS);
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
  NEEDS(SUMMA_BUS_COUNTS | SUMMA_BUS_EXCLUSIVE_READERS);
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

// A bus that loses what is said of starts, as often as asked: the answer, or the question already.
struct Losses {
  decltype(summa_bus_v1::renew) renew = nullptr;
  std::atomic<int> answers_to_begins{0}, ends{0};
  std::function<void()> meanwhile;  // happens when an answer is lost
};
Losses losses;

summa_bus_v1 LosingBus(const summa_bus_v1& table) {
  losses.renew = table.renew;
  summa_bus_v1 losing = table;
  losing.renew = [](summa_bus_subscription* subscription, const summa_str* ids, std::size_t count,
                    std::int32_t start, std::uint8_t* held, summa_error* error) -> std::int32_t {
    if (start == SUMMA_BUS_START_ENDED && losses.ends-- > 0) return SUMMA_E_UNAVAILABLE;
    const std::int32_t status = losses.renew(subscription, ids, count, start, held, error);
    if (start != SUMMA_BUS_START_BEGINS || losses.answers_to_begins-- <= 0) return status;
    if (losses.meanwhile) losses.meanwhile();
    return SUMMA_E_UNAVAILABLE;
  };
  return losing;
}

TEST_P(Consume, AStartWhoseAnswerIsLostCountsOnce) {
  NEEDS(SUMMA_BUS_COUNTS | SUMMA_BUS_EXCLUSIVE_READERS);
  PublishNumbers("a", 0, 1);
  TakeAndVanish("c1", SUMMA_BUS_COUNT_STARTS);  // the first start
  losses.answers_to_begins = 2;
  losses.ends = 0;
  const summa_bus_v1 losing = LosingBus(*table());
  std::atomic<std::int64_t> counted{0};
  Consumer consumer(BusClient(&losing), Options([&](const ConsumedMessage& message) {
                      const auto other = client().Subscribe(
                          "a", "g", "other", SUMMA_BUS_COUNT_STARTS | SUMMA_BUS_EXCLUSIVE);
                      const auto taken = other->Poll(1, kNoWait);
                      EXPECT_EQ(taken.size(), 1U);
                      if (!taken.empty()) counted = taken[0].delivery_count;
                      record_.Handled(message);
                    }));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 1; }));
  EXPECT_EQ(counted, 2) << "and not once more for each answer that was lost";
}

TEST_P(Consume, AStartWhoseAnswerIsLostIsNotMadeWhenAnotherReaderHasTheMessage) {
  NEEDS(SUMMA_BUS_COUNTS | SUMMA_BUS_EXCLUSIVE_READERS);
  PublishNumbers("a", 0, 1);
  TakeAndVanish("c1", SUMMA_BUS_COUNT_STARTS);
  losses.answers_to_begins = 1;
  losses.ends = 0;
  std::unique_ptr<SubscriptionClient> other;
  std::atomic<bool> taken{false};
  losses.meanwhile = [&] {
    other = client().Subscribe("a", "g", "other", SUMMA_BUS_EXCLUSIVE);
    taken = other->Poll(1, kNoWait).size() == 1;
  };
  const summa_bus_v1 losing = LosingBus(*table());
  {
    Consumer consumer(BusClient(&losing), Options(Recording()));
    EXPECT_TRUE(BecomesTrue([&] { return taken && consumer.held_messages() == 0; }));
  }
  losses.meanwhile = nullptr;
  EXPECT_EQ(record_.count(), 0U);
}

TEST_P(Consume, AnEndThatTheBusDidNotHearIsToldWhenTheReaderEnds) {
  NEEDS(SUMMA_BUS_COUNTS | SUMMA_BUS_EXCLUSIVE_READERS);
  PublishNumbers("a", 0, 1);
  losses.answers_to_begins = 0;
  losses.ends = 1;
  const summa_bus_v1 losing = LosingBus(*table());
  SubscribeOptions options = Options(
      [&](const ConsumedMessage&) { throw Error(SUMMA_E_FENCED, "", "the lease is gone"); });
  options.retry_base = options.retry_cap = std::chrono::hours(1000);
  {
    const Consumer consumer(BusClient(&losing), options);
    EXPECT_TRUE(BecomesTrue([&] { return record_.away == 1; }));
  }
  const auto next =
      client().Subscribe("a", "g", "next", SUMMA_BUS_COUNT_STARTS | SUMMA_BUS_EXCLUSIVE);
  const auto taken = next->Poll(1, kNoWait);
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].delivery_count, 0) << "its handler ended in good order";
}

TEST_P(Consume, AMessageThatIsSuspectedIsAcknowledgedBeforeTheNextOneBegins) {
  NEEDS(SUMMA_BUS_COUNTS | SUMMA_BUS_EXCLUSIVE_READERS);
  PublishNumbers("a", 0, 2);
  for (int i = 0; i < 2; ++i) TakeAndVanish("c1", SUMMA_BUS_COUNT_STARTS, i > 0);
  // Of the two, the first was begun twice: it is handled alone.
  std::atomic<std::size_t> left{99};
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    if (message.id == "1") {
      const auto other = client().Subscribe("a", "g", "other", SUMMA_BUS_EXCLUSIVE);
      left = other->Poll(2, kNoWait).size();
    }
    record_.Handled(message);
  });
  options.concurrency = 1;
  Consumer consumer(client(), options);
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() >= 2; }));
  EXPECT_EQ(left, 1U) << "the one before is acknowledged";
}

TEST_P(Consume, AReaderThatDiedBetweenEffectAndAckHasItsMessagesDeliveredAgain) {
  PublishNumbers("a", 0, 5);
  EXPECT_EQ(TakeAndVanish("c1", StartsFlag()), Numbers(0, 5));
  const int deliveries = client().Can(SUMMA_BUS_COUNTS) ? 2 : 1;
  Consumer consumer(client(), Options([&](const ConsumedMessage& message) {
                      EXPECT_EQ(message.deliveries, deliveries);
                      record_.Handled(message);
                    }));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 5; }));
  EXPECT_EQ(record_.ids(), Numbers(0, 5));
}

TEST_P(Consume, AMessageThatEndsTheProcessIsGivenUpAndThoseThatOnlyWaitedAreNot) {
  NEEDS(SUMMA_BUS_COUNTS);
  PublishNumbers("a", 0, 4);
  // The reader begins the first message and dies; three times more after it was recovered.
  for (int i = 0; i < 4; ++i) TakeAndVanish("c1", SUMMA_BUS_COUNT_STARTS, i > 0);
  Consumer consumer(client(), Options(Recording()));
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 3 && record_.dead().size() == 1; }));
  EXPECT_THAT(record_.ids(), ElementsAre("1", "2", "3"));
  ASSERT_EQ(Letters().size(), 1U);
  EXPECT_EQ(Letters()[0].id, "0");
  EXPECT_THAT(Letters()[0].error, ::testing::HasSubstr("the handler never returned"));
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

TEST_P(Consume, WhatWasReadAndNeverBegunCountsNoStart) {
  PublishNumbers("a", 0, 5);
  std::atomic<bool> begun{false};
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    begun = true;
    EXPECT_TRUE(BecomesTrue([&] { return message.ShouldStop(); }));
    record_.Handled(message);
  });
  options.concurrency = 1;
  options.exclusive = true;
  {
    const Consumer consumer(client(), options);
    ASSERT_TRUE(BecomesTrue([&] { return begun && consumer.held_messages() == 5; }));
  }
  EXPECT_EQ(record_.count(), 1);
  options.handler = [&](const ConsumedMessage& message) {
    EXPECT_EQ(message.deliveries, 1) << message.id;
    record_.Handled(message);
  };
  const Consumer next(client(), options);
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 5; }));
}

TEST_P(Consume, TheMessagesOfAFrozenReaderGoToAnotherAndItsLateAcksDoNoHarm) {
  NEEDS(SUMMA_BUS_CLAIMS);
  Restart(milliseconds(6000));  // nothing that was handled is taken again before its ack
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
  ASSERT_TRUE(consumer.Drain(test::kTimeout));
  frozen->Ack(abi_ids);  // it wakes up
  std::vector<std::uint8_t> held(10, 1);
  frozen->Renew(abi_ids, SUMMA_BUS_START_NONE, held);
  EXPECT_THAT(held, ::testing::Each(0));  // and is told that it has nothing
  consumer.Resume();
  PublishNumbers("a", 10, 20);
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 20; }));
  EXPECT_EQ(record_.ids(), Numbers(0, 20));
}

TEST_P(Consume, WhatAReaderNoLongerHasIsNotBuried) {
  NEEDS(SUMMA_BUS_CLAIMS | SUMMA_BUS_EXCLUSIVE_READERS | SUMMA_BUS_DEAD_LETTERS);
  PublishNumbers("a", 0, 2);
  const auto late = client().Subscribe("a", "g", "late");
  std::vector<std::string> ids;
  for (const auto& delivery : late->Poll(2, kNoWait))
    ids.emplace_back(FromAbi(delivery.delivery_id));
  ASSERT_EQ(ids.size(), 2U);
  const summa_str settled = ToAbi(ids[0]), other = ToAbi(ids[1]);
  late->Ack({&settled, 1});
  const auto next = client().Subscribe("a", "g", "next", SUMMA_BUS_EXCLUSIVE);
  ASSERT_EQ(next->Poll(2, kNoWait).size(), 1U);
  late->DeadLetter(ids[0], "it was acknowledged");
  late->DeadLetter(ids[1], "another reader has it");
  EXPECT_THAT(Letters(), IsEmpty());
  std::uint8_t held = 0;
  next->Renew({&other, 1}, SUMMA_BUS_START_NONE, {&held, 1});
  EXPECT_EQ(held, 1) << "it was taken from the reader that has it";
  next->DeadLetter(ids[1], "bad");
  ASSERT_EQ(Letters().size(), 1U);
  EXPECT_EQ(Letters()[0].id, "1");
  EXPECT_EQ(Letters()[0].error, "bad");
}

// What another reader, which polls for more than claim_after, takes while a handler is held.
std::vector<std::string> TakenByAnother(BusClient client, SubscribeOptions options) {
  const auto start = std::chrono::steady_clock::now();
  Gate gate;
  std::atomic<int> handled{0};
  options.handler = [&](const ConsumedMessage& message) {
    if (message.id == "0") gate.Pass();
    ++handled;
  };
  options.handler_deadline = milliseconds(2000);
  Consumer consumer(client, options);
  EXPECT_TRUE(BecomesTrue([&] { return gate.waiting() == 1; }));
  const auto other = client.Subscribe("a", "g", "other");
  std::vector<std::string> taken;
  while (std::chrono::steady_clock::now() - start < milliseconds(6000)) {
    for (const auto& delivery : other->Poll(10, milliseconds(50))) {
      taken.emplace_back(FromAbi(delivery.message.id));
    }
  }
  gate.Open();
  EXPECT_TRUE(BecomesTrue([&] { return handled + taken.size() >= 2; }));
  return taken;
}

TEST_P(Consume, AMessageThatIsHandledLongerThanClaimAfterStaysOursWhileItsReaderLives) {
  NEEDS(SUMMA_BUS_CLAIMS);
  // A reader that gets no time for 1.6 s is rightly taken for dead; one that never renews always
  // is.
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    Restart(milliseconds(2400));
    PublishNumbers("a", 0, 1);
    Messages().Add("a", "waits", "k").Publish(bus());
    const std::vector<std::string> taken = TakenByAnother(client(), Options(nullptr));
    if (std::find(taken.begin(), taken.end(), "waits") == taken.end()) return;
  }
  FAIL() << "what waited behind the handler was taken in every round";
}

TEST_P(Consume, AnExclusiveReaderTakesOverAtOnceAndInOrder) {
  NEEDS(SUMMA_BUS_EXCLUSIVE_READERS);
  PublishNumbers("a", 0, 5);
  EXPECT_EQ(TakeAndVanish("dead"), Numbers(0, 5));
  PublishNumbers("a", 5, 10);
  SubscribeOptions options = Options(Recording());
  options.exclusive = true;
  Consumer consumer(client(), options);
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 10; }));
  EXPECT_EQ(record_.ids(), Numbers(0, 10));
}

// A worker whose call ends with the first failure of the poison.
class OneFailureForEachCall final : public LeasedConsumer {
 public:
  OneFailureForEachCall(Host host, SubscribeOptions options, Record& record)
      : LeasedConsumer(host, std::move(options)), record_(record) {}
  void Call() {
    testkit::FakeTick tick(nullptr);
    tick_ = &tick;
    Run(Tick(tick.abi()));
  }
  std::atomic<int> attempts{0};

 private:
  void Handle(const LeasedMessage& message) override {
    if (message.id != "poison") return record_.Handled(message);
    EXPECT_EQ(message.deliveries, ++attempts);
    EXPECT_TRUE(BecomesTrue([&] { return record_.count() >= 20; }));
    tick_->Stop();
    throw std::runtime_error("no");
  }
  Record& record_;
  testkit::FakeTick* tick_ = nullptr;
};

TEST_P(Consume, ALeasedConsumerKnowsFromCallToCallWhatItTriedAndHandled) {
  Messages messages;
  messages.Add("a", "poison", "poison");
  for (int i = 0; i < 20; ++i) messages.Add("a", std::to_string(i), "key" + std::to_string(i));
  messages.Publish(bus());
  testkit::FakeHost host;
  host.AddService(SUMMA_BUS_V1, "bus", table());
  SubscribeOptions options = Options(nullptr);
  options.retry_base = options.retry_cap = std::chrono::hours(1000);
  OneFailureForEachCall worker(host.host(), options, record_);
  for (const int call : {1, 2, 3}) {
    worker.Call();
    EXPECT_EQ(worker.attempts, call);
  }
  EXPECT_THAT(record_.dead(), ElementsAre("poison"));
  ASSERT_EQ(Letters().size(), 1U);
  EXPECT_EQ(Letters()[0].deliveries, 3);
  EXPECT_EQ(record_.count(), 20U) << "what was handled in the first call came again";
}

}  // namespace
}  // namespace summa::bus_test
