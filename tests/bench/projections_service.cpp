#include "tests/bench/projections_service.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <summa/ledger/reader.hpp>
#include <thread>
#include <vector>

#include "tests/bench/http_load.hpp"
#include "tests/bench/projections_data.hpp"
#include "tests/bench/projections_plugin.hpp"
#include "tests/bench/steady_writers.hpp"
#include "tests/e2e/summa_host.hpp"
#include "tests/services/db.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWriters = 8, kReaders = 8;
constexpr std::chrono::milliseconds kLook{2};
constexpr int kSlices = 4;  // of HTTP, and as many of bare SELECT

double Milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

// Looks at the progress of all read models as long as it lives.
class Watcher {
 public:
  explicit Watcher(const std::string& url) : db_(url), thread_([this] { Watch(); }) {}
  ~Watcher() { End(); }
  void End() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // After End(): when all had the event; throws when that was never seen.
  Clock::time_point Had(long long position) const {
    const auto found = std::partition_point(seen_.begin(), seen_.end(), [&](const Seen& seen) {
      return !std::all_of(seen.models.begin(), seen.models.end(),
                          [&](const ledger::Checkpoint& model) { return model.Has(position); });
    });
    if (found != seen_.end()) return found->at;
    throw std::runtime_error("an event was not applied: " + std::to_string(position) + " " +
                             error_);
  }

 private:
  struct Seen {
    Clock::time_point at;
    std::vector<ledger::Checkpoint> models;
  };
  void Watch() {
    try {
      db_.Execute(
          "PREPARE progress AS SELECT position, holes FROM summa_read.projection_checkpoint");
      for (;;) {
        const bool last = stopping_;
        Look();
        if (last) return;
        std::this_thread::sleep_for(kLook);
      }
    } catch (const std::exception& error) {
      error_ = error.what();
    }
  }

  void Look() {
    Seen seen;
    for (const test::Row& row : db_.Query("EXECUTE progress")) {
      seen.models.push_back(ledger::Checkpoint::Parse(std::stoll(row[0]), row[1]));
    }
    seen.at = Clock::now();
    seen_.push_back(std::move(seen));
  }

