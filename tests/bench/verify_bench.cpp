// Verification of a million events, as one long chain and as half a million short ones, against
// bare COPY.
#include <libpq-fe.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <summa/json.hpp>
#include <thread>

#include "host/abi/sql_service.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/servers.hpp"
#include "tests/bench/verify_data.hpp"
#include "tests/services/db.hpp"
#include "verify/ranges.hpp"
#include "verify/verify.hpp"

namespace summa::bench {
namespace {

constexpr int kPool = 8;
constexpr double kMebibyte = 1024.0 * 1024.0;

// summa.sql/1 on a database, as a plugin gets it from the host.
class HostedSql {
 public:
  explicit HostedSql(const std::string& url) {
    host::DatabaseSettings settings;
    settings.url = url;
    settings.application_name = "bench-verify";
    settings.pool = kPool;
    service_ = std::make_unique<host::SqlService>(
        std::map<std::string, std::shared_ptr<host::SessionPool>>{
            {"ledger", std::make_shared<host::SessionPool>(settings)}});
  }
  const summa_sql_v1* sql() const { return service_->unleased(); }

 private:
  std::unique_ptr<host::SqlService> service_;
};

// Rows of one COPY, read and thrown away.
long long DrainCopy(PGconn* connection, const std::string& statement) {
  PGresult* started = PQexec(connection, statement.c_str());
  const bool copying = PQresultStatus(started) == PGRES_COPY_OUT;
  const std::string error = PQresultErrorMessage(started);
  PQclear(started);
  if (!copying) throw std::runtime_error("bare COPY: " + error);
  long long rows = 0;
  for (char* row = nullptr; PQgetCopyData(connection, &row, 0) > 0; ++rows) PQfreemem(row);
  while (PGresult* result = PQgetResult(connection)) PQclear(result);
  return rows - 1;  // the trailer
}

// The statements on connections that stay open, as those of the verification do, and with the same
// settings of the planner; nothing is done with the rows.
class BareCopy {
 public:
  BareCopy(const std::string& url, int connections) {
    for (int i = 0; i < connections; ++i) {
      connections_.push_back(std::make_unique<test::Db>(url));
      connections_.back()->Execute("SET max_parallel_workers_per_gather = 0; SET jit = off");
    }
  }

