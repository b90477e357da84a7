// From a writer's commit to a consumer's hands, under steady traffic.
//
// A writer runs one operation per statement, which is then one transaction: the created_at of its
// outbox rows is that statement's now(), which the writer asks for in the same statement. A message
// carries it as `timestamp`, so each message finds the moment at which its writer's commit had
// returned. All clocks are the same machine's steady clock. A message that arrives before its
// writer has been woken has a negative time; such are counted and stay in.
#include <hiredis/hiredis.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <summa/json.hpp>
#include <summa/time.hpp>
#include <thread>

#include "tests/bench/outbox_bench.hpp"
#include "tests/bench/outbox_data.hpp"
#include "tests/bench/servers.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr long long kSeconds = 30;
constexpr int kAccounts = 1000;
// Operations from which the number of outbox rows per operation is taken.
constexpr int kSample = 500;
constexpr const char* kTopics[] = {"ledger-account-created",  "ledger-account-credited",
                                   "ledger-account-debited",  "ledger-account-frozen",
                                   "ledger-account-unfrozen", "ledger-account-closed",
                                   "ledger-hold-created",     "ledger-hold-committed",
                                   "ledger-hold-voided",      "ledger-hold-expired"};

struct Arrival {
  std::string id, timestamp;
  Clock::time_point at;
};

// Writers at a fixed rate: operation n is due n/rate after the start, however slow others were.
class Writers {
 public:
  Writers(std::string url, int connections, double rate)
      : url_(std::move(url)), connections_(connections), rate_(rate) {}

  void Run(std::chrono::seconds length) {
    started_ = Clock::now();
    const auto end = started_ + length;
    std::vector<std::thread> threads;
    for (int i = 0; i < connections_; ++i) threads.emplace_back([this, end] { Work(end); });
    for (std::thread& thread : threads) thread.join();
    if (!error_.empty()) throw std::runtime_error("traffic: " + error_);
  }
  // Commit times by created_at; two transactions of the same microsecond keep the earlier.
  const std::map<std::string, Clock::time_point>& Commits() const { return commits_; }
  long long operations() const { return operations_; }
  double WorstLateness() const { return worst_lateness_; }

 private:
  void Work(Clock::time_point end) {
    try {
      test::Db db(url_);
      for (;;) {
        const auto due =
            started_ + std::chrono::duration_cast<Clock::duration>(
                           std::chrono::duration<double>(static_cast<double>(turns_++) / rate_));
        if (due >= end) return;
        std::this_thread::sleep_until(due);
        const double lateness = std::chrono::duration<double>(Clock::now() - due).count();
        const auto created_at = std::stoll(
            db.Value("SELECT (extract(epoch FROM now() - '2000-01-01 00:00+00'::timestamptz) "
                     "* 1000000)::bigint FROM fixture.random_operation($1::integer) AS name",
                     {std::to_string(kAccounts)}));
        const auto committed = Clock::now();
        const std::lock_guard lock(mutex_);
        commits_.try_emplace(IsoText(FromMicroseconds<DatabaseTime>(created_at)), committed);
        ++operations_;
        worst_lateness_ = std::max(worst_lateness_, lateness);
      }
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex_);
      error_ = error.what();
    }
  }

  const std::string url_;
  const int connections_;
  const double rate_;
  Clock::time_point started_;
  std::atomic<long long> turns_{0};
  std::mutex mutex_;
  std::map<std::string, Clock::time_point> commits_;
  long long operations_ = 0;
  double worst_lateness_ = 0;
  std::string error_;
};

// A consumer group's only member on every stream, blocked in XREADGROUP.
class Consumer {
 public:
  explicit Consumer(const std::string& url) : redis_(url) {
    command_ = "XREADGROUP GROUP bench one COUNT 1000 BLOCK 200 STREAMS";
    for (const char* topic : kTopics) {
      const std::string stream = std::string("summa:stream:") + topic;
      freeReplyObject(
          redisCommand(redis_.Handle(), "XGROUP CREATE %s bench 0 MKSTREAM", stream.c_str()));
      command_ += " " + stream;
    }
    for (std::size_t i = 0; i < std::size(kTopics); ++i) command_ += " >";
    thread_ = std::thread([this] { Work(); });
  }
  ~Consumer() { Stop(); }
  std::size_t Count() const { return count_; }
  std::vector<Arrival> Stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    return std::move(arrivals_);
  }
  bool Broken() const { return broken_; }

 private:
  void Work() {
    while (!stopping_ && !broken_) {
      auto* reply = static_cast<redisReply*>(redisCommand(redis_.Handle(), command_.c_str()));
      const auto at = Clock::now();
      broken_ = reply == nullptr || reply->type == REDIS_REPLY_ERROR;
      if (!broken_ && reply->type == REDIS_REPLY_ARRAY) {
        for (std::size_t i = 0; i < reply->elements; ++i) Take(*reply->element[i], at);
        for (std::size_t i = 0; i < reply->elements; ++i) Acknowledge(*reply->element[i]);
      }
      if (reply != nullptr) freeReplyObject(reply);
    }
  }
  void Take(const redisReply& stream, Clock::time_point at) {
    const redisReply& entries = *stream.element[1];
    for (std::size_t i = 0; i < entries.elements; ++i) {
      const redisReply& fields = *entries.element[i]->element[1];
      Arrival arrival;
      arrival.at = at;
      for (std::size_t f = 0; f + 1 < fields.elements; f += 2) {
        const std::string name = fields.element[f]->str;
        if (name == "id") arrival.id = fields.element[f + 1]->str;
        if (name == "timestamp") arrival.timestamp = fields.element[f + 1]->str;
      }
      arrivals_.push_back(std::move(arrival));
    }
    count_ += entries.elements;
  }
  void Acknowledge(const redisReply& stream) {
    std::string command = "XACK " + std::string(stream.element[0]->str) + " bench";
    const redisReply& entries = *stream.element[1];
    for (std::size_t i = 0; i < entries.elements; ++i) {
      command += " " + std::string(entries.element[i]->element[0]->str);
    }
    auto* reply = static_cast<redisReply*>(redisCommand(redis_.Handle(), command.c_str()));
    broken_ = broken_ || reply == nullptr || reply->type == REDIS_REPLY_ERROR;
    if (reply != nullptr) freeReplyObject(reply);
  }

  Redis redis_;
  std::string command_;
  std::vector<Arrival> arrivals_;
  std::atomic<std::size_t> count_{0};
  std::atomic<bool> stopping_{false}, broken_{false};
  std::thread thread_;
};

