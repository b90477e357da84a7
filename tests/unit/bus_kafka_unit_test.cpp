// The parts of bus-kafka that need no server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "plugins/bus-kafka/client.hpp"
#include "plugins/bus-kafka/place.hpp"
#include "plugins/bus-kafka/statistics.hpp"

namespace summa::bus_kafka {
namespace {

// As librdkafka writes them (its STATISTICS.md), without most members.
std::string Json(int errors, int retries) {
  return R"({"name":"c","msg_cnt":3,"msg_size":700,"brokers":{
    "b:1/1":{"state":"UP","txerrs":)" +
         std::to_string(errors) + R"(,"rxerrs":1,"req_timeouts":2,"txretries":)" +
         std::to_string(retries) + R"(,"rtt":{"p99":1500,"cnt":4}},
    "b:2/2":{"state":"DOWN","txerrs":0,"rxerrs":0,"req_timeouts":0,"txretries":0,
             "rtt":{"p99":250000,"cnt":1}}},
    "topics":{"t":{"partitions":{"0":{"fetchq_cnt":9,"fetchq_size":900},
                                 "-1":{"fetchq_cnt":0,"fetchq_size":0}}}}})";
}

TEST(Statistics, AreReadFromWhatLibrdkafkaWrites) {
  const auto read = ReadStatistics(Json(4, 5));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->brokers_connected, 1);
  EXPECT_EQ(read->queued_messages, 9)
      << "the larger of what is to be confirmed and what was fetched";
  EXPECT_EQ(read->queued_bytes, 900);
  EXPECT_DOUBLE_EQ(read->round_trip_seconds, 0.25);
  EXPECT_EQ(read->errors, 5);
  EXPECT_EQ(read->timeouts, 2);
  EXPECT_EQ(read->retries, 5);
  EXPECT_FALSE(ReadStatistics("{"));
  EXPECT_FALSE(ReadStatistics("[]"));
}

TEST(Statistics, OfSeveralClientsAreSummedUpAndFailuresAreToldOnce) {
  std::vector<std::pair<std::string, ClientStatistics>> told;
  StatisticsBook book([&](std::string_view purpose, const ClientStatistics& statistics) {
    told.emplace_back(purpose, statistics);
  });
  const int first = 0, second = 0, publisher = 0;
  book.Update(&first, "subscribe", Json(4, 0));
  EXPECT_EQ(told.back().second.errors, 5);
  book.Update(&publisher, "publish", Json(0, 0));
  EXPECT_EQ(told.back().first, "publish");
  EXPECT_EQ(told.back().second.queued_messages, 9);
  book.Update(&second, "subscribe", Json(0, 0));
  EXPECT_EQ(told.back().second.queued_messages, 18);
  EXPECT_EQ(told.back().second.brokers_connected, 2);
  EXPECT_EQ(told.back().second.errors, 1);
  book.Update(&first, "subscribe", Json(6, 0));
  EXPECT_EQ(told.back().second.errors, 2) << "those that are new";
  book.Forget(&first);
  EXPECT_EQ(told.back().second.queued_messages, 9);
  EXPECT_EQ(told.back().second.errors, 0);
  const std::size_t calls = told.size();
  book.Update(&second, "subscribe", "no JSON");
  book.Forget(&first);
  EXPECT_EQ(told.size(), calls);
}

TEST(LoginRefused, SaysWhenNoPasswordWouldHelp) {
  const auto hint = [](const std::string& text) {
    return ErrorFor(RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, text).hint();
  };
  EXPECT_EQ(hint("mechanism PLAIN"),
            "correct user, password and sasl_mechanism of plugins.bus-kafka");
  EXPECT_EQ(hint("mechanism SCRAM-SHA-512").find("needs 2.6.1") != std::string::npos,
            rd_kafka_version() < 0x020601ff);
}

TEST(Place, IsReadAsItIsWritten) {
  const auto place = ParsePlace(Place{3, 17}.Text());
  ASSERT_TRUE(place);
  EXPECT_EQ(place->partition, 3);
  EXPECT_EQ(place->offset, 17);
  for (const char* wrong : {"", "3", "3:", ":17", "3:17x", "-3:17", "3:-17"}) {
    EXPECT_FALSE(ParsePlace(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace summa::bus_kafka
