// Where a group is: settling, setting it back, and what is told of it. The core of every bus.
#include "tests/bus/consume_support.hpp"

namespace summa::bus_test {
namespace {

class Place : public Consume {
 protected:
  // Reads so many messages as "c1" and settles the first ones of them.
  std::vector<std::string> ReadAndSettle(std::size_t read, std::size_t settled) {
    const auto reader = client().Subscribe("a", "g", "c1");
    std::vector<std::string> ids;
    while (ids.size() < read) {
      const auto deliveries = reader->Poll(read - ids.size(), std::chrono::seconds(30));
      if (deliveries.empty()) break;
      for (const auto& delivery : deliveries) ids.emplace_back(FromAbi(delivery.delivery_id));
    }
    if (settled > 0 && ids.size() >= settled) reader->Settle(ids[settled - 1]);
    return ids;
  }
  std::vector<summa_bus_group> Groups(const std::string& stream) {
    struct Seen final : BusVisitor {
      bool Group(const summa_bus_group& group) override {
        groups.push_back(group);
        names.emplace_back(FromAbi(group.name));
        return true;
      }
      std::vector<summa_bus_group> groups;
      std::deque<std::string> names;
    } seen;
    client().Groups(stream, seen);
    names_ = std::move(seen.names);
    for (std::size_t i = 0; i < names_.size(); ++i) seen.groups[i].name = ToAbi(names_[i]);
    return seen.groups;
  }
  int StatusOf(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.status();
    }
    return SUMMA_OK;
  }
  std::deque<std::string> names_;
};

TEST_P(Place, SettlingAPlaceSettlesWhatIsBeforeItAndNothingBehind) {
  PublishNumbers("a", 0, 10);
  EXPECT_EQ(ReadAndSettle(8, 5).size(), 8U);
  EXPECT_EQ(TakeAndVanish("c1"), Numbers(5, 10));
}

TEST_P(Place, AGroupTellsHowMuchItWasNotGiven) {
  NEEDS_OF_SERVER("listing of groups");
  PublishNumbers("a", 0, 5);
  ReadAndSettle(5, 5);
  ASSERT_EQ(Groups("a").size(), 1U);
  EXPECT_EQ(FromAbi(Groups("a")[0].name), "g");
  EXPECT_EQ(Groups("a")[0].lag, 0);
  PublishNumbers("a", 5, 8);
  EXPECT_EQ(Groups("a")[0].lag, 3);
  EXPECT_LE(Groups("a")[0].pending, 0);
  EXPECT_EQ(Groups("").size(), 1U);
  EXPECT_EQ(StatusOf([&] { Groups("none"); }), SUMMA_E_NOT_FOUND);
}

TEST_P(Place, AGroupThatIsSetBackIsGivenItAgainFromThereOn) {
  NEEDS_OF_SERVER("setting of places");
  PublishNumbers("a", 0, 6);
  const std::vector<std::string> ids = ReadAndSettle(6, 6);
  ASSERT_EQ(ids.size(), 6U);
  client().Seek("a", "g", ids[3]);
  EXPECT_EQ(TakeAndVanish("c1"), Numbers(4, 6));
  client().Seek("a", "g", "0");
  EXPECT_EQ(TakeAndVanish("c2"), Numbers(0, 6));
  EXPECT_EQ(StatusOf([&] { client().Seek("a", "none", "0"); }), SUMMA_E_NOT_FOUND);
}

TEST_P(Place, AGroupIsMadeWhereItIsToldAndDeleted) {
  NEEDS_OF_SERVER("listing of groups");
  PublishNumbers("a", 0, 3);
  client().CreateGroup("a", "g", "$");
  PublishNumbers("a", 3, 5);
  EXPECT_EQ(TakeAndVanish("c1"), Numbers(3, 5));
  client().DeleteGroup("a", "g");
  EXPECT_THAT(Groups("a"), IsEmpty());
  EXPECT_EQ(StatusOf([&] { client().DeleteGroup("a", "g"); }), SUMMA_E_NOT_FOUND);
}

TEST_P(Place, EveryStreamIsListedWithWhatItHolds) {
  NEEDS_OF_SERVER("absence of a topic");
  PublishNumbers("a", 0, 3);
  PublishNumbers("b", 0, 1);
  struct Seen final : BusVisitor {
    bool Stream(const summa_bus_stream& stream) override {
      messages[std::string(FromAbi(stream.name))] = stream.messages;
      return !enough;
    }
    std::map<std::string, std::int64_t> messages;
    bool enough = false;
  } seen;
  client().Streams("", seen);
  EXPECT_THAT(seen.messages, ElementsAre(::testing::Pair("a", 3), ::testing::Pair("b", 1)));
  seen.messages.clear();
  seen.enough = true;
  client().Streams("", seen);
  EXPECT_EQ(seen.messages.size(), 1U);
  EXPECT_EQ(StatusOf([&] { client().Streams("none", seen); }), SUMMA_E_NOT_FOUND);
}

TEST_P(Place, AScanMayBeginWithAPlaceItself) {
  PublishNumbers("a", 0, 4);
  const std::vector<std::string> ids = ReadAndSettle(4, 0);
  ASSERT_EQ(ids.size(), 4U);
  std::vector<std::string> seen;
  client().Scan({"a", ids[1], std::nullopt, 2, true}, [&](const summa_bus_delivery& delivery) {
    seen.emplace_back(FromAbi(delivery.message.id));
    return true;
  });
  EXPECT_EQ(seen, Numbers(1, 3));
}

void PublishWithNote(Bus& bus, std::string_view note) {
  summa_bus_message message{};
  message.stream = ToAbi("a");
  message.id = message.type = message.key = ToAbi("1");
  message.payload = ToAbi("{}");
  message.timestamp = ToAbi("2026-01-31T12:00:00.123456Z");
  message.position = SUMMA_BUS_NO_POSITION;
  message.note = ToAbi(note);
  summa_bus_receipt receipt{};
  bus.Publish({&message, 1}, {&receipt, 1});
  ASSERT_EQ(receipt.outcome, SUMMA_BUS_CONFIRMED);
}

TEST_P(Place, ANoteIsCarriedWithItsMessage) {
  PublishWithNote(bus(), "a note");
  const auto reader = client().Subscribe("a", "g", "c1");
  const auto deliveries = reader->Poll(1, std::chrono::seconds(30));
  ASSERT_EQ(deliveries.size(), 1U);
  EXPECT_EQ(FromAbi(deliveries[0].message.note), "a note");
}

// A character of one byte, then `count` of two.
std::string Error(int count) {
  std::string error = "x";
  for (int i = 0; i < count; ++i) error += "\u00e9";
  return error;
}

TEST_P(Place, ADeadLetterKeepsTheNoteOfItsMessageAndNotMoreThanAThousandBytesOfItsError) {
  PublishWithNote(bus(), "letter 1 a note");
  SubscribeOptions options = Options([](const ConsumedMessage& given) {
    EXPECT_EQ(given.note, "letter 1 a note");
    throw std::runtime_error(Error(2500));
  });
  options.max_retries = 1;
  const Consumer consumer(client(), options);
  std::string id, note;
  EXPECT_TRUE(BecomesTrue([&] {
    client().DeadLetters("a", "", [&](const summa_bus_dead_letter& letter) {
      id = FromAbi(letter.dead_letter_id);
      note = FromAbi(letter.message.note);
      return true;
    });
    return !id.empty();
  }));
  EXPECT_EQ(note, "letter 1 a note");
  ASSERT_EQ(Letters().size(), 1U);
  EXPECT_EQ(Letters()[0].error, Error(499));  // 999 bytes: half a character is none
  const summa_str abi_id = ToAbi(id);
  ASSERT_EQ(client().Redrive("a", {&abi_id, 1}), 1U);
  std::vector<std::string> notes;
  client().Scan({"a", "", std::nullopt, 0}, [&](const summa_bus_delivery& delivery) {
    notes.emplace_back(FromAbi(delivery.message.note));
    return true;
  });
  EXPECT_THAT(notes, ElementsAre("letter 1 a note", "letter 1 a note"));
}

TEST_P(Place, AReaderThatLosesAPartitionIsToldAndSettlesNothingOfIt) {
  Messages messages;
  for (int i = 0; i < 40; ++i) messages.Add("a", std::to_string(i), "key" + std::to_string(i));
  messages.Publish(bus());
  const auto first = client().Subscribe("a", "g", "c1");
  std::map<std::uint32_t, std::vector<std::pair<std::string, std::string>>> given;
  for (std::size_t count = 0; count < 40;) {
    const auto deliveries = first->Poll(40, std::chrono::seconds(30));
    ASSERT_FALSE(deliveries.empty());
    for (const auto& delivery : deliveries) {
      given[delivery.partition].emplace_back(FromAbi(delivery.delivery_id),
                                             FromAbi(delivery.message.id));
    }
    count += deliveries.size();
  }
  EXPECT_THAT(first->Revoked(), IsEmpty());
  if (client().Can(SUMMA_BUS_CLAIMS)) return;  // renew() tells what another reader has
  const auto second = client().Subscribe("a", "g", "c2");
  std::vector<std::uint32_t> lost;
  EXPECT_TRUE(BecomesTrue([&] {
    const auto revoked = first->Revoked();
    lost.insert(lost.end(), revoked.begin(), revoked.end());
    EXPECT_THAT(first->Poll(40, kNoWait), IsEmpty());
    return !lost.empty();
  }));
  EXPECT_THAT(first->Revoked(), IsEmpty()) << "it is named once";
  std::vector<std::string> expected;
  for (const std::uint32_t partition : lost) {
    first->Settle(given.at(partition).back().first);
    for (const auto& [delivery_id, id] : given.at(partition)) expected.push_back(id);
  }
  std::vector<std::string> taken;
  EXPECT_TRUE(BecomesTrue([&] {
    for (const auto& delivery : second->Poll(40, kNoWait)) {
      taken.emplace_back(FromAbi(delivery.message.id));
    }
    return taken.size() >= expected.size();
  }));
  EXPECT_THAT(taken, ::testing::UnorderedElementsAreArray(expected));
}

TEST_P(Place, MoreThanMaxMessagesBehindOneThatTakesLongAreAllHandledAndSettled) {
  Messages messages;
  messages.Add("a", "slow", "slow");
  for (int i = 0; i < 300; ++i) messages.Add("a", std::to_string(i), "key" + std::to_string(i));
  messages.Publish(bus());
  Gate gate;
  SubscribeOptions options = Options([&](const ConsumedMessage& message) {
    if (message.id == "slow") gate.Pass();
    record_.Handled(message);
  });
  options.max_messages = 50;
  Consumer consumer(client(), options);
  EXPECT_TRUE(BecomesTrue([&] { return gate.waiting() == 1 && record_.count() >= 40; }));
  gate.Open();
  EXPECT_TRUE(BecomesTrue([&] { return record_.count() >= 301; }));
  EXPECT_TRUE(consumer.Drain(test::kTimeout));
  consumer.Unsubscribe();
  EXPECT_EQ(record_.count(), 301U);
  EXPECT_THAT(TakeAndVanish("c1"), IsEmpty());
}

// NEEDS(...) in a case must not hide that a bus lost a capability.
TEST_P(Place, ABusHasExactlyItsCapabilities) {
  const std::map<std::string, std::uint32_t> capabilities = {
      {"Memory",
       SUMMA_BUS_CLAIMS | SUMMA_BUS_COUNTS | SUMMA_BUS_EXCLUSIVE_READERS | SUMMA_BUS_DEAD_LETTERS},
      {"MemoryCore", 0},
      {"Kafka", 0},
      {"KafkaMock", 0},
      {"Redis", SUMMA_BUS_CLAIMS | SUMMA_BUS_COUNTS | SUMMA_BUS_EXCLUSIVE_READERS |
                    SUMMA_BUS_DEAD_LETTERS | SUMMA_BUS_TRIM},
      {"RedisCluster", SUMMA_BUS_CLAIMS | SUMMA_BUS_COUNTS | SUMMA_BUS_EXCLUSIVE_READERS |
                           SUMMA_BUS_DEAD_LETTERS | SUMMA_BUS_TRIM}};
  EXPECT_EQ(table()->capabilities, capabilities.at(GetParam().name));
}

TEST_P(Place, WhatABusCannotDoIsRefused) {
  PublishNumbers("a", 0, 1);
  BusVisitor nobody;
  if (!client().Can(SUMMA_BUS_TRIM)) {
    EXPECT_EQ(StatusOf([&] { client().Trim("a", true, nobody); }), SUMMA_E_CONFIG);
  }
  const auto reader = client().Subscribe("a", "g", "c1");
  const auto deliveries = reader->Poll(1, std::chrono::seconds(30));
  ASSERT_EQ(deliveries.size(), 1U);
  const std::string id(FromAbi(deliveries[0].delivery_id));
  const summa_str abi_id = ToAbi(id);
  const int expected = client().Can(SUMMA_BUS_CLAIMS) ? SUMMA_OK : SUMMA_E_CONFIG;
  EXPECT_EQ(StatusOf([&] { reader->Ack({&abi_id, 1}); }), expected);
}

TEST_P(Place, AMessageThatTakesLongHoldsNoOtherKeyAndNothingIsLostWhenItsReaderEnds) {
  Messages messages;
  for (int i = 0; i < 40; ++i) messages.Add("a", std::to_string(i), "key" + std::to_string(i));
  messages.Publish(bus());
  {
    SubscribeOptions options = Options([&](const ConsumedMessage& message) {
      if (message.id == "5") throw std::runtime_error("not now");
      record_.Handled(message);
    });
    options.retry_base = options.retry_cap = std::chrono::hours(1000);
    const Consumer consumer(client(), options);
    EXPECT_TRUE(BecomesTrue([&] { return record_.count() == 39; }));
  }
  const std::vector<std::string> again = TakeAndVanish("c1");
  EXPECT_NE(std::find(again.begin(), again.end(), "5"), again.end());
}

INSTANTIATE_TEST_SUITE_P(Buses, Place, ::testing::ValuesIn(BackendKinds()), BackendName);

}  // namespace
}  // namespace summa::bus_test
