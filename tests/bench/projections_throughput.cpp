#include "tests/bench/projections_throughput.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/bench/projections_data.hpp"
#include "tests/bench/projections_plugin.hpp"
#include "tests/bench/projections_roofline.hpp"
#include "tests/services/db.hpp"

namespace summa::bench {
namespace {

constexpr const char* kGoal = "at least 0.6";

struct Measured {
  Series alone, all, rebuild;  // of the plugin, seconds
  Series bare_alone, bare_all;
  long long rows = 0;
};

class Throughput {
 public:
  Throughput(test::PostgresServer& server, const ThroughputOptions& options)
      : server_(server), options_(options) {}

  Measured Measure(bool hot) {
    const std::string from = hot ? "hot" : "spread";
    Say("making the ledger with " + Name(hot));
    {
      test::Db db(MakeAccounts(server_, from, options_.accounts));
      BareWriter::Save(db);
      AddTransfers(db, options_.events, options_.accounts, hot);
      db.Execute("ANALYZE");
    }
    Measured measured;
    for (long long round = 1; round <= options_.repeat; ++round) {
      Say(Name(hot) + ", " + std::to_string(round) + " of " + std::to_string(options_.repeat));
      MeasureAlone(from, measured);
      MeasureAll(from, !hot, measured);
    }
    server_.DropDatabase(from);
    return measured;
  }

  static std::string Name(bool hot) { return hot ? "one hot account" : "many accounts"; }

 private:
  // Seconds.
  double Apply(test::Db& db, ProjectionsPlugin& plugin) const {
    db.Execute("CHECKPOINT");
    const Stopwatch watch;
    const std::int64_t applied = plugin.Apply();
    const double seconds = watch.Seconds();
    if (applied != options_.events) {
      throw std::runtime_error(std::to_string(applied) + " events were applied, not " +
                               std::to_string(options_.events));
    }
    return seconds;
  }

  void MeasureAlone(const std::string& from, Measured& measured) {
    const std::string url = server_.CreateDatabase("alone", from);
    {
      test::Db db(url);
      ProjectionsPlugin plugin(url, {"account-balance-view"});
      measured.alone.Add(Apply(db, plugin));
    }
    server_.DropDatabase("alone");
  }

  void MeasureAll(const std::string& from, bool rebuilds, Measured& measured) {
    const std::string url = server_.CreateDatabase("all_four", from);
    {
      test::Db db(url);
      ProjectionsPlugin plugin(url);
      measured.all.Add(Apply(db, plugin));
      BareWriter bare(url, ProjectionsPlugin::batch_size());
      measured.rows = bare.rows();
      measured.bare_all.Add(bare.Write(BareModels::kAll));
      measured.bare_alone.Add(bare.Write(BareModels::kAccountBalance));
      if (rebuilds) measured.rebuild.Add(Rebuild(db, plugin));
    }
    server_.DropDatabase("all_four");
  }

  double Rebuild(test::Db& db, ProjectionsPlugin& plugin) const {
    db.Execute("CHECKPOINT");
    const Stopwatch watch;
    for (const auto& [id, applier] : plugin.catalog().all()) plugin.Rebuild(id, options_.sessions);
    return watch.Seconds();
  }

  test::PostgresServer& server_;
  const ThroughputOptions options_;
};

}  // namespace

void MeasureThroughput(test::PostgresServer& server, const ThroughputOptions& options,
                       Lines& lines) {
  Throughput throughput(server, options);
  for (const bool hot : {false, true}) {
    const Measured measured = throughput.Measure(hot);
    const std::string of = ", " + Throughput::Name(hot) + ", events/s";
    Say(Grouped(static_cast<double>(measured.rows)) + " changes of rows of all four");
    lines.AddRate("account-balance alone" + of, options.events, measured.bare_alone, measured.alone,
                  kGoal);
    lines.AddRate("all four" + of, options.events, measured.bare_all, measured.all, kGoal);
    if (hot) continue;
    lines.AddRate("all four rebuilt, compared and swapped, events/s", options.events,
                  measured.bare_all, measured.rebuild);
  }
}

}  // namespace summa::bench
