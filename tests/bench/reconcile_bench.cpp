// `summa-host reconcile` against the same checks in SQL; with --load, what writers notice of it.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <summa/json.hpp>

#include "tests/bench/reconcile_checks.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/servers.hpp"
#include "tests/bench/steady_writers.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/shared_data.hpp"

namespace summa::bench {
namespace {

constexpr const char* kDatabase = "ledger";
constexpr std::chrono::minutes kTimeout{30};
// How often the program's memory is looked at.
constexpr std::chrono::milliseconds kPollInterval{5};

// The shipped program with the reconciliation plugin on.
class ReconcileHost {
 public:
  explicit ReconcileHost(const std::string& url) : path_(directory_.Path() + "/summa.yaml") {
    std::ofstream(path_) << "database: { ledger: { url: \"" << url
                         << "\" }, migrate: auto }\nhost: { listen: \"127.0.0.1:0\" }\nplugins: { "
                            "reconciliation: {} }\n";
  }
  struct Finished {
    double seconds = 0;
    std::size_t peak_bytes = 0;
    int exit_code = 0;
    std::string out;
  };
  Finished Run(std::vector<std::string> words) const {
    words.insert(words.begin(), HostProgram());
    words.insert(words.end(), {"-c", path_, "--output", "json"});
    const Stopwatch watch;
    test::Process process(words, CleanEnvironment());
    Finished finished;
    const auto deadline = std::chrono::steady_clock::now() + kTimeout;
    std::optional<int> code;
    while (!(code = process.Wait(kPollInterval))) {
      finished.peak_bytes = std::max(finished.peak_bytes, process.Use().peak_resident_bytes);
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("it does not end");
    }
    finished.seconds = watch.Seconds();
    finished.exit_code = *code;
    finished.out = process.Stdout();
    if (*code != 0 && *code != 1) throw std::runtime_error(process.Stderr());
    return finished;
  }

 private:
  test::ServerDirectory directory_;
  std::string path_;
};

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options),
        accounts_(options.Number("accounts")),
        entries_(options.Number("entries")),
        postgres_(RealisticPostgres()),
        url_(test::InstallLedger(postgres_, kDatabase)),
        host_(url_) {}

  int Run() { return options_.Given("load") ? RunLoad() : RunRate(); }

 private:
  void MakeEntries() {
    Say("making " + Grouped(static_cast<double>(entries_)) + " entries of " +
        Grouped(static_cast<double>(accounts_)) + " accounts");
    postgres_.RunSqlFile(
        kDatabase, test::SourceDir() + "/tests/bench/reconcile_data.sql", false,
        {{"accounts", std::to_string(accounts_)}, {"transactions", std::to_string(entries_ / 2)}});
    test::Db(url_).Execute("VACUUM (FREEZE, ANALYZE)");
  }

  int RunRate() {
    MakeEntries();
    host_.Run({"migrate"});
    test::Db db(url_);
    Series checks, product;
    std::size_t peak = 0;
    for (long long turn = 0; turn < options_.Number("repeat"); ++turn) {
      const Stopwatch watch;
      for (const char* check : kReconcileChecks) {
        if (db.Count(check) != 0) throw std::runtime_error("the data has mismatches");
      }
      checks.Add(watch.Seconds());
      const ReconcileHost::Finished run = host_.Run({"reconcile"});
      if (run.exit_code != 0) throw std::runtime_error("it found something: " + run.out);
      product.Add(run.seconds);
      peak = std::max(peak, run.peak_bytes);
      Say("SQL " + Fixed(watch.Seconds() - run.seconds, 2) + " s, reconcile " +
          Fixed(run.seconds, 2) + " s");
    }
    const double ratio = product.Median() / checks.Median();
    const double megabytes = static_cast<double>(peak) / 1e6;
    const double rate = static_cast<double>(entries_) / product.Median();
    if (options_.Json()) {
      JsonWriter json;
      json.BeginObject()
          .Member("entries", entries_)
          .Member("accounts", accounts_)
          .Member("sqlSeconds", checks.Median())
          .Member("reconcileSeconds", product.Median())
          .Member("ratio", ratio)
          .Member("entriesPerSecond", rate)
          .Member("peakMegabytes", megabytes)
          .Member("machine", MachineText())
          .EndObject();
      std::cout << json.text() << "\n";
      return 0;
    }
    PrintTable({{"", "seconds", "entries/s", "ratio"},
                {"the checks in SQL", Fixed(checks.Median(), 2),
                 Grouped(static_cast<double>(entries_) / checks.Median()), "1.00"},
                {"summa-host reconcile, whole process", Fixed(product.Median(), 2), Grouped(rate),
                 Fixed(ratio, 2)}});
    std::cout << "peak memory " << Fixed(megabytes, 1) << " MB, "
              << Grouped(static_cast<double>(accounts_)) << " accounts; PostgreSQL "
              << PostgresVersion(url_) << "; " << MachineText() << "\n";
    return 0;
  }