// Outbox rows per operation, from a sample.
double RowsPerOperation(const std::string& url) {
  test::Db db(url);
  const auto before = db.Count("SELECT count(*) FROM outbox");
  for (int i = 0; i < kSample; ++i) {
    db.Query("SELECT fixture.random_operation($1::integer)", {std::to_string(kAccounts)});
  }
  return static_cast<double>(db.Count("SELECT count(*) FROM outbox") - before) / kSample;
}

struct LatencyResult {
  Series milliseconds;
  double seconds = 0, events_per_second = 0, worst_lateness_milliseconds = 0;
};

void Print(const LatencyResult& result, const std::string& version, bool as_json) {
  const Series& times = result.milliseconds;
  const auto early = static_cast<std::int64_t>(times.Below(0));
  if (as_json) {
    JsonWriter json;
    json.BeginObject()
        .Member("benchmark", "outbox --latency")
        .Member("machine", MachineText())
        .Member("postgresql", version)
        .Member("seconds", result.seconds)
        .Member("messages", static_cast<std::int64_t>(times.Count()))
        .Member("eventsPerSecond", result.events_per_second)
        .Member("p50Milliseconds", times.Median())
        .Member("p99Milliseconds", times.Quantile(0.99))
        .Member("maxMilliseconds", times.Max())
        .Member("beforeTheWriterWoke", early)
        .Member("worstWriterLatenessMilliseconds", result.worst_lateness_milliseconds)
        .EndObject();
    std::cout << json.Take() << "\n";
    return;
  }
  std::cout << "commit to consumer: " << Grouped(static_cast<double>(times.Count()))
            << " messages, " << Grouped(result.events_per_second) << " per second for "
            << Fixed(result.seconds, 0) << " s\n"
            << MachineText() << "; PostgreSQL " << version << "\n\n";
  PrintTable({{"", "ms", "goal"},
              {"p50", Fixed(times.Median(), 2), "< 5"},
              {"p99", Fixed(times.Quantile(0.99), 2), "< 25"},
              {"max", Fixed(times.Max(), 2), ""}});
  std::cout << "\n"
            << early << " messages arrived before their writer's thread woke; the writers "
            << "were at most " << Fixed(result.worst_lateness_milliseconds, 1)
            << " ms behind their plan\n";
}

}  // namespace

void MeasureLatency(const Options& options) {
  const long long seconds = options.Number("seconds") > 0 ? options.Number("seconds") : kSeconds;
  test::PostgresServer postgres(RealisticPostgres());
  test::RedisServer redis;
  const std::string url = test::InstallLedger(postgres, "ledger");
  OutboxHost host(url, redis.Url());
  host.RunToEnd({"migrate"});
  Say("making accounts and looking how many events an operation has");
  test::EnsureAccounts(url, kAccounts);
  const double rows_per_operation = RowsPerOperation(url);
  Consumer consumer(redis.Url());
  const test::Process& process = host.Start();
  test::Db db(url);
  const auto all_received = [&] {
    if (consumer.Broken()) throw std::runtime_error("the consumer lost Redis");
    return static_cast<long long>(consumer.Count()) >= db.Count("SELECT count(*) FROM outbox");
  };
  test::WaitUntil(all_received, test::kTimeout, "the first rows; log: " + process.Stderr());
  const long long before = db.Count("SELECT count(*) FROM outbox");

  const double rate = static_cast<double>(options.Number("events")) / rows_per_operation;
  Say("measuring for " + std::to_string(seconds) + " s at " + Fixed(rate, 0) + " operations/s");
  Writers writers(url, static_cast<int>(options.Number("connections")), rate);
  const Stopwatch watch;
  writers.Run(std::chrono::seconds(seconds));
  LatencyResult result;
  result.seconds = watch.Seconds();
  test::WaitUntil(all_received, test::kTimeout, "the last messages; log: " + process.Stderr());
  for (const Arrival& arrival : consumer.Stop()) {
    const auto commit = writers.Commits().find(arrival.timestamp);
    if (commit == writers.Commits().end()) continue;  // from before the measurement
    result.milliseconds.Add(
        std::chrono::duration<double, std::milli>(arrival.at - commit->second).count());
  }
  const long long made = db.Count("SELECT count(*) FROM outbox") - before;
  if (static_cast<long long>(result.milliseconds.Count()) != made || made == 0) {
    throw std::runtime_error(std::to_string(made) + " rows were written, " +
                             std::to_string(result.milliseconds.Count()) +
                             " messages found their commit");
  }
  result.events_per_second = static_cast<double>(made) / result.seconds;
  result.worst_lateness_milliseconds = writers.WorstLateness() * 1000;
  Print(result, PostgresVersion(url), options.Json());
}

}  // namespace summa::bench
