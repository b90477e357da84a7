// Wiring only: what the plugin is made of and how its parts get their settings.
#include <algorithm>
#include <iterator>
#include <memory>
#include <summa/plugin.hpp>

#include "builds/rebuild.hpp"
#include "commands.hpp"
#include "engine/runner.hpp"
#include "models/models.hpp"
#include "reads/reads.hpp"

namespace summa::projections {
namespace {

std::string FullId(const std::string& id) {
  for (const char* name :
       {"account-balance", "entry-record", "transaction-summary", "holder-dashboard"}) {
    if (id == name) return id + "-view";
  }
  return id;
}

// None: the store is looked at all the time.
std::vector<std::string> WakeStreams(const Config& config) {
  if (config.String("source") == "store") return {};
  std::vector<std::string> streams = config.Strings("streams");
  if (streams.empty()) {
    throw Error(
        SUMMA_E_CONFIG, "SH-0564", "source is bus, but streams names no stream of it",
        "Set plugins.projections.streams to what the outbox writes to: its `route`, or topics");
  }
  return streams;
}

class ProjectionsPlugin final : public Plugin {
 public:
  explicit ProjectionsPlugin(Host host) : Plugin(host), built_in_(MakeBuiltIn()) {}

  void Configure(const Config& config) override {
    settings_.read_models.clear();
    settings_.batch_size = static_cast<int>(config.Integer("batch_size"));
    settings_.lag_alert = config.Duration("lag_alert");
    settings_.keep_old = config.Duration("keep_old");
    settings_.wake_streams = WakeStreams(config);
    const std::string on_error = config.String("on_error");
    settings_.on_error = on_error == "pause_key"     ? OnError::kPauseKey
                         : on_error == "dead_letter" ? OnError::kDeadLetter
                                                     : OnError::kPauseProjection;
    for (const std::string& id : config.Strings("read_models")) {
      settings_.read_models.push_back(FullId(id));
    }
    runner_ = std::make_unique<Runner>(
        host(), settings_, catalog_, [this](const Tick& tick, const summa_projection& projection) {
          StartNewVersion(host(), tick.sql(), projection);
        });
    reads_ = std::make_unique<Reads>(host(), PhaseOf(config.String("phase")));
    rebuild_ = std::make_unique<Rebuild>(host(), settings_, catalog_);
    rebuilder_ = std::make_unique<OperationWorker>(
        host(), std::vector<OperationBinding>{rebuild_->Binding()});
  }
  // Those of other plugins are known now.
  void Start() override {
    catalog_.Clear();
    for (const auto& projection : built_in_) Add(*projection->table());
    for (const Host::Found& found : host().FindServices(SUMMA_PROJECTION_V1, "projections")) {
      const auto* provided = static_cast<const summa_projection_v1*>(found.service);
      if (provided == nullptr) continue;
      for (std::uint32_t i = 0; i < provided->projection_count; ++i) Add(*provided->projections[i]);
    }
  }

  std::vector<WorkerBinding> Workers() override {
    return {{"projection-runner", runner_.get()}, {"projection-rebuild", rebuilder_.get()}};
  }
  std::vector<CommandBinding> Commands() override {
    const auto bind = [this](CommandResult (*function)(const CommandCall&, const CommandContext&)) {
      return [this, function](const CommandCall& call) {
        return function(call, {host(), catalog_});
      };
    };
    return {{"projections list", bind(&ListProjections)},
            {"projections status", bind(&ShowProjection)},
            {"projections rebuild", bind(&RebuildProjection)},
            {"projections verify", bind(&VerifyProjection)},
            {"projections swap", bind(&SwapProjection)},
            {"projections rollback", bind(&RollbackProjection)},
            {"projections pause", bind(&PauseProjection)},
            {"projections resume", bind(&ResumeProjection)},
            {"projections show", bind(&ShowReadModel)},
            {"projections wait", bind(&WaitForEvent)}};
  }
  std::vector<RouteBinding> Routes() override {
    const auto bind = [this](Response (Reads::*function)(const Request&)) {
      return [this, function](const Request& request) { return (*reads_.*function)(request); };
    };
    return {{"GET", "/v1/accounts/{id}/balance", bind(&Reads::Balance)},
            {"GET", "/v1/accounts/{id}/entries", bind(&Reads::Entries)},
            {"GET", "/v1/transactions/{id}", bind(&Reads::Transaction)},
            {"GET", "/v1/holders/{type}/{id}/dashboard", bind(&Reads::Dashboard)},
            {"GET", "/v1/browse", [](const Request&) { return Reads::Page(); }}};
  }
  std::vector<Finding> Failing() override {
    std::vector<Finding> failing = runner_->health().Failing();
    std::ranges::move(reads_->Failing(), std::back_inserter(failing));
    return failing;
  }
  std::string StatusJson() override { return runner_->health().Json(); }

 private:
  void Add(const summa_projection& projection) {
    const std::string id(FromAbi(projection.id));
    const auto& wanted = settings_.read_models;
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), id) != wanted.end()) {
      catalog_.Add(projection, settings_.on_error);
    }
  }

  std::vector<std::unique_ptr<Projection>> built_in_;
  Settings settings_;
  Catalog catalog_;
  std::unique_ptr<Runner> runner_;
  std::unique_ptr<Reads> reads_;
  std::unique_ptr<Rebuild> rebuild_;
  std::unique_ptr<OperationWorker> rebuilder_;
};

}  // namespace
}  // namespace summa::projections

SUMMA_PLUGIN(summa::projections::ProjectionsPlugin)
