// Tests of a plugin's code without a host.
#include <gtest/gtest.h>

#include <summa/testkit/fake_host.hpp>
#include <summa/testkit/memory_bus.hpp>

#include "sdk/example/plugin.cpp"  // NOLINT(bugprone-suspicious-include)

// The manifest is a section of the shared object; here is none.
extern "C" const char summa_manifest_begin[] = "";
extern "C" const char summa_manifest_end[] = "";

namespace turnover {
namespace {

TEST(Alarm, SaysOnceThatADayIsAboveIt) {
  summa::testkit::FakeHost host;
  Alarm alarm(host.host(), 1000);
  alarm.Check("2026-01-31", "USD", 1000);
  EXPECT_EQ(host.CountCode("TO-0002"), 0u);
  alarm.Check("2026-01-31", "USD", 1001);
  alarm.Check("2026-01-31", "USD", 1002);
  EXPECT_EQ(host.CountCode("TO-0002"), 1u);
  EXPECT_EQ(host.Lines().front().fields.at("amount"), "1001");
}

TEST(Alarm, SaysNothingWhenNoneIsConfigured) {
  summa::testkit::FakeHost host;
  Alarm alarm(host.host(), std::nullopt);
  alarm.Check("2026-01-31", "USD", 1'000'000'000);
  EXPECT_TRUE(host.Lines().empty());
}

// A worker that publishes gets its bus from the test.
TEST(MemoryBus, IsFoundAsTheServiceOfAPluginAndKeepsWhatIsPublished) {
  summa::testkit::MemoryBus bus;
  const summa::detail::BusTable table(&bus);
  summa::testkit::FakeHost host;
  host.AddService(SUMMA_BUS_V1, "bus", table.table());

  const summa::BusClient client(host.host().FindService(SUMMA_BUS_V1, "bus").service);
  summa_bus_message message{};
  message.stream = summa::ToAbi("turnover");
  message.id = summa::ToAbi("2026-01-31/USD");
  message.payload = summa::ToAbi(R"({"amount":1001})");
  summa_bus_receipt receipt{};
  summa_error error = summa::detail::EmptyError();
  ASSERT_TRUE(client.Publish({&message, 1}, {&receipt, 1}, &error)) << error.message;
  EXPECT_EQ(receipt.outcome, SUMMA_BUS_CONFIRMED);
  ASSERT_EQ(bus.Stored().size(), 1u);
  EXPECT_EQ(bus.Stored().front().payload, R"({"amount":1001})");
}

}  // namespace
}  // namespace turnover
