// The parts of the outbox plugin that need no database.
#include <cstdint>
#include <new>

#include <gtest/gtest.h>

#include <summa/testkit/memory_bus.hpp>

#include "horizon.hpp"
#include "lanes.hpp"
#include "publisher.hpp"
#include "row.hpp"

namespace summa::outbox {
namespace {

using std::chrono::seconds;

BootTime At(int second) { return BootTime(seconds(second)); }

Row MakeRow(unsigned char number, const std::string& topic, const std::string& key,
            std::int64_t position) {
  Row row;
  row.id.bytes[15] = number;
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
    return Publisher(BusClient(table_.table()), settings_)
        .Publish(Pointers(rows), lanes_, waiting_);
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
  bool waiting_ = false;  // the rows were read from outbox_waiting
};

TEST(ComesBefore, GoesByPositionThenAgeAndPutsUnknownPositionsLast) {
  Row first = MakeRow(1, "t", "k", 5), second = MakeRow(2, "t", "k", 7),
      unknown = MakeRow(3, "t", "k", 0);
  first.created_at =
      FromMicroseconds<DatabaseTime>(100);  // younger than `second`, but earlier in the ledger
  unknown.position.reset();
  EXPECT_TRUE(ComesBefore(first, second));
  EXPECT_FALSE(ComesBefore(second, first));
  EXPECT_TRUE(ComesBefore(second, unknown));
}

TEST(Lanes, LetGoWhatIsDueAndKeepWhatIsBlocked) {
  Lanes lanes;
  const Lane a{"s", "a"}, b{"s", "b"};
  lanes.HoldUntil(a, At(10));
  lanes.Block(b);
  lanes.PauseStream("t", At(20));
  EXPECT_FALSE(lanes.Expire(At(9)));
  EXPECT_EQ(lanes.NextDue(), At(10));
  EXPECT_FALSE(lanes.Expire(At(10))) << "a lane's rows stand in the table, no poll is needed";
  EXPECT_FALSE(lanes.Held(LaneName(a)));
  EXPECT_TRUE(lanes.Held(LaneName(b)));
  EXPECT_TRUE(lanes.Paused("t"));
  EXPECT_TRUE(lanes.Expire(At(20))) << "a stream's rows wait where only a full poll looks";
  EXPECT_FALSE(lanes.Paused("t"));
  EXPECT_EQ(lanes.NextDue(), std::nullopt);
}

TEST(Lanes, ReleaseBackedUpLanesThatAreNeitherHeldNorPaused) {
  Lanes lanes;
  lanes.SetBackedUp({{"s", "free"}, {"s", "held"}, {"s", "blocked"}, {"t", "paused"}});
  lanes.HoldUntil({"s", "held"}, At(10));
  lanes.Block({"s", "blocked"});
  lanes.PauseStream("t", At(20));
  ASSERT_EQ(lanes.Released(10).size(), 1u);
  EXPECT_EQ(lanes.Released(10)[0].key, "free");
  lanes.Expire(At(20));
  EXPECT_EQ(lanes.Released(10).size(), 3u);
  EXPECT_EQ(lanes.Released(2).size(), 2u);
  lanes.SetBlocked({});
  lanes.Emptied({"s", "free"});
  EXPECT_EQ(lanes.Released(10).size(), 3u);
}

TEST(Horizon, FollowsTheClockOnceEveryTransactionThatWasOpenHasEnded) {
  const auto at = [](int second) { return DatabaseTime(seconds(second)); };
  Horizon horizon;
  horizon.Update({at(1000), {"1/1", "1/2"}});
  EXPECT_EQ(horizon.time(), std::nullopt);
  horizon.Update({at(1001), {"1/2", "1/3"}});
  EXPECT_EQ(horizon.time(), std::nullopt) << "1/2 may still make older rows visible";
  horizon.Update({at(1002), {"1/3"}});
  EXPECT_EQ(horizon.time(), at(999));
  horizon.Update({at(1003), {}});
  EXPECT_EQ(horizon.time(), at(1001));
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

TEST_F(PublisherTest, ParksRowsOfLanesThatWaitAndLeavesPausedStreamsAlone) {
  lanes_.Block({"s", "a"});
  lanes_.BackUp({"s", "c"});
  lanes_.PauseStream("t", At(1));
  const std::vector<Row> rows = {MakeRow(1, "s", "a", 1), MakeRow(2, "t", "b", 2),
                                 MakeRow(3, "s", "b", 3), MakeRow(4, "s", "c", 4)};
  const Delivery delivery = Publish(rows);
  EXPECT_EQ(SentKeys(), std::vector<std::string>{"b"});
  EXPECT_EQ(delivery.delivered.size() + delivery.faults.size() + delivery.unsent.size(), 1u);
  EXPECT_EQ(delivery.parked, (std::vector<const Row*>{&rows[0], &rows[3]}));
}

TEST_F(PublisherTest, SendsWaitingRowsOfALaneThatIsLetGo) {
  waiting_ = true;
  lanes_.BackUp({"s", "c"});
  lanes_.Block({"s", "a"});
  const Delivery delivery = Publish({MakeRow(1, "s", "a", 1), MakeRow(2, "s", "c", 2)});
  EXPECT_EQ(SentKeys(), std::vector<std::string>{"c"});
  EXPECT_TRUE(delivery.parked.empty()) << "what waits already need not be put there again";
}

TEST_F(PublisherTest, MarksWhatWasSentAgainByAPerson) {
  Row row = MakeRow(1, "s", "a", 1);
  Publish({row});
  row.redriven = true;
  Publish({row});
  EXPECT_EQ(bus_.Stored().at(0).redriven, "");
  EXPECT_EQ(bus_.Stored().at(1).redriven, SUMMA_BUS_EVERYBODY);
}

TEST_F(PublisherTest, ABusThatIsAwayBurnsNothing) {
  bus_.away = true;
  const Delivery delivery = Publish({MakeRow(1, "s", "a", 1), MakeRow(2, "s", "b", 2)});
  EXPECT_EQ(delivery.bus_error, "the memory bus is unreachable");
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
