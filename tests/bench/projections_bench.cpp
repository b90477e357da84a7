// Read models: how fast they are made, how far they are behind, how long reads of them take, and
// what growth costs. Every ratio is of one run on one server.
#include <stdexcept>
#include <string>

#include "tests/bench/lines.hpp"
#include "tests/bench/projections_growth.hpp"
#include "tests/bench/projections_service.hpp"
#include "tests/bench/projections_throughput.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/servers.hpp"

namespace summa::bench {
namespace {

constexpr char kNone[] = "none";

Options Parse(int count, char** words) {
  return Options(
      count, words,
      "Read models against bare SQL that writes the same rows into the same tables, their lag, and "
      "reads of them over HTTP against a prepared SELECT.",
      {{"growth", kNone,
        "FROM,TO: instead, what an event costs after so many events and after so many, such as "
        "1000000,20000000"},
       {"only", kNone, "throughput or service: one half of the rest"},
       {"events", "200000", "transfers that are applied, with two entries each"},
       {"accounts", "10000", "accounts they belong to"},
       {"sessions", "2", "of a rebuild"},
       {"repeat", "3", "how often everything is applied"},
       {"rate", "1000", "events per second while lag and reads are measured"},
       {"requests", "1000", "reads per second over HTTP"},
       {"seconds", "20", "of lag, and of reads"}});
}

int Run(int count, char** words) {
  const Options options = Parse(count, words);
  const std::string& only = options.Text("only");
  if (only != kNone && only != "throughput" && only != "service") {
    throw std::runtime_error("--only is throughput or service");
  }
  const long long accounts = options.Number("accounts");
  if (accounts < 2 || options.Number("repeat") < 1 || options.Number("seconds") < 1) {
    throw std::runtime_error("--accounts is at least 2, --repeat and --seconds at least 1");
  }
  Lines lines("projections");
  test::PostgresServer server(RealisticPostgres());
  const std::string version = PostgresVersion(server.Url("postgres"));
  std::string data = Grouped(static_cast<double>(accounts)) + " accounts";
  if (options.Text("growth") != kNone) {
    data += ", " + options.Text("growth") + " events";
    server.StopFast();
    MeasureProjectionGrowth(ParseGrowth(options.Text("growth")), accounts, lines);
  } else {
    if (only != "service") {
      data += ", " + Grouped(options.Real("events")) + " events with two entries each";
      MeasureThroughput(server,
                        {options.Number("events"), accounts, options.Number("repeat"),
                         options.Number("sessions")},
                        lines);
    }
    if (only != "throughput") {
      MeasureService(
          server,
          {accounts, options.Number("seconds"), options.Real("rate"), options.Real("requests")},
          lines);
    }
  }
  lines.Print(version, data, options.Json());
  return 0;
}

}  // namespace
}  // namespace summa::bench

int main(int count, char** words) { return summa::bench::Guarded(summa::bench::Run, count, words); }
