// What partitions cost: their making (the migration, online and by attaching the flat table), the
// guard of uniqueness, verification with and without pruning, and everyday work beside a flat
// table. Every ratio is of one run on one server.
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <summa/json.hpp>
#include <summa/ledger/reader.hpp>
#include <summa/operation.hpp>
#include <summa/testkit/fake_host.hpp>
#include <summa/uuid.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "host/abi/operation_service.hpp"
#include "host/abi/sql_service.hpp"
#include "host/clock.hpp"
#include "migration/migration.hpp"
#include "tests/bench/partition_data.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/servers.hpp"
#include "verify/verify.hpp"

namespace summa::bench {
namespace {

// summa.sql/1 on a database, as a plugin gets it from the host.
class HostedSql {
 public:
  explicit HostedSql(const std::string& url) {
    host::DatabaseSettings settings;
    settings.url = url;
    settings.application_name = "bench-partition";
    settings.pool = 8;
    service_ = std::make_unique<host::SqlService>(
        std::map<std::string, std::shared_ptr<host::SessionPool>>{
            {"ledger", std::make_shared<host::SessionPool>(settings)}});
  }
  const summa_sql_v1* sql() const { return service_->unleased(); }

 private:
  std::unique_ptr<host::SqlService> service_;
};

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

// One line of the result: `ours` beside `base`, in the unit that `name` says.
struct Line {
  std::string name;
  double base = 0, ours = 0;
  double ratio = 0;
  std::string goal;
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

// What goes on in a ledger every day, each a call that is timed.
class EverydayWork {
 public:
  EverydayWork(const std::string& url, long long aggregates)
      : hosted_(url),
        db_(url),
        session_(hosted_.sql()),
        aggregates_(aggregates),
        table_(ledger::FindEvents(session_)),
        reader_(table_, {db_.Count("SELECT max(sequence_number) FROM ledger_event"), {}}) {
    options_.snapshot_table.clear();
    db_.Execute(
        "PREPARE latest (text) AS SELECT aggregate_version, hash FROM ledger_event WHERE "
        "aggregate_type = 'transaction' AND aggregate_id = md5('bench-' || $1)::uuid ORDER BY "
        "aggregate_version DESC LIMIT 1; "
        "PREPARE tail AS SELECT * FROM summa_host.outbox_tail(now() - interval '1 hour', 'bench', "
        "'{}', 1001, false, false)");
  }

  void Append() { db_.Query("SELECT fixture.credit(fixture.account_id(1), 5)"); }
  void ReadLatest() {
    if (db_.Value("EXECUTE latest ('" + Next() + "')") != std::to_string(kVersions)) {
      throw std::runtime_error("the latest version is another");
    }
  }
  void PollStore() {
    reader_.Poll(session_, [](const ledger::StoredEvent&) {});
  }
  void PollOutbox() { db_.Query("EXECUTE tail"); }
  void VerifyOne() {
    const auto id = *ParseUuid(db_.Value("SELECT " + AggregateId("'" + Next() + "'") + "::text"));
    const auto report = verify::VerifyAggregate(hosted_.sql(), options_, "transaction", id);
    if (!report.valid || report.event_count != kVersions) {
      throw std::runtime_error("the verification is wrong");
    }
  }

 private:
  // Spread over the table, the same for both.
  std::string Next() { return std::to_string((next_ += 7919) % aggregates_ + 1); }

  HostedSql hosted_;
  test::Db db_;
  Session session_;
  const long long aggregates_;
  ledger::EventTable table_;
  ledger::EventReader reader_;
  verify::VerifyOptions options_;
  long long next_ = 0;
};

struct Everyday {
  const char* name;
  void (EverydayWork::*call)();
  int calls;              // of a round
  bool append_each_time;  // unmeasured, so that there is something to find
};
constexpr Everyday kEveryday[] = {
    {"append, committed", &EverydayWork::Append, 100, false},
    {"latest version of an aggregate", &EverydayWork::ReadLatest, 500, false},
    {"poll of the store with the hole list", &EverydayWork::PollStore, 100, true},
    {"poll of the outbox", &EverydayWork::PollOutbox, 20, false},
    {"verification of one aggregate", &EverydayWork::VerifyOne, 50, false},
};

double Milliseconds(EverydayWork& work, const Everyday& everyday) {
  double seconds = 0;
  for (int i = 0; i < everyday.calls; ++i) {
    if (everyday.append_each_time) work.Append();
    const Stopwatch watch;
    (work.*everyday.call)();
    seconds += watch.Seconds();
  }
  return seconds * 1000 / everyday.calls;
}

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
    json_ ? PrintJson() : Print();
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
    AddRate("online, copy and indexes, rows/s", bare, copied, "at least 0.65");
    AddRate("online, until it is ready, rows/s", bare, online, "");
    AddRate("50,000 rows at a time into indexes, rows/s", bare, batched, "");
    AddRate("attach beside online, rows/s", online, attach, "at least 2.5");
  }

