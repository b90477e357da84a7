// What can be read of a bus without a consumer: its messages, how far back they reach, and what was
// given up.
#include "tests/bus/backend.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::bus_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Reading : public BusContract {
 protected:
  struct Seen {
    std::vector<std::string> ids;
    std::string last_delivery_id;
    std::vector<std::int64_t> times;
  };
  static ScanOptions All(const std::string& stream) { return {stream, "", std::nullopt, 0}; }
  Seen Scan(const std::string& stream) { return Scan(All(stream)); }
  Seen Scan(const ScanOptions& options) {
    Seen seen;
    client().Scan(options, [&](const summa_bus_delivery& delivery) {
      seen.ids.emplace_back(FromAbi(delivery.message.id));
      seen.last_delivery_id = FromAbi(delivery.delivery_id);
      seen.times.push_back(delivery.entered_at_microseconds);
      return true;
    });
    return seen;
  }
  std::vector<std::string> LetterIds(const std::string& stream, const std::string& after = "") {
    std::vector<std::string> ids;
    client().DeadLetters(stream, after, [&](const summa_bus_dead_letter& letter) {
      ids.emplace_back(FromAbi(letter.message.id));
      letter_ids_.emplace_back(FromAbi(letter.dead_letter_id));
      return true;
    });
    return ids;
  }
  std::vector<std::string> letter_ids_;
};

TEST_P(Reading, AScanSeesEveryMessageOnceAndInOrderPageByPage) {
  PublishNumbers("a", 0, 2500);
  EXPECT_EQ(Scan("a").ids, Numbers(0, 2500));
  std::vector<std::string> paged;
  std::string after;
  for (;;) {
    const Seen page = Scan({"a", after, std::nullopt, 700});
    if (page.ids.empty()) break;
    paged.insert(paged.end(), page.ids.begin(), page.ids.end());
    after = page.last_delivery_id;
  }
  EXPECT_EQ(paged, Numbers(0, 2500));
}

TEST_P(Reading, AScanFromATimeLeavesOutWhatEnteredBefore) {
  NEEDS_OF_SERVER("places by time");
  PublishNumbers("a", 0, 3);
  const std::int64_t third = Scan("a").times.back();
  ASSERT_NE(third, SUMMA_BUS_NO_TIME);
  // The clock of a bus may count in milliseconds: wait until it shows a later one.
  ASSERT_TRUE(
      test::BecomesTrue([&] { return bus().Horizon("a").now_microseconds / 1000 > third / 1000; }));
  PublishNumbers("a", 3, 5);
  EXPECT_EQ(Scan({"a", "", ToBusTime(third / 1000 * 1000 + 1000), 0}).ids, Numbers(3, 5));
  EXPECT_EQ(Scan({"a", "", BusTime(), 0}).ids, Numbers(0, 5));
}

TEST_P(Reading, AScanThatBeginsWithAPlaceItselfAlsoHasATimeOrNoPlace) {
  NEEDS_OF_SERVER("places by time");
  PublishNumbers("a", 0, 3);
  std::vector<std::string> places;
  client().Scan(All("a"), [&](const summa_bus_delivery& delivery) {
    places.emplace_back(FromAbi(delivery.delivery_id));
    return true;
  });
  ASSERT_EQ(places.size(), 3U);
  const std::int64_t third = Scan("a").times.back();
  ASSERT_TRUE(
      test::BecomesTrue([&] { return bus().Horizon("a").now_microseconds / 1000 > third / 1000; }));
  PublishNumbers("a", 3, 5);
  const auto later = ToBusTime(third / 1000 * 1000 + 1000);
  EXPECT_EQ(Scan({"a", places[0], later, 0, true}).ids, Numbers(3, 5));
  EXPECT_EQ(Scan({"a", places[2], BusTime(), 0, true}).ids, Numbers(2, 5));
  EXPECT_EQ(Scan({"a", "", later, 0, true}).ids, Numbers(3, 5));
  EXPECT_EQ(Scan({"a", "", std::nullopt, 0, true}).ids, Numbers(0, 5));
  EXPECT_THAT(Scan({"none", places[0], std::nullopt, 0, true}).ids, IsEmpty());
}

TEST_P(Reading, AScanEndsWhenItsReaderHasEnough) {
  PublishNumbers("a", 0, 50);
  int seen = 0;
  client().Scan(All("a"), [&](const summa_bus_delivery&) { return ++seen < 4; });
  EXPECT_EQ(seen, 4);
  const OnDelivery fails = [](const summa_bus_delivery&) -> bool {
    throw std::runtime_error("of the reader");
  };
  EXPECT_THROW(client().Scan(All("a"), fails), std::runtime_error);
}

