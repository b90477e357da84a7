// The bus is away, or full, under a host that publishes and consumes: nothing is given up, no attempt
// is burned, the memory of the host stays bounded. A minute instead of five seconds with
// SUMMA_SOAK=1.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <thread>

#include "tests/faults/checker.hpp"
#include "tests/faults/round.hpp"
#include "tests/services/db.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr long long kUnits = 10;
constexpr seconds kAway{5};
constexpr seconds kLongAway{60};
constexpr milliseconds kPollInterval{100};
constexpr long long kTransactionsWhileFull = 200;
// Of the whole outage, however long: what a host holds are a page of rows (20 here) and the
// messages of its consumers (4,000, or 32 MiB), and neither grows while the bus is away.
constexpr std::size_t kMaxGrowthBytes = std::size_t{16} << 20;
// Of a message that was handed out before the outage and once more after it.
constexpr long long kMaxDeliveries = 2;

// How the server of a bus goes away and comes back.
struct AwayBus {
  TestedBus (*bus)();
  void (*stop)(FaultServers& servers);
  void (*start)(FaultServers& servers);
};

class BusAway : public testing::TestWithParam<AwayBus> {
 protected:
  static PostgresOptions Postgres() { return {}; }
  static RedisOptions Redis() {
    RedisOptions options;
    options.append_only = true;
    return options;
  }
  void SetUp() override {
    round_.StartTraffic();
    round_.StartHost();
    round_.WaitForProgress(kUnits);
  }
  std::size_t ResidentBytes() { return round_.host().process().Use().resident_bytes; }
  void ExpectNothingLostAndNoAttemptBurned() {
    EXPECT_TRUE(round_.host().process().Running()) << round_.host().Log();
    const auto lines = round_.Finish();
    EXPECT_TRUE(lines.empty()) << Report(lines) << round_.host().Log();
    Db db(round_.world().ledger_url);
    EXPECT_EQ(db.Count("SELECT count(*) FROM outbox WHERE retry_count > 0"), 0);
    EXPECT_LE(db.Count("SELECT max(deliveries) FROM follower.effect"), kMaxDeliveries);
  }

  FaultServers servers_{Postgres(), Redis()};
  const Scenario scenario_ = OutboxToConsumer(GetParam().bus());
  Round round_{servers_, scenario_};
};

TEST_P(BusAway, BurnsNoAttemptAndTheMemoryOfTheHostStaysBounded) {
  const seconds away = std::getenv("SUMMA_SOAK") != nullptr ? kLongAway : kAway;
  const std::size_t before = ResidentBytes();
  std::size_t most = before;
  GetParam().stop(servers_);
  // The outage itself, not a wait for something.
  for (milliseconds passed{0}; passed < away; passed += kPollInterval) {
    std::this_thread::sleep_for(kPollInterval);
    most = std::max(most, ResidentBytes());
  }
  EXPECT_GT(
      Db(round_.world().ledger_url).Count("SELECT count(*) FROM outbox WHERE status = 'pending'"),
      0);
  GetParam().start(servers_);
  EXPECT_GT(before, 0U);
#ifdef SUMMA_SANITIZED
  std::cout << "skipped: the bound of the memory; a sanitizer keeps what is freed\n";
#else
  EXPECT_LE(most, before + kMaxGrowthBytes) << "before: " << before;
#endif
  RecordProperty("resident_bytes_before", std::to_string(before));
  RecordProperty("resident_bytes_most", std::to_string(most));
  ExpectNothingLostAndNoAttemptBurned();
}

class RedisAway : public BusAway {};

TEST_P(RedisAway, AFullRedisIsBackpressureForPublishersAndConsumersAndTheOrderHolds) {
  RedisClient client(servers_.redis.Url());
  client.Command({"CONFIG", "SET", "maxmemory", "1"});
  const long long before = round_.appender().Acknowledged();
  Db db(round_.world().ledger_url);
  WaitUntil(
      [&] {
        return round_.appender().Acknowledged() > before + kTransactionsWhileFull &&
               round_.host().Log().find("SH-0502") != std::string::npos;
      },
      kTimeout, "traffic, and the stream that takes no messages named");
  // What was in the streams is handled meanwhile, and no more can come.
  const auto effects = [&] { return db.Count("SELECT count(*) FROM follower.effect"); };
  EXPECT_GT(db.Count("SELECT count(*) FROM outbox WHERE status = 'pending'"), 0);
  EXPECT_LT(effects(), db.Count("SELECT count(*) FROM outbox"));
  client.Command({"CONFIG", "SET", "maxmemory", "0"});
  ExpectNothingLostAndNoAttemptBurned();
}

const AwayBus kRedis = {OnRedis, [](FaultServers& servers) { servers.redis.Stop(); },
                        [](FaultServers& servers) { servers.redis.Start(); }};
const AwayBus kKafka = {OnKafka, [](FaultServers& servers) { servers.kafka().Stop(); },
                        [](FaultServers& servers) { servers.kafka().Start(); }};

std::string NameOf(const testing::TestParamInfo<AwayBus>& bus) { return bus.param.bus().name; }

INSTANTIATE_TEST_SUITE_P(Buses, BusAway, testing::Values(kRedis, kKafka), NameOf);
INSTANTIATE_TEST_SUITE_P(Buses, RedisAway, testing::Values(kRedis), NameOf);

}  // namespace
}  // namespace summa::test
