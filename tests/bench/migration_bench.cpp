// What writers notice while ledger_event is migrated to partitions, online and by attaching the
// flat table: readers read, hosts deliver and verify meanwhile. Ends with 1 when something is lost,
// or when somebody sees an error that a repetition does not cure; never for a time.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <summa/json.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/partition_data.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/servers.hpp"
#include "tests/e2e/summa_host.hpp"
#include "tests/faults/checker.hpp"
#include "tests/faults/migration_load.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Moment = Clock::time_point;
using Milliseconds = std::chrono::duration<double, std::milli>;

// Before and after the exchange.
constexpr std::chrono::seconds kWindow{1};
// The states of a migration are looked at so often: the exchange is known that exactly.
constexpr std::chrono::milliseconds kLook{5};

double SecondsBetween(Moment from, Moment to) {
  return std::chrono::duration<double>(to - from).count();
}

// When writers began to want a commit, and when they had it. [any]
class Commits {
 public:
  void Add(const test::Attempt& attempt) {
    if (attempt.error != nullptr) return;
    const std::lock_guard lock(mutex_);
    commits_.emplace_back(attempt.due, attempt.ended);
  }
  // Milliseconds of those that were under way at some time of the span.
  Series During(Moment from, Moment to) const {
    const std::lock_guard lock(mutex_);
    Series series;
    for (const auto& [due, ended] : commits_) {
      if (due <= to && ended >= from) series.Add(Milliseconds(ended - due).count());
    }
    return series;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<Moment, Moment>> commits_;
};

// When the migration of a ledger came to each of its states.
class StateWatch {
 public:
  explicit StateWatch(const std::string& url) : thread_([this, url] { Watch(url); }) {}
  ~StateWatch() {
    stopping_ = true;
    thread_.join();
  }
  StateWatch(const StateWatch&) = delete;
  StateWatch& operator=(const StateWatch&) = delete;

  Moment When(const std::string& state) const {
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(state);
    if (found == seen_.end()) throw std::runtime_error("the migration was not seen in " + state);
    return found->second;
  }

 private:
  void Watch(const std::string& url) {
    test::Db db(url);
    for (; !stopping_; std::this_thread::sleep_for(kLook)) {
      const std::string state =
          db.Value("SELECT coalesce(max(state), '') FROM summa_host.migration");
      const std::lock_guard lock(mutex_);
      seen_.emplace(state, Clock::now());
    }
  }

  mutable std::mutex mutex_;
  std::map<std::string, Moment> seen_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// What one strategy did to the writers.
struct Measured {
  std::string strategy, exclusive_lock_ms;
  double rows_per_second = 0;
  Series before, copy, exchange;
  std::map<std::string, long long> retryable;  // errors by SQLSTATE
  std::size_t other_errors = 0;
  std::vector<std::string> broken;  // promises
  double Ratio() const { return exchange.Quantile(0.99) / before.Quantile(0.99); }
  long long Retryable() const {
    long long sum = 0;
    for (const auto& [state, count] : retryable) sum += count;
    return sum;
  }
};

class MigrationBenchmark {
 public:
  explicit MigrationBenchmark(const Options& options)
      : options_(options), server_(RealisticPostgres()) {}

  int Run() {
    const long long wanted = options_.Number("events");
    Say("making a ledger of " + Grouped(static_cast<double>(wanted)) + " events");
    const std::string flat =
        MakeHistory(server_, "flat", wanted, static_cast<int>(options_.Number("months")));
    events_ = test::Db(flat).Count("SELECT count(*) FROM ledger_event");
    server_.CreateDatabase("online", "flat");
    measured_.push_back(Measure("online", "online"));
    server_.DropDatabase("online");
    measured_.push_back(Measure("attach", "flat"));
    options_.Json() ? PrintJson() : Print();
    bool whole = true;
    for (const Measured& each : measured_) {
      whole &= each.broken.empty() && each.other_errors == 0;
      if (!each.broken.empty()) Say(each.strategy + ": " + test::Report(each.broken));
    }
    return whole ? 0 : 1;
  }