TEST_P(Reading, AStreamThatDoesNotExistIsEmpty) {
  NEEDS_OF_SERVER("absence of a topic");
  EXPECT_THAT(Scan("none").ids, IsEmpty());
  const summa_bus_horizon horizon = client().Horizon("none");
  EXPECT_EQ(horizon.exists, 0U);
  EXPECT_EQ(horizon.held, 0U);
  EXPECT_EQ(horizon.oldest_microseconds, SUMMA_BUS_NO_TIME);
  EXPECT_GT(horizon.now_microseconds, 0);
}

TEST_P(Reading, TheHorizonTellsHowFarBackAStreamReaches) {
  NEEDS_OF_SERVER("deletion of messages");
  PublishNumbers("a", 0, 10);
  const std::vector<std::int64_t> times = Scan("a").times;
  summa_bus_horizon horizon = client().Horizon("a");
  EXPECT_EQ(horizon.exists, 1U);
  EXPECT_EQ(horizon.held, 10U);
  EXPECT_EQ(horizon.removed, 0U);
  EXPECT_EQ(horizon.oldest_microseconds, times.front());
  EXPECT_EQ(horizon.newest_microseconds, times.back());
  EXPECT_GE(horizon.now_microseconds, times.back());

  backend_->RemoveOldest("a", 4);
  horizon = client().Horizon("a");
  EXPECT_EQ(horizon.held, 6U);
  EXPECT_EQ(horizon.removed, 4U);
  EXPECT_EQ(horizon.oldest_microseconds, times[4]);
  EXPECT_EQ(Scan("a").ids, Numbers(4, 10));
}

TEST_P(Reading, DeadLettersAreListedWithWhatHappened) {
  backend_->AddDeadLetter("a", "1", "g");
  backend_->AddDeadLetter("b", "2", "h");
  backend_->AddDeadLetter("a", "3", "g");
  EXPECT_THAT(LetterIds("a"), ElementsAre("1", "3"));
  EXPECT_THAT(LetterIds("a", letter_ids_.front()), ElementsAre("3"));
  EXPECT_THAT(LetterIds(""), ::testing::UnorderedElementsAre("1", "2", "3"));
  client().DeadLetters("b", "", [](const summa_bus_dead_letter& letter) {
    EXPECT_EQ(FromAbi(letter.message.stream), "b");
    EXPECT_EQ(FromAbi(letter.group), "h");
    EXPECT_EQ(FromAbi(letter.error), "no good");
    EXPECT_EQ(FromAbi(letter.source_id), "5-1");
    EXPECT_EQ(letter.deliveries, 3);
    EXPECT_GT(letter.died_at_microseconds, 0);
    return true;
  });
}

TEST_P(Reading, ARedrivenLetterGoesToTheTailOnceAndIsMarkedForItsGroup) {
  PublishNumbers("a", 0, 2);
  backend_->AddDeadLetter("a", "dead", "g");
  LetterIds("a");
  const std::vector<summa_str> ids = {ToAbi(letter_ids_[0])};
  EXPECT_EQ(client().Redrive("a", ids), 1U);
  EXPECT_EQ(client().Redrive("a", ids), 0U);  // it is no longer there
  EXPECT_THAT(LetterIds("a"), IsEmpty());
  EXPECT_THAT(Scan("a").ids, ElementsAre("0", "1", "dead"));
  std::string redriven;
  client().Scan(All("a"), [&](const summa_bus_delivery& delivery) {
    redriven = FromAbi(delivery.message.redriven);
    return true;
  });
  EXPECT_EQ(redriven, "g");
}

TEST_P(Reading, ADiscardedLetterIsGoneAndTheOthersStay) {
  for (const char* id : {"1", "2", "3"}) backend_->AddDeadLetter("a", id, "g");
  LetterIds("a");
  const std::vector<summa_str> ids = {ToAbi(letter_ids_[0]), ToAbi(letter_ids_[2])};
  EXPECT_EQ(client().Discard("a", ids), 2U);
  EXPECT_THAT(LetterIds("a"), ElementsAre("2"));
  EXPECT_THAT(Scan("a").ids, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Buses, Reading, ::testing::ValuesIn(BackendKinds()), BackendName);

}  // namespace
}  // namespace summa::bus_test
