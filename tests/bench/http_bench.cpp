// What probes and scrapes notice of idle, slow and many connections and of a route that is full:
// requests to a real host by turns with the same ones to a bare responder in this process.
#include <sys/resource.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <summa/json.hpp>
#include <utility>
#include <vector>

#include "tests/bench/http_load.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/servers.hpp"
#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::bench {
namespace {

constexpr const char* kPaths[] = {"/livez", "/readyz", "/metrics"};
// Of tests/broken-plugins: waits until it is released, which nobody does here.
constexpr const char* kSlowRoute = "/v1/test/waits";
// host.http.concurrency at its default, and those that wait.
constexpr int kPlaces = 4 + 32;
constexpr double kBarMilliseconds = 100;
constexpr int kWarmUp = 20;

// The descriptors of the connections; the host inherits the limit.
void AllowManyDescriptors(long long connections) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < static_cast<rlim_t>(connections) + 500) {
    throw std::runtime_error("too few descriptors are allowed: raise `ulimit -Hn`");
  }
}

struct Row {
  std::string load, path;
  Series host, bare;

  double Ratio(double share) const { return host.Quantile(share) / bare.Quantile(share); }
  bool Within() const { return host.Max() <= kBarMilliseconds; }
};

class HttpBenchmark {
 public:
  explicit HttpBenchmark(const Options& options)
      : options_(options),
        connections_(static_cast<int>(options.Number("connections"))),
        pause_(options.Number("pause-ms")),
        postgres_(RealisticPostgres()),
        // Nothing is given up for its time: what is measured stays as it is.
        configuration_("summa.yaml",
                       "database: { ledger: { url: \"" + test::InstallLedger(postgres_, "ledger") +
                           "\" }, migrate: auto }\nhost: { name: measured, listen: "
                           "\"127.0.0.1:0\", http: { timeout: 1h } }\nplugins: { routes: {} }\n"),
        host_({"-c", configuration_.Path(), "--plugin-dir", test::PluginDirectory("routes")}) {
    host_.StatusWhen("running");
    port_ = host_.Port();
    std::map<std::string, std::string> answers;
    for (const char* path : kPaths) answers[path] = Ask(port_, path).text;
    bare_.emplace(std::move(answers));
  }

  void Run() {
    const std::string many = std::to_string(connections_);
    Measure("idle host");
    MeasureBeside(many + " idle connections", Crowd::Kind::kIdle, idle_again_);
    MeasureBeside(many + " slow connections", Crowd::Kind::kSlow, slow_again_);
    FullRoute full(port_, kSlowRoute, kPlaces);
    Measure("a full route");
    MeasureBeside(many + " slow, a full route", Crowd::Kind::kSlow, both_again_);
    full.Check();
    if (full.refused() == 0) throw std::runtime_error("the full route refused nobody");
    if (options_.Json()) {
      PrintJson(full.refused());
    } else {
      PrintResult(full.refused());
    }
  }

 private:
  void Measure(const std::string& load) {
    Say(load);
    for (const char* path : kPaths) {
      Row& row = rows_.emplace_back();
      row.load = load;
      row.path = path;
      for (int i = 0; i < kWarmUp; ++i) Turn(path);
      for (long long i = 0; i < options_.Number("requests"); ++i) {
        const auto [host, bare] = Turn(path);
        row.host.Add(host);
        row.bare.Add(bare);
      }
    }
  }

  // Milliseconds of the host and of the bare responder.
  std::pair<double, double> Turn(const char* path) const {
    const double host = Ask(port_, path).milliseconds;
    return {host, Ask(bare_->port(), path).milliseconds};
  }

  void MeasureBeside(const std::string& load, Crowd::Kind kind, long long& opened_again) {
    Crowd crowd(kind, port_, connections_, pause_);
    Measure(load);
    crowd.Check();
    opened_again = crowd.opened_again();
  }

  long long CountWithin() const {
    return std::count_if(rows_.begin(), rows_.end(), [](const Row& row) { return row.Within(); });
  }

  void PrintResult(long long refused) const {
    std::vector<std::vector<std::string>> table = {{"latency, ms", "path", "p50", "p99", "max",
                                                    "bare p50", "bare p99", "bare max", "ratio p50",
                                                    "ratio p99", "max within 100 ms"}};
    for (const Row& row : rows_) {
      table.push_back({row.load, row.path, Fixed(row.host.Median(), 2),
                       Fixed(row.host.Quantile(0.99), 2), Fixed(row.host.Max(), 2),
                       Fixed(row.bare.Median(), 2), Fixed(row.bare.Quantile(0.99), 2),
                       Fixed(row.bare.Max(), 2), Fixed(row.Ratio(0.5), 1),
                       Fixed(row.Ratio(0.99), 1), row.Within() ? "yes" : "no"});
    }
    PrintTable(table);
    std::cout << "the bar (max within " << Fixed(kBarMilliseconds, 0) << " ms) held in "
              << CountWithin() << " of " << rows_.size() << "; "
              << Grouped(static_cast<double>(options_.Number("requests")))
              << " requests each\nconnections that the host closed and that were opened again: "
              << idle_again_ << " idle, " << slow_again_ << " slow, " << both_again_
              << " slow beside the full route; it refused " << Grouped(static_cast<double>(refused))
              << " requests with 503\n"
              << MachineText() << "\n";
  }

  void PrintJson(long long refused) const {
    JsonWriter json;
    json.BeginObject().Key("rows").BeginArray();
    for (const Row& row : rows_) {
      json.BeginObject().Member("load", row.load).Member("path", row.path);
      json.Member("p50Ms", row.host.Median()).Member("p99Ms", row.host.Quantile(0.99));
      json.Member("maxMs", row.host.Max()).Member("bareP50Ms", row.bare.Median());
      json.Member("bareP99Ms", row.bare.Quantile(0.99)).Member("bareMaxMs", row.bare.Max());
      json.Member("ratioP50", row.Ratio(0.5)).Member("ratioP99", row.Ratio(0.99));
      json.Member("within100Ms", row.Within()).EndObject();
    }
    json.EndArray().Member("within100Ms", CountWithin()).Member("refused", refused);
    json.Member("idleOpenedAgain", idle_again_).Member("slowOpenedAgain", slow_again_);
    json.Member("slowBesideFullRouteOpenedAgain", both_again_);
    json.Member("requests", options_.Number("requests")).Member("machine", MachineText());
    std::cout << json.EndObject().text() << "\n";
  }

  const Options& options_;
  const int connections_;
  const std::chrono::milliseconds pause_;
  test::PostgresServer postgres_;
  const test::TemporaryFile configuration_;
  test::RunningHost host_;
  int port_ = 0;
  std::optional<BareResponder> bare_;
  std::vector<Row> rows_;
  long long idle_again_ = 0, slow_again_ = 0, both_again_ = 0;
};

int Run(int count, char** words) {
  const Options options(count, words,
                        "Latency of /livez, /readyz and /metrics beside idle and slow connections "
                        "and a full route, against a bare responder on the same loopback.",
                        {{"requests", "500", "requests of each path under each load"},
                         {"connections", "512", "idle or slow connections"},
                         {"pause-ms", "500", "a slow connection sends one byte in each"}});
  AllowManyDescriptors(options.Number("connections"));
  HttpBenchmark(options).Run();
  return 0;
}

}  // namespace
}  // namespace summa::bench

int main(int count, char** words) { return summa::bench::Guarded(summa::bench::Run, count, words); }
