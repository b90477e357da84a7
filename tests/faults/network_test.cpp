// The host's connections are cut, held, swallowed, sliced and refused. Afterwards everything was
// delivered, by itself.
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "tests/faults/checker.hpp"
#include "tests/faults/round.hpp"
#include "tests/faults/tcp_proxy.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using std::chrono::milliseconds;
using Flow = ProxyFault::Flow;

// Longer than the lease and than every time-out of the scenario but the server's limit for an idle
// transaction; what waits longer is ended when the fault ends.
constexpr milliseconds kSilence{4'000};
constexpr milliseconds kSliceTime{2'000};
constexpr long long kUnits = 10;  // rows that prove that a host works again
// Places of a cut: primes, so that they meet every part of a conversation that repeats itself.
constexpr std::uint64_t kCutStepToServer = 211;
constexpr std::uint64_t kCutStepToClient = 61;
constexpr int kCuts = 20;
// A delivery has about six statements of at most five messages each.
constexpr int kMessageCuts = 32;

class NetworkFaults : public testing::Test {
 protected:
  static void SetUpTestSuite() { servers_ = new FaultServers({}, {}); }
  static void TearDownTestSuite() {
    delete servers_;
    servers_ = nullptr;
  }
  void SetUp() override {
    const std::string socket = servers_->redis.Url().substr(std::string("unix://").size());
    postgres_ = std::make_unique<TcpProxy>(
        ProxyAddress::Tcp(), ProxyAddress::Postgres(servers_->postgres.SocketDirectory()));
    redis_ = std::make_unique<TcpProxy>(ProxyAddress::Tcp(), ProxyAddress::Unix(socket));
    round_ = std::make_unique<Round>(*servers_, scenario_);
    round_->RouteHostsBy({"postgresql://postgres@127.0.0.1:" + std::to_string(postgres_->Port()) +
                              "/" + round_->database(),
                          "redis://127.0.0.1:" + std::to_string(redis_->Port())});
    round_->StartTraffic();
    round_->StartHost();
    round_->WaitForProgress(kUnits);
  }
  void TearDown() override { round_.reset(); }

  void ExpectNothingLost() {
    EXPECT_TRUE(round_->host().process().Running()) << round_->host().Log();
    const auto lines = round_->Finish();
    EXPECT_TRUE(lines.empty()) << Report(lines) << round_->host().Log();
  }

  // The fault lasts for that long; the time is the fault itself, not a wait for something.
  static void For(milliseconds time, TcpProxy& proxy, const ProxyFault& to_server,
                  const ProxyFault& to_client) {
    proxy.Set(Direction::kToServer, to_server);
    proxy.Set(Direction::kToClient, to_client);
    std::this_thread::sleep_for(time);
    proxy.Clear();
  }

  // Until a connection was cut and is made anew.
  void Cut(TcpProxy& proxy, Direction direction, const ProxyFault& fault) {
    const std::size_t accepted = proxy.Accepted();
    proxy.Set(direction, fault);
    WaitUntil([&] { return proxy.Accepted() > accepted; }, kTimeout, "a new connection");
    proxy.Clear();
    round_->WaitUntilSettled();
  }
  // All connections are cut after so many bytes more, again and again, each time elsewhere.
  void CutAtManyPlaces(TcpProxy& proxy, Direction direction, std::uint64_t step) {
    for (int i = 0; i < kCuts; ++i) {
      ProxyFault fault;
      fault.cut_after_bytes = static_cast<std::uint64_t>(i) * step;
      fault.reset = i % 2 == 1;
      Cut(proxy, direction, fault);
    }
    ExpectNothingLost();
  }

  static FaultServers* servers_;
  const Scenario scenario_ = OutboxTo(OnRedis());
  std::unique_ptr<TcpProxy> postgres_, redis_;
  std::unique_ptr<Round> round_;
};

FaultServers* NetworkFaults::servers_ = nullptr;

ProxyFault WithFlow(Flow flow) {
  ProxyFault fault;
  fault.flow = flow;
  return fault;
}

TEST_F(NetworkFaults, PostgresIsCutOffBehindEachMessageOfADelivery) {
  for (int messages = 0; messages < kMessageCuts; ++messages) {
    ProxyFault fault;
    fault.cut_after_messages = static_cast<std::uint64_t>(messages);
    Cut(*postgres_, Direction::kToServer, fault);
  }
  ExpectNothingLost();
}

TEST_F(NetworkFaults, PostgresIsCutOffInTheMiddleOfMessages) {
  CutAtManyPlaces(*postgres_, Direction::kToServer, kCutStepToServer);
}

TEST_F(NetworkFaults, PostgresIsCutOffAtManyPlacesOfItsAnswers) {
  CutAtManyPlaces(*postgres_, Direction::kToClient, kCutStepToClient);
}

TEST_F(NetworkFaults, RedisIsCutOffAtManyPlacesOfWhatIsSaidToIt) {
  CutAtManyPlaces(*redis_, Direction::kToServer, kCutStepToServer);
}

TEST_F(NetworkFaults, RedisIsCutOffAtManyPlacesOfItsAnswers) {
  CutAtManyPlaces(*redis_, Direction::kToClient, kCutStepToClient);
}

TEST_F(NetworkFaults, APostgresBehindABlackHoleComesBack) {
  For(kSilence, *postgres_, WithFlow(Flow::kSwallow), WithFlow(Flow::kSwallow));
  ExpectNothingLost();
}

// What was on its way arrives when the lease is long over.
TEST_F(NetworkFaults, WhatReachesPostgresTooLateIsNotCommitted) {
  For(kSilence, *postgres_, WithFlow(Flow::kHold), WithFlow(Flow::kHold));
  ExpectNothingLost();
}

TEST_F(NetworkFaults, APostgresThatHearsButIsNotHeardComesBack) {
  For(kSilence, *postgres_, {}, WithFlow(Flow::kHold));
  ExpectNothingLost();
}

TEST_F(NetworkFaults, ARedisBehindABlackHoleComesBack) {
  For(kSilence, *redis_, WithFlow(Flow::kSwallow), WithFlow(Flow::kSwallow));
  ExpectNothingLost();
}

// What was sent again comes before, or behind, what was held: the order of first occurrences stays.
TEST_F(NetworkFaults, WhatReachesRedisTooLateIsADuplicateAndNoMore) {
  For(kSilence, *redis_, WithFlow(Flow::kHold), {});
  ExpectNothingLost();
}

TEST_F(NetworkFaults, ARedisThatHearsButIsNotHeardGetsDuplicatesAndNoMore) {
  For(kSilence, *redis_, {}, WithFlow(Flow::kHold));
  ExpectNothingLost();
}

TEST_F(NetworkFaults, SingleBytesAndDelaysChangeNothing) {
  ProxyFault slow;
  slow.slice_bytes = 1;
  slow.delay = milliseconds(5);
  redis_->Set(Direction::kToServer, slow);
  redis_->Set(Direction::kToClient, slow);
  For(kSliceTime, *postgres_, slow, slow);
  round_->WaitForProgress();
  redis_->Clear();
  ExpectNothingLost();
}

TEST_F(NetworkFaults, ServersThatRefuseConnectionsAreAskedAgain) {
  for (TcpProxy* proxy : {postgres_.get(), redis_.get()}) {
    proxy->Refuse(true);
    proxy->CutAll(true);
    std::this_thread::sleep_for(kSliceTime);
    proxy->Refuse(false);
    round_->WaitForProgress(kUnits);
  }
  ExpectNothingLost();
}

}  // namespace
}  // namespace summa::test
