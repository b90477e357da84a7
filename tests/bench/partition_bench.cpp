// What partitions cost: their making (the migration, online and by attaching the flat table), the
// guard of uniqueness, verification with and without pruning, and everyday work beside a flat
// table. Every ratio is of one run on one server.
#include <chrono>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <summa/operation.hpp>
#include <summa/testkit/fake_host.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "host/abi/operation_service.hpp"
#include "host/clock.hpp"
#include "migration/migration.hpp"
#include "tests/bench/lines.hpp"
#include "tests/bench/partition_data.hpp"
#include "tests/bench/partition_growth.hpp"
#include "tests/bench/partition_work.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/servers.hpp"
#include "verify/verify.hpp"

namespace summa::bench {
namespace {

// The shipped migration, driven in this process.
class Migrating {
 public:
  explicit Migrating(const std::string& url) : hosted_(url), watching_(url) {
    fake_.SetOperations(service_.table());
  }

  // Until it is ready to be exchanged. Seconds.
  double Start(const std::string& strategy, long long workers) {
    const Stopwatch watch;
    OperationRequest request;
    request.kind = maintenance::kMigrationKind;
    request.single = true;
    request.arguments = R"({"strategy":")" + strategy +
                        R"(","interval":"monthly","verify":"checksum","batchSize":50000,)" +
                        R"("workers":)" + std::to_string(workers) + R"(,"swap":false})";
    id_ = StartOperation(fake_.host(), hosted_.sql(), request);
    Run("ready");
    return watch.Seconds();
  }
  // Exchanges the tables and drops the flat one.
  void Finish() {
    for (const auto& [request, state] :
         {std::pair("swap", "swapped"), std::pair("finalize", "finalized")}) {
      watching_.Change("UPDATE summa_host.migration SET request = $1", {request});
      Run(state);
    }
  }
  // How long it was in a state, between two of its steps.
  double SecondsIn(const std::string& state) const {
    const auto found = seconds_.find(state);
    return found == seconds_.end() ? 0 : found->second;
  }
  // "planned 0.1 s, syncing 0.1 s, ..."
  std::string SecondsText() const {
    std::string text;
    for (const char* state : {"planned", "syncing", "backfilling", "indexing", "verifying"}) {
      text.append(text.empty() ? "" : ", ").append(state).append(" ");
      text.append(Fixed(SecondsIn(state), 2)).append(" s");
    }
    return text;
  }

 private:
  std::string State() {
    return watching_.Value("SELECT coalesce((SELECT state FROM summa_host.migration), 'planned')");
  }
  void Follow() {
    const BootTime now = clock_.BootNow();
    seconds_[state_] += std::chrono::duration<double>(now - seen_).count();
    fake_.Advance(now - seen_);
    seen_ = now;
    state_ = State();
  }
  void Run(const std::string& until) {
    seen_ = clock_.BootNow();
    state_ = State();
    maintenance::Migration migration(fake_.host());
    const WorkCaller caller{[this] { return fake_.host().BootNow(); },
                            [this, &migration] {
                              Follow();
                              return migration.waits_for_people();
                            },
                            [this](std::chrono::microseconds time) {
                              std::this_thread::sleep_for(time);
                              Follow();
                              return false;
                            }};
    RunOperation(fake_.host(), hosted_.sql(), caller, migration.Binding(), id_);
    Follow();
    if (state_ != until) throw std::runtime_error("the migration is " + state_ + ", not " + until);
  }

  HostedSql hosted_;
  test::Db watching_;
  const host::Clock& clock_ = host::SystemClock();
  host::OperationService service_{
      "maintenance",
      {{maintenance::kMigrationKind, "", maintenance::kMigrationKind, 1, 0}},
      "bench/1",
      "bench",
      clock_};
  testkit::FakeHost fake_;
  std::int64_t id_ = 0;
  BootTime seen_{};
  std::string state_;
  std::map<std::string, double> seconds_;
};

