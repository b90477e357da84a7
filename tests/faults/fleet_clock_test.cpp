// Hosts whose clocks are wrong, and jump.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "tests/faults/fleet.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/redis_server.hpp"

namespace summa::test {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr int kJumps = 6;
// What a host would say when a clock that jumps had misled it about a lease, or about how long a
// run takes. That an answer came late (SH-0303, SH-0325) says nothing about clocks.
constexpr const char* kMisled[] = {"SH-0301", "SH-0305", "SH-0306", "SH-0326",
                                   "SH-0327", "SH-0328", "SH-0329"};

// The clocks of one host, see clock_shift.c; they may be moved while it runs.
class ClockShift {
 public:
  explicit ClockShift(microseconds wall) : file_("clocks", std::string(2 * sizeof(Number), '\0')) {
    const int descriptor = open(file_.Path().c_str(), O_RDWR | O_CLOEXEC);
    void* mapped =
        mmap(nullptr, 2 * sizeof(Number), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (mapped == MAP_FAILED) throw std::runtime_error("mmap failed");
    numbers_ = static_cast<Number*>(mapped);
    MoveWall(wall);
  }
  ~ClockShift() { munmap(numbers_, 2 * sizeof(Number)); }
  ClockShift(const ClockShift&) = delete;
  ClockShift& operator=(const ClockShift&) = delete;

  void MoveWall(microseconds shift) { numbers_[0] = shift.count(); }
  void MoveBoot(microseconds shift) { numbers_[1] = shift.count(); }
  std::map<std::string, std::string> Environment() const {
    return {{"LD_PRELOAD",
             std::string(std::getenv("SUMMA_BINARY_DIR")) + "/tests/faults/clock_shift.so"},
            {"CLOCK_SHIFT_FILE", file_.Path()}};
  }

 private:
  using Number = std::atomic<std::int64_t>;
  TemporaryFile file_;
  Number* numbers_ = nullptr;
};

class Clock : public FleetTest {
 protected:
  void SetUp() override {
#ifdef SUMMA_SANITIZED
    GTEST_SKIP()
        << "skipped: a library that replaces the clocks cannot be loaded before a sanitizer";
#endif
    FleetTest::SetUp();
  }
  std::unique_ptr<FleetHost> StartWith(const ClockShift& clock, const std::string& name,
                                       std::vector<std::string> workers) {
    return Start(name,
                 HostOptions{.workers = std::move(workers), .environment = clock.Environment()});
  }
  long long Runs() {
    return db().Count("SELECT count(*) FROM fleet.due_log WHERE worker = 'often-writer'");
  }
  void WaitForRuns(long long more) {
    const long long wanted = Runs() + more;
    WaitUntil([&] { return Runs() >= wanted; }, kTimeout, "runs");
  }
  // By how many seconds the host's idea of the time is wrong: by its last call of the worker.
  double Wrong(FleetHost& host) {
    const std::string key = "\"lastRunAt\":\"";
    std::string entry;
    std::size_t at = 0;
    WaitUntil(
        [&] {
          entry = host.StatusOf("fence-writer");
          at = entry.find(key);
          return at != std::string::npos;
        },
        kTimeout, "a run in /status");
    at += key.size();
    const std::string time = entry.substr(at, entry.find('"', at) - at);
    return std::stod(
        db().Value("SELECT extract(epoch FROM $1::timestamptz - clock_timestamp())", {time}));
  }
};

TEST_F(Clock, AnHourOffAndJumpingItChangesNeitherLeasesNorDueTimes) {
  ClockShift ahead(hours(1)), behind(-hours(1));
  const std::vector<std::string> workers = {"fence-writer", "often-writer"};
  holder_ = StartWith(ahead, "holder", workers);
  WaitForRows("fence-writer", 1);
  heir_ = StartWith(behind, "heir", workers);
  WaitUntil([&] { return heir_->StandsBy("fence-writer"); }, kTimeout, "a standby");
  EXPECT_NEAR(Wrong(*holder_), 3600, 60) << "the clock was not moved at all";
  for (int jump = 0; jump < kJumps; ++jump) {
    ahead.MoveWall(jump % 2 == 0 ? -hours(1) : hours(1));
    behind.MoveWall(jump % 2 == 0 ? hours(1) : -hours(1));
    WaitForRuns(2);
  }
  EXPECT_EQ(Fence("fence-writer"), 1) << holder_->Log() << heir_->Log();
  EXPECT_TRUE(heir_->StandsBy("fence-writer"));
  for (FleetHost* host : {holder_.get(), heir_.get()}) {
    EXPECT_TRUE(BecomesTrue([&] { return host->Log().find("host runs") != std::string::npos; }))
        << host->Log();
    for (const char* code : kMisled) {
      EXPECT_EQ(host->Log().find(code), std::string::npos) << code << "\n" << host->Log();
    }
  }
  EXPECT_EQ(db().Count("SELECT count(*) FROM fleet.lease_log WHERE worker = 'fence-writer' AND "
                       "until NOT BETWEEN at AND at + $1::interval",
                       {std::to_string(kLease.count()) + " ms"}),
            0)
      << "a lease does not end by the server's clock";
  EXPECT_EQ(db().Count("SELECT count(*) FROM fleet.due_log WHERE at < before_due OR due NOT "
                       "BETWEEN at - interval '20 s' AND at + interval '500 ms'"),
            0)
      << "a due time does not follow the server's clock";
  // Even this machine is not so busy that a run is late by as much as the clocks are wrong.
  EXPECT_EQ(
      db().Count("SELECT count(*) FROM fleet.due_log WHERE at > before_due + interval '20 s'"), 0);
  holder_->KillNine();
  WaitForRows("fence-writer", 2);
  const double gap = Gap("fence-writer", 2);
  std::cout << "fence 2 came " << gap << " s after the end of the lease\n";
  EXPECT_GT(gap, 0.0);
  EXPECT_GT(std::abs(Wrong(*heir_)), 3000);
}

TEST_F(Clock, JumpingItChangesNoDelivery) {
  ClockShift clock(hours(1));
  RedisServer redis;
  TrafficGenerator traffic(url(), {.connections = 2, .accounts = 20, .rate = 200});
  traffic.Start();
  const auto host =
      Start("host", HostOptions{.workers = {"outbox-processor"},
                                .environment = clock.Environment(),
                                .plugins = "bus-redis: { url: \"" + redis.Url() +
                                           "\" }, outbox: { use: { bus: bus-redis } }",
                                .without_writer = true});
  for (int jump = 0; jump < kJumps; ++jump) {
    const long long wanted = traffic.Committed() + 50;
    WaitUntil([&] { return traffic.Committed() >= wanted; }, kTimeout, "traffic");
    clock.MoveWall(jump % 2 == 0 ? -hours(1) : hours(1));
  }
  traffic.Stop();
  EXPECT_EQ(traffic.Failed(), 0) << traffic.LastError();
  WaitUntil([&] { return db().Count("SELECT count(*) FROM outbox WHERE status = 'pending'") == 0; },
            kTimeout, "delivery; log: " + host->Log());
  RedisClient client(redis.Url());
  std::size_t messages = 0;
  for (const std::string& stream : client.Keys("summa:stream:*")) {
    messages += client.StreamMessages(stream).size();
  }
  EXPECT_EQ(static_cast<long long>(messages), db().Count("SELECT count(*) FROM outbox"))
      << "delivered more than once, or not at all";
  EXPECT_EQ(Fence("outbox-processor"), 1) << host->Log();
}

// A machine that slept: CLOCK_MONOTONIC, and every wait that is counted by it, knows nothing of it.
TEST_F(Clock, TrustInALeaseEndsByTheTimeThatAMachineSleptToo) {
  ClockShift clock(seconds(0));
  holder_ = StartWith(clock, "holder", {"fence-writer"});
  WaitForRows("fence-writer", 1);
  clock.MoveBoot(hours(1));
  // Whoever notices first says it: the worker or the keeper of the lease.
  WaitUntil(
      [&] {
        const std::string log = holder_->Log();
        return log.find("SH-0326") != std::string::npos || log.find("SH-0305") != std::string::npos;
      },
      kTimeout, "the end of trust");
  // Under the same fence when the lease was still there to be taken again.
  const auto written = [&] { return db().Count("SELECT count(*) FROM fleet.written"); };
  const long long before = written();
  WaitUntil([&] { return written() > before + 1; }, kTimeout, "work under a lease taken again");
}

}  // namespace
}  // namespace summa::test