  // In a copy of the flat ledger, which is dropped.
  template <typename Work>
  double Scratch(const Work& work) {
    const std::string url = Copy("scratch");
    const double seconds = work(url);
    server_.DropDatabase("scratch");
    return seconds;
  }

  void AddRate(const std::string& name, const Series& base, const Series& ours,
               const std::string& goal) {
    const auto rows = static_cast<double>(events_);
    lines_.push_back(
        {name, rows / base.Median(), rows / ours.Median(), base.Median() / ours.Median(), goal});
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
    AddTime("insert of one event, not waiting for the disk, ms", base, ours, "");
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
      AddTime(std::string(everyday.name) + ", ms", base, ours, "at most 1.2");
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
    AddTime("verification of a day of " + text + ", without and with pruning, ms", base, ours, "");
    AddTime("verification of " + text + ", a day and all of it, ms", ours, all, "");
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

  void AddTime(const std::string& name, const Series& base, const Series& ours,
               const std::string& goal) {
    lines_.push_back({name, base.Median(), ours.Median(), ours.Median() / base.Median(), goal});
  }

  void Print() const {
    std::cout << MachineText() << "; PostgreSQL " << PostgresVersion(flat_) << "; "
              << Grouped(static_cast<double>(events_)) << " events, " << months_ << " months\n\n";
    std::vector<std::vector<std::string>> table = {{"", "base", "measured", "ratio", "goal"}};
    for (const Line& line : lines_) {
      table.push_back(
          {line.name, Text(line.base), Text(line.ours), Fixed(line.ratio, 2), line.goal});
    }
    PrintTable(table);
  }
  static std::string Text(double value) { return value < 1000 ? Fixed(value, 3) : Grouped(value); }

  void PrintJson() const {
    JsonWriter json;
    json.BeginObject()
        .Member("benchmark", "partition")
        .Member("machine", MachineText())
        .Member("postgresql", PostgresVersion(flat_))
        .Member("events", events_)
        .Member("months", months_)
        .Key("measured")
        .BeginArray();
    for (const Line& line : lines_) {
      json.BeginObject()
          .Member("name", line.name)
          .Member("base", line.base)
          .Member("measured", line.ours)
          .Member("ratio", line.ratio)
          .Member("goal", line.goal)
          .EndObject();
    }
    json.EndArray().EndObject();
    std::cout << json.Take() << "\n";
  }

  static constexpr int kRounds = 3, kAppends = 1000;
  const long long rows_, repeat_, workers_;
  const int months_;
  const bool json_;
  test::PostgresServer server_;
  std::string flat_, partitioned_;
  long long events_ = 0;
  std::vector<Line> lines_;
};

int RunPartition(int count, char** words) {
  const Options options(
      count, words,
      "Migration of ledger_event to partitions against bare loops that copy the same rows, and "
      "what partitions and their guard cost afterwards. Writers are idle.",
      {{"rows", "200000", "events of the ledger; half as many for each verification"},
       {"months", "12", "months that the events are spread over"},
       {"workers", "2", "workers of the migration"},
       {"repeat", "3", "how often the table is migrated"}});
  if (options.Number("rows") < 10 * kVersions || options.Number("repeat") < 1) {
    throw std::runtime_error("--rows is at least 120, --repeat at least 1");
  }
  PartitionBenchmark(options).Run();
  return 0;
}

}  // namespace
}  // namespace summa::bench

int main(int count, char** words) {
  return summa::bench::Guarded(summa::bench::RunPartition, count, words);
}