 private:
  Measured Measure(const std::string& strategy, const std::string& database) {
    Commits commits;
    test::MigrationLoadOptions load_options;
    load_options.rate = options_.Real("rate");
    load_options.makes_up = true;
    load_options.large = true;
    load_options.on_attempt = [&commits](const test::Attempt& attempt) { commits.Add(attempt); };
    test::MigrationLoad load(server_, database, load_options);
    Say(strategy + ": the load begins");
    load.Start();
    const std::chrono::duration<double> part(options_.Real("seconds"));
    std::this_thread::sleep_for(part / 4);  // warms the caches
    const Moment began = Clock::now();
    std::this_thread::sleep_for(part);
    Say(strategy + ": migrating");
    const Moment asked = Clock::now();
    const StateWatch watch(load.url());
    const std::string status = load.Migrate(
        {"--strategy=" + strategy, "--batch-size", std::to_string(options_.Number("batch-size")),
         "--workers", std::to_string(options_.Number("workers")), "--yes"},
        "swapped");
    const Moment exchanged = watch.When("swapped");
    std::this_thread::sleep_until(exchanged + kWindow);
    load.WaitForMore();
    Measured measured;
    measured.exclusive_lock_ms = test::JsonMember(status, "exclusiveLockMs").value_or("unknown");
    if (strategy == "online") load.Migrate({"--finalize", "--yes"}, "finalized");
    Say(strategy + ": checking");
    measured.broken = load.Finish();
    measured.strategy = strategy;
    measured.rows_per_second = static_cast<double>(events_) / SecondsBetween(asked, exchanged);
    measured.before = commits.During(began, asked);
    measured.copy = commits.During(asked, exchanged - kWindow);
    measured.exchange = commits.During(exchanged - kWindow, exchanged + kWindow);
    measured.retryable = load.errors().Retryable();
    measured.other_errors = load.errors().Others().size();
    return measured;
  }

  static std::vector<std::string> LineOf(const std::string& name, const Series& series) {
    return {name, Grouped(static_cast<double>(series.Count())), Fixed(series.Median(), 1),
            Fixed(series.Quantile(0.99), 1), Fixed(series.Max(), 1)};
  }
  void Print() const {
    std::cout << MachineText() << "; PostgreSQL " << PostgresVersion(server_.Url("postgres"))
              << "; " << Grouped(static_cast<double>(events_)) << " events; "
              << Fixed(options_.Real("rate"), 0) << " transactions a second by eight writers\n";
    for (const Measured& each : measured_) {
      std::cout << "\n"
                << each.strategy << ": " << Grouped(each.rows_per_second)
                << " rows/s until the exchange; exclusiveLockMs " << each.exclusive_lock_ms
                << "\n\n";
      PrintTable({{"from due to committed, ms", "commits", "p50", "p99", "max"},
                  LineOf("before", each.before),
                  LineOf("during the copy", each.copy),
                  LineOf("a second around the exchange", each.exchange)});
      std::cout << "p99 at the exchange / before: " << Fixed(each.Ratio(), 2)
                << "; errors that are repeated: " << each.Retryable()
                << ", other errors: " << each.other_errors
                << ", broken promises: " << each.broken.size() << "\n";
    }
  }

  static void Write(JsonWriter& json, const char* name, const Series& series) {
    json.Key(name)
        .BeginObject()
        .Member("commits", static_cast<long long>(series.Count()))
        .Member("p50Ms", series.Median())
        .Member("p99Ms", series.Quantile(0.99))
        .Member("maxMs", series.Max())
        .EndObject();
  }
  void PrintJson() const {
    JsonWriter json;
    json.BeginObject().Member("benchmark", "migration").Member("machine", MachineText());
    json.Member("events", events_).Key("measured").BeginArray();
    for (const Measured& each : measured_) {
      json.BeginObject().Member("strategy", each.strategy);
      json.Member("rowsPerSecond", each.rows_per_second);
      json.Member("exclusiveLockMs", each.exclusive_lock_ms);
      Write(json, "before", each.before);
      Write(json, "copy", each.copy);
      Write(json, "exchange", each.exchange);
      json.Member("ratio", each.Ratio())
          .Member("retryableErrors", each.Retryable())
          .Member("otherErrors", static_cast<long long>(each.other_errors))
          .Member("broken", static_cast<long long>(each.broken.size()))
          .EndObject();
    }
    json.EndArray().EndObject();
    std::cout << json.Take() << "\n";
  }

  const Options& options_;
  test::PostgresServer server_;
  long long events_ = 0;
  std::vector<Measured> measured_;
};

int RunMigration(int count, char** words) {
  const char* events = std::getenv("SUMMA_BENCH_EVENTS");
  const Options options(
      count, words,
      "What writers notice while ledger_event is migrated to partitions, online and by attaching "
      "the flat table. Readers read, and hosts deliver and verify meanwhile. Ends with 1 when "
      "something is lost, or when there was an error that a repetition does not cure.",
      {{"events", events != nullptr ? events : "5000000", "events of the ledger"},
       {"months", "12", "months that the events are spread over"},
       {"rate", "200", "transactions per second"},
       {"seconds", "20", "how long writers are measured before the migration"},
       {"batch-size", "50000", "--batch-size of the migration"},
       {"workers", "2", "--workers of the migration"}});
  if (options.Number("events") < 100 * kVersions || options.Real("rate") <= 0) {
    throw std::runtime_error("--events is at least 1200, --rate above 0");
  }
  return MigrationBenchmark(options).Run();
}

}  // namespace
}  // namespace summa::bench

int main(int count, char** words) {
  return summa::bench::Guarded(summa::bench::RunMigration, count, words);
}
