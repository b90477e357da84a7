// The canary of the outbox: what the bus confirms can be read back, and a loss is said.
#include "tests/e2e/outbox_support.hpp"
#include "tests/faults/tcp_proxy.hpp"

namespace summa::test {
namespace {

constexpr const char* kStream = "summa:stream:summa-canary";

class OutboxCanary : public Outbox {
 protected:
  void Start() {
    UseFixture(ConstraintNames::kDrizzle, 5);
    file_ = std::make_unique<TemporaryFile>("summa.yaml", Text());
    host_ = std::make_unique<RunningHost>(std::vector<std::string>{"-c", file_->Path()});
    host_->StatusWhen("running");
    WaitUntil([&] { return CameBack() >= 3; }, kTimeout, "canaries that came back");
    ASSERT_EQ(Lost(), 0);
  }
  // What is held is no connection that failed: the times of the bus are longer than the test.
  std::string Text() const {
    return "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
           "host: { name: tested, listen: \"127.0.0.1:0\" }\nplugins:\n  bus-redis:\n" +
           "    { url: \"unix://" + socket_ +
           "\", connect_timeout: 1m, command_timeout: 1m, claim_after: 5m }\n" +
           "  outbox: { use: { bus: bus-redis }, canary: true, canary_interval: 100ms }\n";
  }
  int Metric(const std::string& name) {
    const std::string metrics = HttpGet(host_->Port(), "/metrics").body;
    const std::size_t at = metrics.find("\n" + name + "{");
    if (at == std::string::npos) return 0;
    return std::stoi(metrics.substr(metrics.find("} ", at) + 2));
  }
  int CameBack() { return Metric("summa_canary_end_to_end_seconds_count"); }
  int Lost() { return Metric("summa_canary_lost_total"); }

  // The host reads each canary on a new connection. That one is held, the canary, which Redis has
  // confirmed by then, is taken away by `loss`, and the reading goes on. A connection of something
  // else loses nothing: then the next one is held.
  void LoseOne(const std::vector<std::string>& loss) {
    const int lost_before = Lost();
    RedisClient client(redis_.Url());
    const auto lose = [&] {
      const std::size_t next = proxy_.SetForLater(Direction::kToServer, kHeld);
      WaitUntil([&] { return proxy_.Accepted() > next; }, kTimeout, "a connection to be held");
      client.Command(loss);
      const int judged = CameBack() + Lost();
      proxy_.Clear();
      WaitUntil([&] { return CameBack() + Lost() > judged; }, kTimeout, "a canary to be judged");
      return Lost() > lost_before;
    };
    WaitUntil(lose, kTimeout, "a canary that is missed");
    EXPECT_EQ(Lost(), lost_before + 1);
  }

  // The log is written by a thread of its own, after the loss was counted.
  void WaitForTheWord() {
    WaitUntil([&] { return host_->process().Stderr().find("SH-0508") != std::string::npos; },
              kTimeout, "a line about the loss");
  }

  static constexpr std::chrono::minutes kTimeout{2};
  static constexpr ProxyFault kHeld{.flow = ProxyFault::Flow::kHold};
  const TemporaryFile directory_{"of-the-proxy", ""};
  const std::string socket_ = directory_.Directory() + "/redis.sock";
  TcpProxy proxy_{ProxyAddress::Unix(socket_),
                  ProxyAddress::Unix(redis_.Url().substr(std::string("unix://").size()))};
  std::unique_ptr<TemporaryFile> file_;
  std::unique_ptr<RunningHost> host_;
};

TEST_F(OutboxCanary, IsMissedWhenItsEntryIsLost) {
  Start();
  LoseOne({"XTRIM", kStream, "MAXLEN", "0"});
  WaitForTheWord();
}

// As by a memory policy that evicts, or by a restart without persistence.
TEST_F(OutboxCanary, IsMissedWhenItsStreamIsLost) {
  Start();
  LoseOne({"DEL", kStream});
  WaitForTheWord();
}

TEST_F(OutboxCanary, IsNotMissedWhenTheBusWentAwayBeforeItWasRead) {
  Start();
  for (int round = 0; round < 3; ++round) {
    const std::size_t next = proxy_.SetForLater(Direction::kToServer, kHeld);
    WaitUntil([&] { return proxy_.Accepted() > next; }, kTimeout, "a connection to be held");
    const int came_back = CameBack();
    proxy_.Refuse(true);
    proxy_.CutAll();
    proxy_.Clear();
    proxy_.Refuse(false);
    WaitUntil([&] { return CameBack() > came_back; }, kTimeout, "the bus to be back");
  }
  EXPECT_EQ(Lost(), 0);
}

}  // namespace
}  // namespace summa::test
