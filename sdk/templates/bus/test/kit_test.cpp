// The bus through the interface that consumers use.
#include <gmock/gmock.h>

#include <summa/bus.hpp>
#include <summa/testkit/memory_bus.hpp>

namespace {

using summa::testkit::MemoryBus;

TEST(BusMemory, KeepsWhatIsPublished) {
  MemoryBus bus(MemoryBus::kCore);
  const summa::detail::BusTable table(&bus);
  const summa::BusClient client(table.table());
  summa_bus_message message{};
  message.stream = summa::ToAbi("payments");
  message.id = summa::ToAbi("1");
  message.payload = summa::ToAbi("{}");
  summa_bus_receipt receipt{};
  summa_error error = summa::detail::EmptyError();
  ASSERT_TRUE(client.Publish({&message, 1}, {&receipt, 1}, &error)) << error.message;
  EXPECT_EQ(receipt.outcome, SUMMA_BUS_CONFIRMED);
  ASSERT_EQ(bus.Stored().size(), 1u);
  EXPECT_EQ(bus.Stored().front().payload, "{}");
}

}  // namespace