  // What writers at a fixed rate notice of verifications that run without a pause.
  int RunLoad() {
    const double rate = options_.Real("rate");
    test::EnsureAccounts(url_, static_cast<int>(accounts_));
    host_.Run({"migrate"});
    test::Db(url_).Query("SELECT fixture.bulk_outbox($1::bigint, $2::integer, true)",
                         {std::to_string(entries_ / 2), std::to_string(accounts_)});
    test::Db(url_).Execute("VACUUM ANALYZE");
    SteadyWriters writers(url_, rate, static_cast<int>(options_.Number("connections")),
                          static_cast<int>(accounts_));
    writers.Start();
    Pass(options_.Real("seconds") / 4);
    writers.TakeLatencies();  // warm
    const long long due_at_first = writers.Due(), committed_at_first = writers.Committed();
    Pass(options_.Real("seconds"));
    const Series before = writers.TakeLatencies();
    const long long due_by_then = writers.Due(), committed_by_then = writers.Committed();
    const bool kept_up = Enough(committed_by_then - committed_at_first, due_by_then - due_at_first);
    const Stopwatch watch;
    long long runs = 0, wrong = 0;
    std::vector<std::string> paced;
    if (options_.Number("max-rate") > 0)
      paced = {"--max-rate", std::to_string(options_.Number("max-rate"))};
    while (watch.Seconds() < options_.Real("seconds")) {
      for (std::vector<std::string> words : {std::vector<std::string>{"verify", "all", "--full"},
                                             std::vector<std::string>{"reconcile"}}) {
        words.insert(words.end(), paced.begin(), paced.end());
        const ReconcileHost::Finished run = host_.Run(words);
        ++runs;
        if (run.exit_code == 0) continue;
        ++wrong;
        Say("a false alarm of " + words[0] + ": " + run.out.substr(0, 2000));
      }
    }
    const Series during = writers.TakeLatencies();
    const long long due = writers.Due() - due_by_then;
    const long long committed = writers.Committed() - committed_by_then;
    writers.Stop();
    // A figure of this machine now, no verdict: others may use its cores in the one half only.
    if (!kept_up) {
      Say("this machine does not make that many commits now, also without verification");
    } else if (!Enough(committed, due)) {
      Say("fewer commits than were due during verification");
    }
    return ReportLoad(before, during, {runs, wrong, due, committed, writers.Failed()});
  }

  // All but what is on its way, and a moment's arrears.
  static bool Enough(long long committed, long long due) { return committed * 100 >= due * 95; }

  static void Pass(double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }

  struct Load {
    long long runs, wrong, due, committed, failed;
  };
  int ReportLoad(const Series& before, const Series& during, const Load& load) const {
    const auto row = [](const char* name, const Series& series) {
      return std::vector<std::string>{name, Grouped(static_cast<double>(series.Count())),
                                      Fixed(series.Median(), 1), Fixed(series.Quantile(0.99), 1),
                                      Fixed(series.Max(), 1)};
    };
    if (options_.Json()) {
      JsonWriter json;
      json.BeginObject()
          .Member("runs", load.runs)
          .Member("falseAlarms", load.wrong)
          .Member("due", load.due)
          .Member("committed", load.committed)
          .Member("failed", load.failed)
          .Member("p99BeforeMs", before.Quantile(0.99))
          .Member("p99DuringMs", during.Quantile(0.99))
          .EndObject();
      std::cout << json.text() << "\n";
    } else {
      PrintTable({{"latency of commits, ms", "commits", "p50", "p99", "max"},
                  row("before", before),
                  row("during verification and reconciliation", during)});
      std::cout << load.runs << " runs, " << load.wrong << " false alarms; "
                << Grouped(static_cast<double>(load.committed)) << " of "
                << Grouped(static_cast<double>(load.due)) << " commits that were due, "
                << load.failed << " failed; p99 "
                << Fixed(during.Quantile(0.99) - before.Quantile(0.99), 1) << " ms above\n";
    }
    return load.wrong == 0 && load.failed == 0 ? 0 : 1;
  }

  const Options& options_;
  const long long accounts_, entries_;
  test::PostgresServer postgres_;
  const std::string url_;
  ReconcileHost host_;
};

int Run(int count, char** words) {
  const Options options(
      count, words,
      "`summa-host reconcile` against the same checks in SQL; with --load: writers at a fixed rate "
      "while verify all --full and reconcile run by turns.",
      {{"accounts", "100000", "accounts"},
       {"entries", "1000000", "entries"},
       {"repeat", "3", "how often each thing is measured"},
       {"load", Options::kFlag, "what writers notice instead; ends with 1 after a false alarm"},
       {"rate", "500", "with --load: commits per second"},
       {"connections", "8", "with --load: connections that write"},
       {"seconds", "20", "with --load: how long each part lasts"},
       {"max-rate", "0", "with --load: --max-rate of the verbs"}});
  return Bench(options).Run();
}

}  // namespace
}  // namespace summa::bench

int main(int count, char** words) { return summa::bench::Guarded(summa::bench::Run, count, words); }
