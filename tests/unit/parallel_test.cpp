#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <mutex>
#include <stdexcept>
#include <string>
#include <summa/consumer.hpp>
#include <summa/parallel.hpp>
#include <summa/testkit/memory_bus.hpp>
#include <vector>

#include "tests/services/thread_limit.hpp"
#include "tests/services/wait_until.hpp"

namespace summa {
namespace {

TEST(InParallel, DoesEachPartOnceAndAsManyAtATimeAsItIsTold) {
  std::vector<std::atomic<int>> done(20);
  std::latch three_at_a_time(3);
  InParallel(done.size(), 3, [&](std::size_t part) {
    if (part < 3) three_at_a_time.arrive_and_wait();
    ++done[part];
  });
  for (const std::atomic<int>& times : done) EXPECT_EQ(times, 1);
  InParallel(0, 3, [](std::size_t) { FAIL(); });
}

TEST(InParallel, BeginsNoFurtherPartWhenOneFailsAndThrowsItsError) {
  std::atomic<int> begun{0};
  try {
    InParallel(100, 1, [&](std::size_t part) {
      ++begun;
      if (part == 2) throw std::runtime_error("part 2");
    });
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()), "part 2");
  }
  EXPECT_EQ(begun, 3);
}

TEST(InParallel, DoesTheWorkWithTheThreadsThatThereAre) {
  for (const int more : {0, 1}) {
    const test::ThreadLimit limit(more);
    std::vector<std::atomic<int>> done(20);
    InParallel(done.size(), 4, [&](std::size_t part) { ++done[part]; });
    for (const std::atomic<int>& times : done) EXPECT_EQ(times, 1);
  }
}

TEST(Consumer, ThrowsWhenTheSystemHasNoMoreThreadsAndLosesNothing) {
  testkit::MemoryBus bus;
  const detail::BusTable table(&bus);
  summa_bus_message message{};
  message.stream = ToAbi("a");
  message.id = message.key = ToAbi("1");
  summa_bus_receipt receipt{};
  bus.Publish({&message, 1}, {&receipt, 1});
  std::atomic<int> handled{0};
  SubscribeOptions options;
  options.topics = {"a"};
  options.group = "g";
  options.consumer = "c";
  options.concurrency = 3;
  options.handler = [&](const ConsumedMessage&) { ++handled; };
  for (const int more : {0, 1, 2, 3}) {
    const test::ThreadLimit limit(more);
    EXPECT_THROW(summa::Consumer(BusClient(table.table()), options), std::system_error);
  }
  const summa::Consumer consumer(BusClient(table.table()), options);
  EXPECT_TRUE(test::BecomesTrue([&] { return handled > 0; }));
}

}  // namespace
}  // namespace summa
