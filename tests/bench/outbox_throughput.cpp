// The rate of a backlog: bare XADD, bare read and mark, and the product, by turns, each on a fresh
// copy of the same database after a checkpoint.
#include <algorithm>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <summa/json.hpp>

#include "tests/bench/outbox_bench.hpp"
#include "tests/bench/outbox_data.hpp"
#include "tests/bench/servers.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/redis_server.hpp"

namespace summa::bench {
namespace {

constexpr std::size_t kWindows[] = {100, 300, 1000, 3000};
constexpr std::size_t kWindowSample = 100'000;  // messages each window is tried with
constexpr char kTemplate[] = "backlog";
constexpr char kCopy[] = "run";

class Throughput {
 public:
  explicit Throughput(const Options& options)
      : rows_(static_cast<std::size_t>(options.Number("rows"))),
        accounts_(options.Number("accounts")),
        repeat_(options.Number("repeat")),
        batch_(static_cast<std::size_t>(options.Number("batch"))),
        json_(options.Json()),
        postgres_(RealisticPostgres()),
        redis_(redis_server_.Url()) {
    if (rows_ == 0 || accounts_ == 0 || repeat_ == 0 || batch_ == 0) {
      throw std::runtime_error("--rows, --accounts, --repeat and --batch are at least 1");
    }
  }

  void Run() {
    Prepare();
    ChooseWindow();
    for (long long turn = 1; turn <= repeat_; ++turn) {
      Say("turn " + std::to_string(turn) + " of " + std::to_string(repeat_));
      AddTurn();
      ReadAndMarkTurn();
      ProductTurn();
    }
    if (json_) {
      PrintJson();
    } else {
      PrintResult();
    }
  }

 private:
  void Prepare() {
    Say("making " + std::to_string(rows_) + " outbox rows");
    const std::string url = test::InstallLedger(postgres_, kTemplate);
    OutboxHost(url, redis_server_.Url()).RunToEnd({"migrate"});
    {
      test::Db db(url);
      db.Query("SELECT fixture.bulk_outbox($1::bigint, $2::integer)",
               {std::to_string(rows_), std::to_string(accounts_)});
      db.Execute("VACUUM (FREEZE, ANALYZE)");
    }
    messages_.reserve(rows_);
    ReadPending(url, true, [&](const Uuid&, Message&& message) {
      bytes_ += message.Bytes();
      ids_.push_back(message.id);
      messages_.push_back(std::move(message));
    });
    std::sort(ids_.begin(), ids_.end());
    if (messages_.size() != rows_) throw std::runtime_error("not every row has its event");
  }

  // Files are copied, nothing is rewritten: every turn finds the same pages, none of them in
  // shared_buffers, all of them in the memory of the system.
  std::string FreshCopy() {
    if (copied_) postgres_.DropDatabase(kCopy);
    copied_ = true;
    test::Db admin(postgres_.Url("postgres"));
    admin.Execute(std::string("CREATE DATABASE ") + kCopy + " TEMPLATE " + kTemplate +
                  " STRATEGY FILE_COPY");
    admin.Execute("CHECKPOINT");
    return postgres_.Url(kCopy);
  }

  void ChooseWindow() {
    double best = 0;
    for (const std::size_t window : kWindows) {
      redis_.Clear();
      const std::size_t sample = std::min(rows_, kWindowSample);
      const Stopwatch watch;
      redis_.Add(messages_, sample, window);
      const double rate = static_cast<double>(sample) / watch.Seconds();
      if (rate <= best) continue;
      best = rate;
      window_ = window;
    }
  }

  void AddTurn() {
    redis_.Clear();
    const Stopwatch watch;
    redis_.Add(messages_, messages_.size(), window_);
    const double seconds = watch.Seconds();
    RequireDelivered(ReadStreams(redis_), ids_, bytes_, "bare XADD");
    add_.Add(seconds);
  }

  void ReadAndMarkTurn() {
    redis_.Clear();
    const std::string url = FreshCopy();
    std::vector<Uuid> read;
    read.reserve(rows_);
    const Stopwatch watch;
    ReadPending(url, false, [&](const Uuid& id, Message&&) { read.push_back(id); });
    const double reading = watch.Seconds();
    MarkInBatches(url, read, batch_);
    const double seconds = watch.Seconds();
    RequireMarked(url, "bare read and mark");
    read_.Add(reading);
    mark_.Add(seconds - reading);
    read_and_mark_.Add(seconds);
  }

