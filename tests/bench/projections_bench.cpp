// Read models from a history: applied by the runner, and made anew by rebuilds with their
// comparison, against INSERT .. SELECT of the same rows into tables with the same indexes.
#include <iostream>
#include <summa/json.hpp>
#include <summa/operation.hpp>
#include <summa/testkit/fake_host.hpp>

#include "builds/rebuild.hpp"
#include "engine/runner.hpp"
#include "host/abi/operation_service.hpp"
#include "host/abi/sql_service.hpp"
#include "host/clock.hpp"
#include "host/database/control_plane.hpp"
#include "models/models.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/servers.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/integration/plugin_steps.hpp"
#include "tests/services/db.hpp"

namespace summa::bench {
namespace {

using projections::Catalog;

constexpr const char* kViews[] = {"account_balance_view", "entry_record_view",
                                  "transaction_summary_view", "holder_dashboard_view"};
constexpr const char* kDatabase = "ledger";

host::DatabaseSettings At(const std::string& url) {
  host::DatabaseSettings settings;
  settings.url = url;
  settings.application_name = "bench";
  return settings;
}

// The plugin without a host around it.
class Projections {
 public:
  explicit Projections(const std::string& url)
      : sql_({{"ledger", std::make_shared<host::SessionPool>(At(url))}}),
        fake_(sql_.unleased()),
        tick_(sql_.unleased()) {
    for (const auto& projection : built_in_) {
      catalog_.Add(*projection->table(), projections::OnError::kPauseProjection);
    }
    fake_.SetOperations(service_.table());
    runner_ = std::make_unique<projections::Runner>(fake_.host(), settings_, catalog_);
  }
  // Until there is nothing left. Stored events.
  std::int64_t Apply() {
    std::int64_t events = 0;
    TickResult result;
    do {
      fake_.Advance(std::chrono::seconds(1));
      result = runner_->Run(Tick(tick_.abi()));
      events += result.items;
    } while (result.backlog);
    return events;
  }
  void Rebuild(const std::string& projection, long long sessions) {
    projections::Rebuild rebuild(fake_.host(), settings_, catalog_);
    OperationRequest request;
    request.kind = projections::kRebuildKind;
    request.arguments = R"({"projection":")" + projection + R"(","swap":true,"sessions":)" +
                        std::to_string(sessions) + "}";
    const std::int64_t id = StartOperation(fake_.host(), sql_.unleased(), request);
    const WorkCaller caller{[this] { return fake_.host().BootNow(); }, [] { return false; },
                            [this](std::chrono::microseconds time) {
                              fake_.Advance(time);
                              return false;
                            }};
    for (OperationView view; view.id == 0 || view.open();) {
      view = RunOperation(fake_.host(), sql_.unleased(), caller, rebuild.Binding(), id,
                          std::chrono::seconds(1))
                 .last;
      if (!view.error.empty()) throw std::runtime_error(projection + ": " + view.error);
      Apply();
    }
  }
  const Catalog& catalog() const { return catalog_; }