  // Seconds that all statements take.
  double Run(const std::vector<std::string>& statements, long long expected_rows) {
    std::atomic<std::size_t> next{0};
    std::atomic<long long> rows{0};
    const Stopwatch watch;
    std::vector<std::thread> threads;
    for (const auto& connection : connections_) {
      threads.emplace_back([&, db = connection.get()] {
        for (std::size_t at; (at = next++) < statements.size();) {
          rows += DrainCopy(db->Handle(), statements[at]);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    if (rows != expected_rows) throw std::runtime_error("bare COPY read " + std::to_string(rows));
    return watch.Seconds();
  }

 private:
  std::vector<std::unique_ptr<test::Db>> connections_;
};

// What the verification of chains reads, range by range.
std::vector<std::string> ChainStatements(const summa_sql_v1* sql, std::int64_t rows_per_range) {
  Session session(sql);
  const ledger::EventTable table = ledger::FindEvents(session);
  const auto ranges =
      verify::PlanRanges(session, table, rows_per_range, verify::EstimatedRows(session, table));
  std::vector<std::string> statements;
  for (const verify::Range& range : ranges) {
    const std::string id = range.only ? "" : "e.aggregate_id, ";
    statements.push_back("COPY (SELECT " + id +
                         "e.aggregate_version::bigint, e.prev_hash, e.hash, e.event_data FROM " +
                         table.name + " e WHERE " + verify::Condition(table, range) + " ORDER BY " +
                         id + "e.aggregate_version) TO STDOUT (FORMAT binary)");
  }
  return statements;
}

std::vector<std::string> BlockStatements(long long rows, std::int64_t rows_per_range) {
  std::vector<std::string> statements;
  for (long long above = 0; above < rows; above += rows_per_range) {
    statements.push_back(
        "COPY (SELECT e.sequence_number::bigint, e.hash FROM ledger_event e WHERE "
        "e.sequence_number > " +
        std::to_string(above) +
        " AND e.sequence_number <= " + std::to_string(above + rows_per_range) +
        " ORDER BY e.sequence_number) TO STDOUT (FORMAT binary)");
  }
  return statements;
}

// The peak of this process from now on.
void ResetPeakMemory() { std::ofstream("/proc/self/clear_refs") << "5"; }
double PeakMemoryMebibytes() {
  return static_cast<double>(test::UsageOf(getpid()).peak_resident_bytes) / kMebibyte;
}

void Require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error("the verification is wrong: " + what);
}

struct Measured {
  std::string name;
  long long rows = 0;
  Series ours, bare;  // seconds
  double Ratio() const { return bare.Median() / ours.Median(); }
};

class VerifyBenchmark {
 public:
  explicit VerifyBenchmark(const Options& options)
      : rows_(options.Number("rows")),
        repeat_(options.Number("repeat")),
        json_(options.Json()),
        server_(RealisticPostgres(false)) {
    verify_.connections = static_cast<int>(options.Number("connections"));
    verify_.snapshot_table.clear();
  }

  void Run() {
    Say("making one aggregate of " + Grouped(static_cast<double>(rows_)) + " events");
    const std::string one = MakeEventStore(server_, "one", 1, rows_, rows_ / 20);
    Say("making " + Grouped(static_cast<double>(rows_) / 2) + " aggregates of 2 events");
    const std::string many = MakeEventStore(server_, "many", rows_ / 2, 2, 0);
    ResetPeakMemory();
    MeasureChains("one aggregate", one, 1);
    MeasureChains("aggregates of 2", many, rows_ / 2);
    MeasureBlocks(one);
    MeasureSnapshot(one);
    peak_mebibytes_ = PeakMemoryMebibytes();
    version_ = PostgresVersion(one);
    if (json_) {
      PrintJson();
    } else {
      Print();
    }
  }

 private:
  void MeasureChains(const std::string& name, const std::string& url, long long aggregates) {
    const HostedSql hosted(url);
    BareCopy copy(url, verify_.connections);
    const auto statements = ChainStatements(hosted.sql(), verify_.rows_per_range);
    Measured& measured = all_.emplace_back(Measured{name, rows_, {}, {}});
    for (long long turn = 0; turn <= repeat_; ++turn) {
      const double bare = copy.Run(statements, rows_);
      const Stopwatch watch;
      const verify::ChainReport report = verify::VerifyChains(hosted.sql(), verify_);
      const double ours = watch.Seconds();
      Require(report.events == rows_ && report.aggregates == aggregates &&
                  report.finding_count == 0 && report.events_in_valid_prefixes == rows_,
              name);
      if (turn == 0) continue;  // warms the cache
      measured.bare.Add(bare);
      measured.ours.Add(ours);
    }
    Say(name + ": ratio " + Fixed(measured.Ratio(), 2));
  }

  void MeasureBlocks(const std::string& url) {
    const HostedSql hosted(url);
    BareCopy copy(url, verify_.connections);
    const long long block = rows_ / 20;
    const auto statements =
        BlockStatements(rows_, std::max(verify_.rows_per_range / block * block, block));
    Measured& measured = all_.emplace_back(Measured{"blocks", rows_, {}, {}});
    for (long long turn = 0; turn <= repeat_; ++turn) {
      const double bare = copy.Run(statements, rows_);
      const Stopwatch watch;
      const verify::BlockReport report = verify::VerifyBlocks(hosted.sql(), verify_);
      const double ours = watch.Seconds();
      Require(report.events == rows_ && report.valid == 20 && report.finding_count == 0, "blocks");
      if (turn == 0) continue;
      measured.bare.Add(bare);
      measured.ours.Add(ours);
    }
    Say("blocks: ratio " + Fixed(measured.Ratio(), 2));
  }

  void MeasureSnapshot(const std::string& url) {
    const HostedSql hosted(url);
    test::Db db(url);
    const long long tail = rows_ / 100, version = rows_ - tail;
    const auto row = db.Query(
        "SELECT aggregate_id, hash FROM ledger_event WHERE "
        "aggregate_version = $1::int",
        {std::to_string(version)});
    Uuid id{};
    {
      Session session(hosted.sql());
      id = session.Exec("SELECT aggregate_id FROM ledger_event LIMIT 1").Value<Uuid>();
    }
    const verify::SnapshotStart start{version, row[0][1]};
    for (long long turn = 0; turn <= repeat_; ++turn) {
      const Stopwatch full_watch;
      Require(
          verify::VerifyAggregate(hosted.sql(), verify_, "transaction", id).event_count == rows_,
          "full aggregate");
      const double full = full_watch.Seconds();
      const Stopwatch tail_watch;
      const auto report = verify::VerifyAggregate(hosted.sql(), verify_, "transaction", id, start);
      const double from_snapshot = tail_watch.Seconds();
      Require(report.valid && report.event_count == rows_ && report.verified_from == version,
              "aggregate from its snapshot");
      if (turn == 0) continue;
      full_.Add(full);
      snapshot_.Add(from_snapshot);
    }
  }

  void Print() const {
    std::cout << MachineText() << "; PostgreSQL " << version_ << "; " << verify_.connections
              << " connections\n\n";
    std::vector<std::vector<std::string>> table = {
        {"", "rows/s", "seconds", "bare COPY rows/s", "ratio"}};
    for (const Measured& m : all_) {
      const auto rows = static_cast<double>(m.rows);
      table.push_back({m.name, Grouped(rows / m.ours.Median()), Fixed(m.ours.Median(), 3),
                       Grouped(rows / m.bare.Median()), Fixed(m.Ratio(), 2)});
    }
    PrintTable(table);
    std::cout << "\nfull aggregate " << Fixed(full_.Median() * 1000, 1) << " ms, from a snapshot "
              << Fixed(snapshot_.Median() * 1000, 1) << " ms: 1/"
              << Fixed(full_.Median() / snapshot_.Median(), 0) << "\npeak memory "
              << Fixed(peak_mebibytes_, 1) << " MiB\n";
  }

  void PrintJson() const {
    JsonWriter json;
    json.BeginObject()
        .Member("benchmark", "verify")
        .Member("machine", MachineText())
        .Member("postgresql", version_)
        .Member("connections", verify_.connections)
        .Key("measured")
        .BeginArray();
    for (const Measured& m : all_) {
      json.BeginObject()
          .Member("name", m.name)
          .Member("rows", m.rows)
          .Member("seconds", m.ours.Median())
          .Member("bareCopySeconds", m.bare.Median())
          .Member("ratio", m.Ratio())
          .EndObject();
    }
    json.EndArray()
        .Member("fullAggregateSeconds", full_.Median())
        .Member("fromSnapshotSeconds", snapshot_.Median())
        .Member("peakMemoryMebibytes", peak_mebibytes_)
        .EndObject();
    std::cout << json.Take() << "\n";
  }

  const long long rows_, repeat_;
  const bool json_;
  verify::VerifyOptions verify_;
  test::PostgresServer server_;
  std::vector<Measured> all_;
  Series full_, snapshot_;
  double peak_mebibytes_ = 0;
  std::string version_;
};

int RunVerify(int count, char** words) {
  const Options options(
      count, words,
      "Verification of event hashes, links and blocks against bare binary COPY of "
      "the same columns, order and number of connections.",
      {{"rows", "1000000", "events of each of the two stores"},
       {"connections", "2", "connections of the verification and of bare COPY"},
       {"repeat", "3", "how often each thing is measured, after once unmeasured"}});
  VerifyBenchmark(options).Run();
  return 0;
}

}  // namespace
}  // namespace summa::bench

int main(int count, char** words) {
  return summa::bench::Guarded(summa::bench::RunVerify, count, words);
}