  void ProductTurn() {
    redis_.Clear();
    const std::string url = FreshCopy();
    OutboxHost host(url, redis_server_.Url());
    const OutboxHost::Finished run = host.RunToEnd({"run", "--once"});
    RequireMarked(url, "summa-host");
    const Found found = ReadStreams(redis_);
    RequireDelivered(found, ids_, bytes_, "summa-host");
    const double last = std::stod(test::Db(url).Value(
        "SELECT (extract(epoch FROM max(processed_at)) * 1000)::float8 FROM outbox"));
    product_.Add(run.seconds);
    delivering_.Add((last - found.first_milliseconds) / 1000);
    host_cpu_.Add(run.cpu_seconds);
  }

  void RequireMarked(const std::string& url, const std::string& what) const {
    const auto marked = test::Db(url).Count(
        "SELECT count(*) FROM outbox WHERE status = 'processed' AND processed_at IS NOT NULL");
    if (marked != static_cast<long long>(rows_)) {
      throw std::runtime_error(what + " marked " + std::to_string(marked) + " of " +
                               std::to_string(rows_) + " rows");
    }
  }

  double Rate(double seconds) const { return static_cast<double>(rows_) / seconds; }
  double Limit() const { return std::min(Rate(add_.Median()), Rate(read_and_mark_.Median())); }
  double Ratio() const { return Rate(product_.Median()) / Limit(); }

  std::vector<std::string> Line(const std::string& name, const Series& seconds) const {
    return {name,
            Grouped(Rate(seconds.Median())),
            Grouped(Rate(seconds.Max())) + " to " + Grouped(Rate(seconds.Min())),
            Fixed(seconds.Median(), 2),
            Fixed(seconds.Min(), 2) + " to " + Fixed(seconds.Max(), 2),
            Fixed(Rate(seconds.Median()) / Limit(), 2)};
  }

  void PrintResult() const {
    std::cout << "outbox to Redis: " << Grouped(static_cast<double>(rows_)) << " rows, "
              << Grouped(static_cast<double>(accounts_)) << " accounts, " << repeat_
              << " turns, each on a fresh copy of the database\n"
              << MachineText() << "; PostgreSQL " << PostgresVersion(postgres_.Url("postgres"))
              << "\n\n";
    PrintTable({{"", "rows/s", "min to max", "seconds", "min to max", "of the limit"},
                Line("bare XADD, windows of " + std::to_string(window_), add_),
                Line("bare read", read_),
                Line("bare mark, batches of " + std::to_string(batch_), mark_),
                Line("bare read and mark", read_and_mark_),
                Line("summa-host run --once", product_),
                Line("  first to last delivery", delivering_)});
    std::cout << "\nratio " << Fixed(Ratio(), 2) << " (goal: 0.50), "
              << Grouped(Rate(product_.Median())) << " rows/s (goal: 30,000); CPU of the host "
              << Fixed(host_cpu_.Median(), 2) << " s\n";
  }

  void WriteLine(JsonWriter& json, const char* name, const Series& seconds) const {
    json.Key(name)
        .BeginObject()
        .Member("rowsPerSecond", Rate(seconds.Median()))
        .Member("rowsPerSecondMin", Rate(seconds.Max()))
        .Member("rowsPerSecondMax", Rate(seconds.Min()))
        .Member("seconds", seconds.Median())
        .Member("secondsMin", seconds.Min())
        .Member("secondsMax", seconds.Max())
        .EndObject();
  }

  void PrintJson() const {
    JsonWriter json;
    json.BeginObject()
        .Member("benchmark", "outbox")
        .Member("machine", MachineText())
        .Member("postgresql", PostgresVersion(postgres_.Url("postgres")))
        .Member("rows", static_cast<std::int64_t>(rows_))
        .Member("accounts", accounts_)
        .Member("turns", repeat_)
        .Member("window", static_cast<std::int64_t>(window_));
    WriteLine(json, "bareAdd", add_);
    WriteLine(json, "bareRead", read_);
    WriteLine(json, "bareMark", mark_);
    WriteLine(json, "bareReadAndMark", read_and_mark_);
    WriteLine(json, "product", product_);
    WriteLine(json, "productFirstToLast", delivering_);
    json.Member("hostCpuSeconds", host_cpu_.Median()).Member("ratio", Ratio()).EndObject();
    std::cout << json.Take() << "\n";
  }

  const std::size_t rows_;
  const long long accounts_, repeat_;
  const std::size_t batch_;
  const bool json_;
  test::PostgresServer postgres_;
  test::RedisServer redis_server_;
  Redis redis_;
  std::vector<Message> messages_;
  std::vector<std::string> ids_;  // sorted
  std::size_t bytes_ = 0;
  bool copied_ = false;  // there is a copy of an earlier turn
  std::size_t window_ = kWindows[0];
  Series add_, read_, mark_, read_and_mark_, product_, delivering_, host_cpu_;
};

}  // namespace

void MeasureThroughput(const Options& options) { Throughput(options).Run(); }

}  // namespace summa::bench