  test::Db db_;
  std::vector<Seen> seen_;  // of the thread until it has ended
  std::string error_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// One connection of a load: asks number `turn`.
using Client = std::function<void(long long turn)>;

// Requests at a fixed rate from several threads, each of which makes a client of its own. How long
// after it was due each was answered.
Series Pace(double per_second, double seconds, const std::function<Client()>& connect) {
  std::mutex mutex;
  Series milliseconds;
  std::string failure;
  std::atomic<long long> turns{0};
  std::vector<Client> clients;
  clients.reserve(kReaders);
  for (int i = 0; i < kReaders; ++i) clients.push_back(connect());
  const Clock::time_point started = Clock::now();
  const auto work = [&](const Client& client) {
    try {
      for (;;) {
        const long long turn = turns++;
        const double due_after = static_cast<double>(turn) / per_second;
        if (due_after >= seconds) return;
        const auto due = started + std::chrono::duration_cast<Clock::duration>(
                                       std::chrono::duration<double>(due_after));
        std::this_thread::sleep_until(due);
        client(turn);
        const double late = Milliseconds(Clock::now() - due);
        const std::lock_guard lock(mutex);
        milliseconds.Add(late);
      }
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex);
      failure = error.what();
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(clients.size());
  for (const Client& client : clients) threads.emplace_back(work, std::cref(client));
  for (std::thread& thread : threads) thread.join();
  if (!failure.empty()) throw std::runtime_error(failure);
  return milliseconds;
}

// The four routes by turns, over accounts of the fixture.
struct Target {
  std::string path;
  const char* statement;  // prepared: the rows that the route shows, of `key`
  std::string key;
};
class Targets {
 public:
  explicit Targets(const std::string& url, long long accounts) {
    test::Db db(url);
    const std::string some = std::to_string(std::min(accounts, kAccounts));
    const auto accounts_ids = db.Column(
        "SELECT fixture.account_id(n::integer) FROM "
        "generate_series(1, " +
        some + ") n ORDER BY n");
    const auto holders = db.Column("SELECT holder_id FROM generate_series(1, " + some +
                                   ") n JOIN account_balance a ON a.id = "
                                   "fixture.account_id(n::integer) ORDER BY n");
    const auto transactions =
        db.Column("SELECT id FROM transaction_record ORDER BY id LIMIT " + some);
    for (std::size_t i = 0; i < accounts_ids.size(); ++i) {
      const std::string& account = accounts_ids[i];
      targets_.push_back({"/v1/accounts/" + account + "/balance", "balance", account});
      targets_.push_back({"/v1/accounts/" + account + "/entries?limit=20", "entries", account});
      const std::string& transaction = transactions[i % transactions.size()];
      targets_.push_back({"/v1/transactions/" + transaction, "posted", transaction});
      targets_.push_back(
          {"/v1/holders/individual/" + holders[i] + "/dashboard", "dashboard", holders[i]});
    }
  }
  const Target& At(long long turn) const {
    return targets_[static_cast<std::size_t>(turn) % targets_.size()];
  }
  static void Prepare(test::Db& db) {
    db.Execute(
        "PREPARE balance (uuid) AS SELECT * FROM summa_read.account_balance_view WHERE id = $1; "
        "PREPARE entries (uuid) AS SELECT * FROM summa_read.entry_record_view WHERE account_id = "
        "$1 ORDER BY position DESC, id DESC LIMIT 20; "
        "PREPARE posted (uuid) AS SELECT * FROM summa_read.transaction_summary_view WHERE id "
        "= $1; "
        "PREPARE dashboard (text) AS SELECT * FROM summa_read.holder_dashboard_view WHERE "
        "holder_type = 'individual' AND holder_id = $1");
  }
  static void Select(test::Db& db, const Target& target) {
    const char* key = target.key.c_str();
    PGresult* result =
        PQexecPrepared(db.Handle(), target.statement, 1, &key, nullptr, nullptr, /*text=*/0);
    const bool done = PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    if (!done) throw std::runtime_error(PQerrorMessage(db.Handle()));
  }

 private:
  static constexpr long long kAccounts = 2000;
  std::vector<Target> targets_;
};

// A ledger whose tables have rows, so that no plan that a session keeps is one for empty tables.
std::string MakeLedger(test::PostgresServer& server, const ServiceOptions& options) {
  std::string url = MakeAccounts(server, "service", options.accounts);
  test::Db db(url);
  AddTransfers(db, 2 * options.accounts, options.accounts, /*hot=*/false);
  ProjectionsPlugin(url).Apply();
  db.Execute("VACUUM (ANALYZE)");
  return url;
}

std::string Rate(double rate) { return Grouped(rate); }

// What the writers cost by themselves, which every other figure has beside it.
void MeasureWriters(const std::string& url, const ServiceOptions& options, Lines& lines) {
  Say("the writers alone");
  SteadyWriters writers(url, options.events_per_second, kWriters,
                        static_cast<int>(options.accounts));
  writers.Start();
  std::this_thread::sleep_for(std::chrono::seconds(1));  // warms
  writers.TakeLatencies();
  const SteadyWriters::Cost before = writers.Used();
  const long long committed_before = writers.Committed();
  const Stopwatch watch;
  std::this_thread::sleep_for(std::chrono::seconds(std::max(1LL, options.seconds / 4)));
  const SteadyWriters::Cost after = writers.Used();
  const auto operations = static_cast<double>(writers.Committed() - committed_before);
  const double seconds = watch.Seconds();
  const Series latencies = writers.TakeLatencies();
  writers.Stop();
  if (writers.Failed() > 0) throw std::runtime_error("an operation of the writers failed");
  const double server = after.server - before.server, client = after.writers - before.writers;
  const std::string name = "writers alone at " + Rate(options.events_per_second) + " events/s, ";
  lines.AddValue(name + "events/s", operations / seconds);
  lines.AddValue(name + "CPU of PostgreSQL for one, ms", server * 1000 / operations);
  lines.AddValue(name + "CPU of the client for one, ms", client * 1000 / operations);
  lines.AddValue(name + "cores in use by both", (server + client) / seconds);
  lines.AddValue(name + "commit after it was due, p99, ms", latencies.Quantile(0.99));
}

class Service {
 public:
  Service(const std::string& url, const ServiceOptions& options)
      : options_(options),
        url_(url),
        file_("summa.yaml", "database: { ledger: { url: \"" + url_ +
                                "\" }, migrate: manual }\nhost: { listen: \"127.0.0.1:0\" }\n"
                                "plugins: { projections: {} }\n"),
        host_({"-c", file_.Path()}),
        writers_(url_, options.events_per_second, kWriters, static_cast<int>(options.accounts)) {
    test::Db db(url_);
    port_ = host_.Port();
    writers_.Start();
    test::WaitUntil([&] { return writers_.Committed() > 0; }, test::kTimeout, "writers");
    WaitFor(db, writers_.TakeCommits());
  }

  void MeasureLag(Lines& lines) {
    Say("lag, " + std::to_string(options_.seconds) + " s");
    Watcher watcher(url_);
    writers_.TakeCommits();
    std::this_thread::sleep_for(std::chrono::seconds(options_.seconds));
    const std::vector<SteadyWriters::Commit> commits = writers_.TakeCommits();
    test::Db db(url_);
    WaitFor(db, commits);
    watcher.End();
    Series lag;
    for (const auto& commit : commits)
      lag.Add(Milliseconds(watcher.Had(commit.position) - commit.at));
    lines.AddValue("events/s meanwhile",
                   static_cast<double>(commits.size()) / static_cast<double>(options_.seconds));
    lines.AddValue("lag at " + Rate(options_.events_per_second) + " events/s, p50, ms",
                   lag.Median());
    lines.AddValue("lag at " + Rate(options_.events_per_second) + " events/s, p99, ms",
                   lag.Quantile(0.99), "under 100");
  }

  void MeasureReads(Lines& lines) {
    const Targets targets(url_, options_.accounts);
    Series http, bare;
    const double seconds = static_cast<double>(options_.seconds) / kSlices;
    const auto by_http = [&]() -> Client {
      auto connection = std::make_shared<KeptConnection>(port_);
      return [&targets, connection](long long turn) { connection->Ask(targets.At(turn).path); };
    };
    const auto by_select = [&]() -> Client {
      auto db = std::make_shared<test::Db>(url_);
      Targets::Prepare(*db);
      return [&targets, db](long long turn) { Targets::Select(*db, targets.At(turn)); };
    };
    const double rate = options_.requests_per_second;
    Pace(rate, std::min(seconds, 2.0), by_http);  // warms
    Pace(rate, std::min(seconds, 2.0), by_select);
    writers_.TakeCommits();
    const Stopwatch watch;
    for (int slice = 1; slice <= kSlices; ++slice) {
      Say("reads, " + std::to_string(slice) + " of " + std::to_string(kSlices));
      Join(http, Pace(rate, seconds, by_http));
      Join(bare, Pace(rate, seconds, by_select));
    }
    const auto written = static_cast<double>(writers_.TakeCommits().size());
    lines.AddValue("events/s beside the reads", written / watch.Seconds());
    const std::string name =
        Rate(rate) + " reads/s beside " + Rate(options_.events_per_second) + " events/s, ";
    lines.AddValues(name + "p50, ms", bare.Median(), http.Median());
    lines.AddValues(name + "p99, ms", bare.Quantile(0.99), http.Quantile(0.99),
                    "under 10, ratio at most 3");
  }

 private:
  static void Join(Series& all, const Series& part) {
    for (const double value : part.values()) all.Add(value);
  }
  // Until all four have these events.
  static void WaitFor(test::Db& db, const std::vector<SteadyWriters::Commit>& commits) {
    const auto all_have_them = [&] {
      const test::Rows progress =
          db.Query("SELECT position, holes FROM summa_read.projection_checkpoint");
      return progress.size() == 4 &&
             std::all_of(progress.begin(), progress.end(), [&](const test::Row& row) {
               const auto model = ledger::Checkpoint::Parse(std::stoll(row[0]), row[1]);
               return std::all_of(commits.begin(), commits.end(),
                                  [&](const auto& commit) { return model.Has(commit.position); });
             });
    };
    test::WaitUntil(all_have_them, test::kTimeout, "the read models");
  }

  const ServiceOptions options_;
  const std::string url_;
  const test::TemporaryFile file_;
  test::RunningHost host_;
  SteadyWriters writers_;
  int port_ = 0;
};

}  // namespace

void MeasureService(test::PostgresServer& server, const ServiceOptions& options, Lines& lines) {
  const std::string url = MakeLedger(server, options);
  MeasureWriters(url, options, lines);
  Say("starting the host");
  Service service(url, options);
  service.MeasureLag(lines);
  service.MeasureReads(lines);
}

}  // namespace summa::bench
