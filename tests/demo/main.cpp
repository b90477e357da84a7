// summa-demo: the real host under live ledger traffic, watched, and proved at the end.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <stdexcept>

#include "tests/demo/consumer.hpp"
#include "tests/demo/environment.hpp"
#include "tests/demo/host_watch.hpp"
#include "tests/demo/latency.hpp"
#include "tests/demo/options.hpp"
#include "tests/demo/stop_signal.hpp"
#include "tests/demo/summary.hpp"
#include "tests/demo/text.hpp"
#include "tests/demo/view.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"

namespace summa::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kWrong = 1;
constexpr int kUsage = 64;
constexpr milliseconds kPollInterval{1000};
// While only the rest is awaited there is no reason to look that rarely.
constexpr milliseconds kRestPollInterval{50};
constexpr milliseconds kRestTimeout{120'000};

test::TrafficOptions Traffic(const Options& options) {
  test::TrafficOptions traffic;
  traffic.rate = options.rate;
  traffic.accounts = options.accounts;
  return traffic;
}

std::string LengthText(const Options& options) {
  if (!options.length) return ", until Ctrl-C";
  return " of " + Decimal(static_cast<double>(options.length->count()) / 1000) + " s";
}

class Demo {
 public:
  explicit Demo(const Options& options) : options_(options), environment_(options.kafka) {}

  // The exit code.
  int Run() {
    std::printf("starting a private PostgreSQL and %s, and summa-host\n",
                options_.kafka ? "Kafka" : "Redis");
    std::fflush(stdout);
    consumer_.Start();
    environment_.StartHost();
    View view({environment_.Versions(), LengthText(options_), options_.rate, options_.accounts,
               environment_.HostPort()});
    test::EnsureAccounts(environment_.LedgerUrl(), options_.accounts);
    begin_ = steady_clock::now();
    view.Begin(Observe("traffic"));
    traffic_.Start();
    WatchTraffic(view);
    traffic_.Stop();
    const bool complete = WaitForRest(view);
    const int host_exit_code = environment_.StopHost();
    consumer_.Finish();
    meter_.Measure(consumer_.TakeNew());
    view.End();
    return Report(host_exit_code, complete);
  }

  std::string KeepLog() const { return environment_.KeepLog(); }

 private:
  Sample Observe(const std::string& phase) {
    Sample sample;
    sample.phase = phase;
    sample.operations = traffic_.Committed();
    sample.consumer = consumer_.Counts();
    sample.latency = meter_.Measure(consumer_.TakeNew());
    sample.host = WatchHost(environment_.HostPort());
    sample.pending = Pending();
    // In this order no row counts twice; one that moved meanwhile is in the next sample.
    committed_ =
        std::max({committed_, sample.host.delivered + sample.pending, sample.consumer.received});
    sample.committed = committed_;
    sample.seconds = std::chrono::duration<double>(steady_clock::now() - begin_).count();
    return sample;
  }

  long long Pending() { return db_.Count("SELECT count(*) FROM outbox WHERE status = 'pending'"); }

  // What makes going on pointless.
  bool Broken() { return !environment_.HostRuns() || !consumer_.Error().empty(); }

  void WatchTraffic(View& view) {
    for (auto next = begin_ + kPollInterval; StopRequests() == 0 && !Broken();
         next += kPollInterval) {
      const auto now = steady_clock::now();
      if (next < now) next = now;
      auto until = next;
      if (options_.length) until = std::min(until, begin_ + *options_.length);
      PauseUnlessStopped(std::chrono::ceil<milliseconds>(std::max(until - now, {})));
      view.Show(Observe("traffic"));
      if (options_.length && steady_clock::now() >= begin_ + *options_.length) return;
    }
  }

  // True once nothing is pending and everything came.
  bool WaitForRest(View& view) {
    const long long sent = db_.Count("SELECT count(*) FROM outbox");
    const int requests = StopRequests();
    const auto deadline = steady_clock::now() + kRestTimeout;
    auto next_sample = steady_clock::now() + kPollInterval;
    while (Pending() > 0 || consumer_.Counts().received < sent) {
      const auto now = steady_clock::now();
      if (now >= deadline || Broken() || StopRequests() > requests) return false;
      if (now >= next_sample) {
        view.Show(Observe("waiting for the rest"));
        next_sample = now + kPollInterval;
      }
      PauseUnlessStopped(kRestPollInterval);
    }
    view.Show(Observe("done"));
    return true;
  }

  int Report(int host_exit_code, bool complete) {
    const Proof proof = Prove(environment_.LedgerUrl(), consumer_);
    std::vector<std::string> findings = Findings(proof, host_exit_code);
    if (!consumer_.Error().empty()) findings.push_back(consumer_.Error());
    std::printf("%s", SummaryText(proof, meter_.All(), findings).c_str());
    if (traffic_.Failed() > 0) {
      std::printf("note: the database refused %s operations of the traffic, the last with: %s\n",
                  Grouped(traffic_.Failed()).c_str(), traffic_.LastError().c_str());
    }
    if (findings.empty()) return 0;
    if (!complete) {
      std::printf("note: waited for the rest until %s\n",
                  StopRequests() > 1 ? "told to stop" : "its time was over or the host had ended");
    }
    std::printf("log of the host: %s\n", environment_.KeepLog().c_str());
    return kWrong;
  }

  const Options options_;
  Environment environment_;
  Consumer consumer_{environment_.MakeSource()};
  test::Db db_{environment_.LedgerUrl()};
  LatencyMeter meter_{environment_.LedgerUrl()};
  test::TrafficGenerator traffic_{environment_.LedgerUrl(), Traffic(options_)};
  steady_clock::time_point begin_;
  long long committed_ = 0;  // events, at least
};

int RunDemo(const Options& options) {
  std::optional<Demo> demo;
  try {
    demo.emplace(options);
    return demo->Run();
  } catch (const std::exception& failure) {
    if (StopRequests() > 0) {
      std::fprintf(stderr, "stopped before the end: %s\n", failure.what());
    } else {
      std::fprintf(stderr, "error: %s\n", failure.what());
    }
    if (demo) std::fprintf(stderr, "log of the host: %s\n", demo->KeepLog().c_str());
    return kWrong;
  }
}

}  // namespace
}  // namespace summa::demo

int main(int argc, char** argv) {
  summa::demo::Options options;
  try {
    options = summa::demo::ParseOptions({argv + 1, argv + argc});
  } catch (const std::invalid_argument& failure) {
    std::fprintf(stderr, "error: %s\n", failure.what());
    return summa::demo::kUsage;
  }
  if (options.help) {
    std::printf("%s", summa::demo::HelpText().c_str());
    return 0;
  }
  summa::demo::CatchStopSignals();
  return summa::demo::RunDemo(options);
}
