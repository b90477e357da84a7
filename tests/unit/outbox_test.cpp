// The parts of the outbox plugin that need no database.
#include <gtest/gtest.h>

#include <summa/testkit/memory_bus.hpp>

#include "lanes.hpp"
#include "publisher.hpp"
#include "row.hpp"

namespace summa::outbox {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Row MakeRow(unsigned char number, const std::string& topic, const std::string& key,
            std::int64_t position) {
  Row row;
  row.id[15] = number;
  row.topic = topic;
  row.key = key;
  row.payload = R"({"n":)" + std::to_string(number) + "}";
  row.position = position;
  return row;
}

std::vector<const Row*> Pointers(const std::vector<Row>& rows) {
  std::vector<const Row*> pointers;
  for (const Row& row : rows) pointers.push_back(&row);
  return pointers;
}

class PublisherTest : public testing::Test {
 protected:
  Delivery Publish(const std::vector<Row>& rows) {
    return Publisher(BusClient(table_.table()), settings_).Publish(Pointers(rows), lanes_);
  }
  std::vector<std::string> SentKeys() const {
    std::vector<std::string> keys;
    for (const auto& message : bus_.Stored()) keys.push_back(message.key);
    return keys;
  }

  testkit::MemoryBus bus_;
  summa::detail::BusTable table_{&bus_};
  Settings settings_;
  Lanes lanes_;
};

TEST(IsoTimestamp, HasMicrosecondsAndZBeforeAndAfterTheYear2000) {
  EXPECT_EQ(IsoTimestamp(0), "2000-01-01T00:00:00.000000Z");
  EXPECT_EQ(IsoTimestamp(848'617'199'999'999), "2026-11-21T22:59:59.999999Z");
  EXPECT_EQ(IsoTimestamp(-1), "1999-12-31T23:59:59.999999Z");
}

TEST(ComesBefore, GoesByPositionThenAgeAndPutsUnknownPositionsLast) {
  Row first = MakeRow(1, "t", "k", 5), second = MakeRow(2, "t", "k", 7),
      unknown = MakeRow(3, "t", "k", 0);
  first.created_at_microseconds = 100;  // younger than `second`, but earlier in the ledger
  unknown.position.reset();
  EXPECT_TRUE(ComesBefore(first, second));
  EXPECT_FALSE(ComesBefore(second, first));
  EXPECT_TRUE(ComesBefore(second, unknown));
}

TEST(Backoff, DoublesUpToTheCapWithFullJitter) {
  double random = 0.999999;
  const Backoff backoff(milliseconds(100), seconds(60), [&] { return random; });
  EXPECT_NEAR(static_cast<double>(backoff.Pause(1).count()), 100e3, 10);
  EXPECT_NEAR(static_cast<double>(backoff.Pause(2).count()), 200e3, 10);
  EXPECT_NEAR(static_cast<double>(backoff.Pause(11).count()), 60e6, 100);
  EXPECT_NEAR(static_cast<double>(backoff.Pause(1'000'000).count()), 60e6, 100);
  random = 0;
  EXPECT_EQ(backoff.Pause(5).count(), 0);
}

TEST(Lanes, LetGoWhatIsDueAndKeepWhatIsBlocked) {
  Lanes lanes;
  lanes.HoldUntil("a", seconds(10));
  lanes.Block("b");
  lanes.PauseStream("s", seconds(20));
  EXPECT_FALSE(lanes.Expire(seconds(9)));
  EXPECT_EQ(lanes.NextDue(), seconds(10));
  EXPECT_TRUE(lanes.Expire(seconds(10)));
  EXPECT_FALSE(lanes.Held("a"));
  EXPECT_TRUE(lanes.Held("b"));
  EXPECT_TRUE(lanes.Paused("s"));
  EXPECT_TRUE(lanes.Expire(seconds(20)));
  EXPECT_FALSE(lanes.Paused("s"));
  EXPECT_EQ(lanes.NextDue(), std::nullopt);
}

TEST_F(PublisherTest, SendsTheEnvelopeOfTheContract) {
  Row row = MakeRow(7, "ledger-account-credited", "account-1", 42);
  row.correlation_id = "correlation-1";
  const Delivery delivery = Publish({row});
  ASSERT_EQ(delivery.delivered.size(), 1u);
  const auto message = bus_.Stored().at(0);
  EXPECT_EQ(message.stream, "ledger-account-credited");
  EXPECT_EQ(message.id, "00000000-0000-0000-0000-000000000007");
  EXPECT_EQ(message.type, "ledger-account-credited");
  EXPECT_EQ(message.key, "account-1");
  EXPECT_EQ(message.position, 42);
  EXPECT_EQ(message.payload, R"({"n":7})");
  EXPECT_EQ(message.timestamp, "2000-01-01T00:00:00.000000Z");
  EXPECT_EQ(message.correlation_id, "correlation-1");
}

TEST_F(PublisherTest, RoutesEverythingIntoOneStreamWhenAsked) {
  settings_.route = "ledger";
  Publish(
      {MakeRow(1, "ledger-account-credited", "a", 1), MakeRow(2, "ledger-hold-created", "a", 2)});
  for (const auto& message : bus_.Stored()) EXPECT_EQ(message.stream, "ledger");
  EXPECT_EQ(bus_.Stored().at(1).type, "ledger-hold-created");
}

TEST_F(PublisherTest, ARowAboveTheLimitIsAFaultAndWhatStandsBehindItIsUnsent) {
  bus_.max_message_bytes = 20;
  std::vector<Row> rows = {MakeRow(1, "t", "a", 1), MakeRow(2, "t", "b", 2),
                           MakeRow(3, "u", "a", 3)};
  rows[0].payload = std::string(21, 'x');
  const Delivery delivery = Publish(rows);
  ASSERT_EQ(delivery.faults.size(), 1u);
  EXPECT_EQ(delivery.faults[0].row, &rows[0]);
  ASSERT_EQ(delivery.unsent.size(), 1u);
  EXPECT_EQ(delivery.unsent[0], &rows[1]);
  EXPECT_EQ(SentKeys(), std::vector<std::string>{"a"});
}

TEST_F(PublisherTest, AReceiptThatTheBusDidNotFillIsNoConfirmation) {
  bus_.decide = [](const summa_bus_message&) -> int { throw std::bad_alloc(); };
  const Delivery delivery = Publish({MakeRow(1, "s", "a", 1), MakeRow(2, "t", "b", 2)});
  EXPECT_TRUE(delivery.delivered.empty());
  EXPECT_EQ(delivery.unsent.size(), 2u);
  EXPECT_FALSE(delivery.bus_error.empty());
}

TEST_F(PublisherTest, AfterAFailureTheRestOfTheStreamIsUnsentAndOtherStreamsGoOn) {
  bus_.decide = [](const summa_bus_message& message) {
    return FromAbi(message.key) == "bad" ? SUMMA_BUS_REFUSED : SUMMA_BUS_CONFIRMED;
  };
  const std::vector<Row> rows = {MakeRow(1, "s", "a", 1), MakeRow(2, "s", "bad", 2),
                                 MakeRow(3, "s", "c", 3), MakeRow(4, "t", "d", 4)};
  const Delivery delivery = Publish(rows);
  EXPECT_EQ(delivery.delivered.size(), 2u);
  ASSERT_EQ(delivery.faults.size(), 1u);
  ASSERT_EQ(delivery.unsent.size(), 1u);
  EXPECT_EQ(delivery.unsent[0], &rows[2]);
}

TEST_F(PublisherTest, LeavesHeldLanesAndPausedStreamsAlone) {
  lanes_.Block(LaneName("s", "a"));
  lanes_.PauseStream("t", seconds(1));
  const Delivery delivery =
      Publish({MakeRow(1, "s", "a", 1), MakeRow(2, "t", "b", 2), MakeRow(3, "s", "b", 3)});
  EXPECT_EQ(SentKeys(), std::vector<std::string>{"b"});
  EXPECT_EQ(delivery.delivered.size() + delivery.faults.size() + delivery.unsent.size(), 1u);
}

TEST_F(PublisherTest, ABusThatIsAwayBurnsNothing) {
  bus_.away = true;
  const Delivery delivery = Publish({MakeRow(1, "s", "a", 1), MakeRow(2, "s", "b", 2)});
  EXPECT_EQ(delivery.bus_error, "the memory bus is away");
  EXPECT_TRUE(delivery.delivered.empty());
  EXPECT_TRUE(delivery.faults.empty());
  EXPECT_EQ(delivery.unsent.size(), 2u);
}

TEST_F(PublisherTest, ErrorTextsBecomePrintable) {
  bus_.decide = [](const summa_bus_message&) { return SUMMA_BUS_STREAM_FAULT; };
  const Delivery delivery = Publish({MakeRow(1, "s", "a", 1)});
  ASSERT_EQ(delivery.stream_faults.size(), 1u);
  EXPECT_EQ(delivery.stream_faults[0].first, "s");
}

}  // namespace
}  // namespace summa::outbox