 private:
  projections::Settings settings_;
  std::vector<std::unique_ptr<Projection>> built_in_ = projections::MakeBuiltIn();
  Catalog catalog_;
  host::SqlService sql_;
  testkit::FakeHost fake_;
  testkit::FakeTick tick_;
  host::OperationService service_{"projections",
                                  {{projections::kRebuildKind, "", "projection-rebuild", 1, 0}},
                                  "bench/1",
                                  "bench",
                                  host::SystemClock()};
  std::unique_ptr<projections::Runner> runner_;
};

struct Measured {
  Series bare, apply, rebuild;  // rows per second
  long long rows = 0, events = 0;
};

// The rows of all read models, copied; their number.
long long Copy(test::Db& db) {
  long long rows = 0;
  for (const std::string view : kViews) {
    const std::string copy = "bare_" + view;
    const std::string table = db.Value(
        "SELECT max(format('summa_read.%I', tablename)) FROM pg_tables WHERE schemaname = "
        "'summa_read' AND tablename ~ $1",
        {"^" + view + "_[0-9]+$"});
    db.Execute("SET client_min_messages = warning; DROP TABLE IF EXISTS " + copy +
               "; CREATE TABLE " + copy + " (LIKE " + table + " INCLUDING ALL)");
    rows += db.Change("INSERT INTO " + copy + " SELECT * FROM summa_read." + view);
  }
  return rows;
}

void MeasureOnce(test::PostgresServer& server, const std::string& name, const Options& options,
                 Measured& measured) {
  const std::string url = server.CreateDatabase(name, kDatabase);
  host::ControlPlane(At(url)).Migrate(test::StepsWith({"projections"}));
  test::Db db(url);
  double apply = 0, rebuild = 0;
  {
    Projections projections(url);
    const Stopwatch applied;
    measured.events = projections.Apply();
    apply = applied.Seconds();
    const Stopwatch rebuilt;
    for (const auto& [id, applier] : projections.catalog().all()) {
      projections.Rebuild(id, options.Number("sessions"));
    }
    rebuild = rebuilt.Seconds();
  }
  const Stopwatch copied;
  measured.rows = Copy(db);
  const auto rows = static_cast<double>(measured.rows);
  measured.bare.Add(rows / copied.Seconds());
  measured.apply.Add(rows / apply);
  measured.rebuild.Add(rows / rebuild);
}

void Print(const Measured& measured, const Options& options) {
  const double apply = measured.apply.Median() / measured.bare.Median();
  const double rebuild = measured.rebuild.Median() / measured.bare.Median();
  if (options.Json()) {
    JsonWriter json;
    json.BeginObject().Member("benchmark", "projections").Member("machine", MachineText());
    json.Member("events", measured.events).Member("rows", measured.rows);
    json.Member("bareRowsPerSecond", measured.bare.Median());
    json.Member("applyRowsPerSecond", measured.apply.Median()).Member("applyRatio", apply);
    json.Member("rebuildRowsPerSecond", measured.rebuild.Median());
    json.Member("rebuildRatio", rebuild).EndObject();
    std::cout << json.Take() << "\n";
    return;
  }
  const auto row = [](const std::string& name, const Series& series, const std::string& ratio) {
    return std::vector<std::string>{name, Grouped(series.Median()),
                                    Grouped(series.Min()) + " - " + Grouped(series.Max()), ratio};
  };
  std::cout << MachineText() << "\n"
            << Grouped(static_cast<double>(measured.events)) << " events, "
            << Grouped(static_cast<double>(measured.rows)) << " rows of the four read models\n\n";
  PrintTable(
      {{"rows/s", "median", "range", "ratio"},
       row("INSERT .. SELECT of the same rows", measured.bare, ""),
       row("apply, all four at once", measured.apply, Fixed(apply, 3)),
       row("rebuild, compare and swap, one after the other", measured.rebuild, Fixed(rebuild, 3))});
}

int Run(int count, char** words) {
  const Options options(count, words, "Applying a history to the read models, and rebuilding them.",
                        {{"events", "200000", "transactions of the history"},
                         {"accounts", "1000", "accounts they belong to"},
                         {"sessions", "2", "of a rebuild"},
                         {"repeat", "3", "how often each thing is measured"}});
  test::PostgresServer server(RealisticPostgres());
  Say("making the history");
  const std::string url = test::InstallLedger(server, kDatabase);
  {
    test::Db db(url);
    db.Query(
        "SELECT fixture.bulk_outbox($1::bigint, $2::int, true)",
        {std::to_string(options.Number("events")), std::to_string(options.Number("accounts"))});
    db.Execute("ANALYZE");
  }
  Measured measured;
  for (long long i = 0; i < options.Number("repeat"); ++i) {
    Say("round " + std::to_string(i + 1));
    MeasureOnce(server, "round_" + std::to_string(i + 1), options, measured);
  }
  Print(measured, options);
  return 0;
}

}  // namespace
}  // namespace summa::bench

int main(int count, char** words) { return summa::bench::Guarded(summa::bench::Run, count, words); }