// Every aggregate in turn, appended to by one client: a version of each, then the next.
class Appender {
 public:
  explicit Appender(const std::string& url) : db_(url) {
    db_.Execute("SET synchronous_commit = off");  // what is compared is work, not the disk
    db_.Execute(
        "PREPARE append (text, int, text, text) AS INSERT INTO ledger_event (aggregate_type, "
        "aggregate_id, aggregate_version, event_type, event_data, correlation_id, hash, prev_hash) "
        "VALUES ('appended', md5($1)::uuid, $2, 'TransactionPosted', '{\"amount\": 100, "
        "\"category\": \"credit\", \"reference\": \"bench\"}', gen_random_uuid(), $3, $4)");
  }
  // Seconds.
  double Append(int events) {
    const Stopwatch watch;
    for (int i = 0; i < events; ++i) {
      const long long aggregate = appended_ % kAggregates, version = appended_ / kAggregates + 1;
      const std::string previous = version == 1 ? "NULL" : Hash(aggregate, version - 1);
      db_.Execute("EXECUTE append ('" + std::to_string(aggregate) + "', " +
                  std::to_string(version) + ", " + Hash(aggregate, version) + ", " + previous +
                  ")");
      ++appended_;
    }
    return watch.Seconds();
  }

 private:
  static constexpr long long kAggregates = 100;
  static std::string Hash(long long aggregate, long long version) {
    return "'bench-" + std::to_string(aggregate) + "-" + std::to_string(version) + "'";
  }

  test::Db db_;
  long long appended_ = 0;
};

class PartitionBenchmark {
 public:
  explicit PartitionBenchmark(const Options& options)
      : rows_(options.Number("rows")),
        repeat_(options.Number("repeat")),
        workers_(options.Number("workers")),
        months_(static_cast<int>(options.Number("months"))),
        json_(options.Json()),
        server_(RealisticPostgres()) {}

  void Run() {
    Say("making a ledger of " + Grouped(static_cast<double>(rows_)) + " events");
    flat_ = MakeHistory(server_, "flat", rows_, months_);
    events_ = test::Db(flat_).Count("SELECT count(*) FROM ledger_event");
    MeasureMigration();
    MeasureGuard();
    MeasureEveryday();
    for (const int partitions : {1, 12, 120}) MeasurePruning(partitions);
    lines_.Print(
        PostgresVersion(flat_),
        Grouped(static_cast<double>(events_)) + " events, " + std::to_string(months_) + " months",
        json_);
  }

 private:
  std::string Copy(const std::string& name) { return server_.CreateDatabase(name, "flat"); }

  // (a) to (c). The last online copy stays, exchanged: it is the partitioned ledger of the rest.
  void MeasureMigration() {
    Series bare, batched, online, copied, attach;
    for (long long turn = 1; turn <= repeat_; ++turn) {
      Say("migrating, " + std::to_string(turn) + " of " + std::to_string(repeat_));
      bare.Add(Scratch([](const std::string& url) { return CopyBare(url); }));
      batched.Add(Scratch([](const std::string& url) { return CopyInBatches(url); }));
      attach.Add(Scratch(
          [this](const std::string& url) { return Migrating(url).Start("attach", workers_); }));
      if (turn > 1) server_.DropDatabase("partitioned");
      partitioned_ = Copy("partitioned");
      Migrating migrating(partitioned_);
      online.Add(migrating.Start("online", workers_));
      copied.Add(migrating.SecondsIn("backfilling") + migrating.SecondsIn("indexing"));
      Say("online: " + migrating.SecondsText());
      if (turn == repeat_) migrating.Finish();
    }
    lines_.AddRate("online, copy and indexes, rows/s", events_, bare, copied, "at least 0.65");
    lines_.AddRate("online, until it is ready, rows/s", events_, bare, online);
    lines_.AddRate("50,000 rows at a time into indexes, rows/s", events_, bare, batched);
    lines_.AddRate("attach beside online, rows/s", events_, online, attach, "at least 2.5");
  }

  // In a copy of the flat ledger, which is dropped.
  template <typename Work>
  double Scratch(const Work& work) {
    const std::string url = Copy("scratch");
    const double seconds = work(url);
    server_.DropDatabase("scratch");
    return seconds;
  }

