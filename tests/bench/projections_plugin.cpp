#include "tests/bench/projections_plugin.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <summa/operation.hpp>
#include <utility>

#include "builds/rebuild.hpp"
#include "host/clock.hpp"
#include "host/database/control_plane.hpp"
#include "models/models.hpp"
#include "tests/integration/plugin_steps.hpp"

namespace summa::bench {

host::DatabaseSettings BenchDatabase(const std::string& url) {
  host::DatabaseSettings settings;
  settings.url = url;
  settings.application_name = "bench";
  return settings;
}

void InstallProjections(const std::string& url) {
  host::ControlPlane(BenchDatabase(url)).Migrate(test::StepsWith({"projections"}));
}

ProjectionsPlugin::ProjectionsPlugin(const std::string& url, std::vector<std::string> read_models)
    : built_in_(projections::MakeBuiltIn()),
      sql_({{"ledger", std::make_shared<host::SessionPool>(BenchDatabase(url))}}),
      fake_(sql_.unleased()),
      tick_(sql_.unleased()),
      service_("projections", {{projections::kRebuildKind, "", "projection-rebuild", 1, 0}},
               "bench/1", "bench", host::SystemClock()) {
  for (const auto& projection : built_in_) {
    const std::string id(FromAbi(projection->table()->id));
    const bool wanted = read_models.empty() ||
                        std::find(read_models.begin(), read_models.end(), id) != read_models.end();
    if (wanted) catalog_.Add(*projection->table(), settings_.on_error);
  }
  fake_.SetOperations(service_.table());
  runner_ = std::make_unique<projections::Runner>(fake_.host(), settings_, catalog_);
}

std::int64_t ProjectionsPlugin::Apply() {
  std::int64_t events = 0;
  TickResult result;
  do {
    fake_.Advance(std::chrono::seconds(1));
    result = runner_->Run(Tick(tick_.abi()));
    events += result.items;
  } while (result.backlog);
  return events;
}

void ProjectionsPlugin::Rebuild(const std::string& projection, long long sessions) {
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

}  // namespace summa::bench
