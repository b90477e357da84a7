// Delivery beside plugins that break their processes, and delivery in a process of its own.
#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/e2e/outbox_support.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;

class IsolatedOutbox : public Outbox {
 protected:
  void Start(const std::string& plugins, const std::string& schedules) {
    url_ = InstallLedger(*server_, name_);
    file_ = std::make_unique<TemporaryFile>(
        "summa.yaml", "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
                          "host: { name: tested, listen: \"127.0.0.1:0\" }\nplugins:\n" +
                          "  bus-redis: { url: \"" + redis_.Url() + "\" }\n" + plugins +
                          "schedules:\n" + schedules);
    std::map<std::string, std::string> environment;
    for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS"}) {
      const char* options = std::getenv(name);
      environment[name] = std::string(options == nullptr ? "" : options) +
                          ":handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_abort=0";
    }
    host_ = std::make_unique<RunningHost>(
        std::vector<std::string>{"-c", file_->Path(), "--plugin-dir", PluginDirectory("crashes")},
        environment);
    host_->StatusWhen("running");
    traffic_ = std::make_unique<TrafficGenerator>(
        url_, TrafficOptions{.connections = 2, .accounts = 25, .rate = 100});
    traffic_->Start();
  }
  std::string Get(const std::string& path) { return HttpGet(host_->Port(), path).body; }
  double Metric(const std::string& series) {
    const std::string text = "\n" + Get("/metrics");
    const std::size_t at = text.find("\n" + series + " ");
    return at == std::string::npos ? 0 : std::atof(text.c_str() + at + series.size() + 2);
  }
  double Ends(const std::string& reason) {
    return Metric("summa_plugin_process_ends_total{plugin=\"crashes\",reason=\"" + reason + "\"}");
  }
  // Every row was delivered, in order; nothing was sent twice where nothing of the outbox died.
  void ExpectWhole(bool once) {
    traffic_->Stop();
    WaitUntil([&] { return Pending().empty(); }, kTimeout, "the delivery of every row");
    const auto received = ReadStreams();
    const auto rows = Db(url_).Column("SELECT id FROM outbox");
    EXPECT_GT(rows.size(), 0u);
    EXPECT_EQ(Ids(received), std::set<std::string>(rows.begin(), rows.end()));
    if (once) {
      EXPECT_EQ(received.size(), rows.size()) << "something was sent twice";
    }
    ExpectOrder(received);
  }

  std::unique_ptr<TemporaryFile> file_;
  std::unique_ptr<RunningHost> host_;
  std::unique_ptr<TrafficGenerator> traffic_;
};

struct Harm {
  std::string plugin, schedule, reason;
  int ends;
};

// Late beyond a minute would count as missed: more than a busy machine needs, and less than a
// worker waits that nobody runs.
constexpr const char* kCleanup =
    "  outbox-cleanup: { interval: 500ms, jitter: 0%, missed: skip, lease_ttl: 60s }\n";

TEST_F(IsolatedOutbox, OthersLoseNoEventAndMissNoDueTime) {
  const Harm harms[] = {
      {"worker: \"null\"", "", "crash", 2},
      {"thread: loop, limits: { cpu_time: 2s }", "", "cpu_time", 1},
      {"worker: eat, limits: { memory: 512MiB }", "", "memory", 2},
  };
  for (const Harm& harm : harms) {
    SCOPED_TRACE(harm.reason);
    RedisClient(redis_.Url()).Command({"FLUSHALL"});
    name_ += "_" + harm.reason;
    Start("  outbox: { use: { bus: bus-redis } }\n  crashes: { isolation: process, " + harm.plugin +
              " }\n",
          std::string(kCleanup) + "  crasher: { lease_ttl: 1s" + harm.schedule + " }\n");
    WaitUntil([&] { return Ends(harm.reason) >= harm.ends; }, kTimeout,
              "the process to end; log: " + host_->process().Stderr());
    const auto runs = [&] {
      return Metric("summa_worker_runs_total{outcome=\"ok\",worker=\"outbox-cleanup\"}");
    };
    const double before = runs();
    WaitUntil([&] { return runs() > before + 2; }, kTimeout, "runs that are due");
    ExpectWhole(/*once=*/true);
    EXPECT_EQ(Metric("summa_worker_runs_total{outcome=\"missed\",worker=\"outbox-cleanup\"}"), 0);
    EXPECT_TRUE(host_->process().Running());
    host_->process().Signal(SIGTERM);
    host_->process().WaitOrKill(kTimeout);
  }
}

// The process has a bus of its own; the host keeps the one whose workers it runs.
TEST_F(IsolatedOutbox, DeliversInAProcessOfItsOwnAndGoesOnWhenThatIsKilled) {
  Start("  outbox: { isolation: process, use: { bus: bus-redis } }\n",
        "  outbox-processor: { lease_ttl: 5s }\n");
  const auto processed = [&] {
    return Db(url_).Count("SELECT count(*) FROM outbox WHERE status = 'processed'");
  };
  const auto wait_for_more = [&] {
    const long long before = processed();
    WaitUntil([&] { return processed() > before + 100; }, kTimeout,
              "delivered rows; log: " + host_->process().Stderr());
  };
  wait_for_more();
  EXPECT_THAT(Get("/status"), HasSubstr("\"id\":\"outbox-processor\""));
  EXPECT_THAT(Get("/metrics"),
              HasSubstr("summa_outbox_messages_total{process=\"outbox\",outcome=\"delivered\""));
  const std::string status = Get("/status");
  const std::size_t at = status.find("\"pid\":");
  ASSERT_NE(at, std::string::npos) << status;
  const pid_t pid = std::atoi(status.c_str() + at + 6);
  ASSERT_GT(pid, 0);
  kill(pid, SIGKILL);
  wait_for_more();
  ExpectWhole(/*once=*/false);
  host_->process().Signal(SIGTERM);
  EXPECT_EQ(host_->process().WaitOrKill(kTimeout), 0) << host_->process().Stderr();
}

}  // namespace
}  // namespace summa::test