  void MeasureGuard() {
    Say("appending");
    Appender flat(flat_), guarded(partitioned_);
    Series base, ours;
    for (int round = 0; round <= kRounds; ++round) {
      const double a = flat.Append(kAppends), b = guarded.Append(kAppends);
      if (round == 0) continue;  // warms the caches
      base.Add(a * 1000 / kAppends);
      ours.Add(b * 1000 / kAppends);
    }
    lines_.AddTime("insert of one event, not waiting for the disk, ms", base, ours);
  }

  void MeasureEveryday() {
    EverydayWork flat(flat_, rows_ / kVersions), partitioned(partitioned_, rows_ / kVersions);
    for (const Everyday& everyday : kEveryday) {
      Say(everyday.name);
      Series base, ours;
      for (int round = 0; round <= kRounds; ++round) {
        const double a = Milliseconds(flat, everyday), b = Milliseconds(partitioned, everyday);
        if (round == 0) continue;
        base.Add(a);
        ours.Add(b);
      }
      lines_.AddTime(std::string(everyday.name) + ", ms", base, ours);
    }
  }

  // The same verification on the same table, with the planner's pruning off and on.
  void MeasurePruning(int partitions) {
    const std::string name = "months_" + std::to_string(partitions);
    Say("verifying " + std::to_string(partitions) + " partitions");
    const std::string url = MakeHistory(server_, name, rows_ / 2, partitions);
    PartitionForReading(url);
    test::Db db(url);
    const auto since = db.Count(
        "SELECT (extract(epoch FROM max(created_at) - interval '1 day' - timestamptz '2000-01-01 "
        "00:00:00+00') * 1000000)::bigint FROM ledger_event");
    Series all, base, ours;
    for (int round = 0; round <= kRounds; ++round) {
      db.Execute("ALTER DATABASE " + name + " SET enable_partition_pruning = off");
      const double a = VerifySince(url, since);
      db.Execute("ALTER DATABASE " + name + " RESET enable_partition_pruning");
      const double b = VerifySince(url, since);
      const double whole = VerifySince(url, std::nullopt);
      if (round == 0) continue;
      base.Add(a);
      ours.Add(b);
      all.Add(whole);
    }
    const std::string text = std::to_string(partitions) + " partitions";
    lines_.AddTime("verification of a day of " + text + ", without and with pruning, ms", base,
                   ours);
    lines_.AddTime("verification of " + text + ", a day and all of it, ms", ours, all);
  }

  static double VerifySince(const std::string& url, std::optional<long long> since) {
    const HostedSql hosted(url);
    verify::VerifyOptions options;
    options.snapshot_table.clear();
    options.created_since = since;
    const Stopwatch watch;
    const verify::ChainReport report = verify::VerifyChains(hosted.sql(), options);
    if (report.finding_count > 0 || report.events == 0) {
      throw std::runtime_error("the verification is wrong");
    }
    return watch.Seconds() * 1000;
  }

  static constexpr int kRounds = 3, kAppends = 1000;
  const long long rows_, repeat_, workers_;
  const int months_;
  const bool json_;
  test::PostgresServer server_;
  std::string flat_, partitioned_;
  long long events_ = 0;
  Lines lines_{"partition"};
};

constexpr char kNoGrowth[] = "none";

int RunPartition(int count, char** words) {
  const Options options(
      count, words,
      "Migration of ledger_event to partitions against bare loops that copy the same rows, and "
      "what partitions and their guard cost afterwards. Writers are idle.",
      {{"growth", kNoGrowth,
        "FROM,TO: everyday work instead, with so many events and with so many, such as "
        "1000000,20000000"},
       {"rows", "200000", "events of the ledger; half as many for each verification"},
       {"months", "12", "months that the events are spread over"},
       {"workers", "2", "workers of the migration"},
       {"repeat", "3", "how often the table is migrated"}});
  if (options.Number("rows") < 10 * kVersions || options.Number("repeat") < 1) {
    throw std::runtime_error("--rows is at least 120, --repeat at least 1");
  }
  if (options.Text("growth") != kNoGrowth) {
    MeasureGrowth(options.Text("growth"), static_cast<int>(options.Number("months")),
                  options.Json());
    return 0;
  }
  PartitionBenchmark(options).Run();
  return 0;
}

}  // namespace
}  // namespace summa::bench

int main(int count, char** words) {
  return summa::bench::Guarded(summa::bench::RunPartition, count, words);
}
