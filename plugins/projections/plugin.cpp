// Wiring only: what the plugin is made of and how its parts get their settings.
#include <memory>
#include <summa/plugin.hpp>

#include "builds/rebuild.hpp"
#include "commands.hpp"
#include "engine/runner.hpp"
#include "models/models.hpp"

namespace summa::projections {
namespace {

std::string FullId(const std::string& id) {
  for (const char* name : {"account-balance", "entry-record", "transaction-summary",
                           "holder-dashboard"}) {
    if (id == name) return id + "-view";
  }
  return id;
}

class ProjectionsPlugin final : public Plugin {
 public:
  explicit ProjectionsPlugin(Host host) : Plugin(host), built_in_(MakeBuiltIn()) {}

  void Configure(const Config& config) override {
    settings_.batch_size = static_cast<int>(config.Integer("batch_size"));
    settings_.lag_alert = config.Duration("lag_alert");
    const std::string on_error = config.String("on_error");
    settings_.on_error = on_error == "pause_key"     ? OnError::kPauseKey
                         : on_error == "dead_letter" ? OnError::kDeadLetter
                                                     : OnError::kPauseProjection;
    for (const std::string& id : config.Strings("read_models")) {
      settings_.read_models.push_back(FullId(id));
    }
    catalog_ = std::make_unique<Catalog>(Enabled(), settings_.on_error);
    runner_ = std::make_unique<Runner>(host(), settings_, *catalog_);
    rebuild_ = std::make_unique<Rebuild>(host(), settings_, *catalog_);
    rebuilder_ = std::make_unique<OperationWorker>(
        host(), std::vector<OperationBinding>{rebuild_->Binding()});
  }
  std::vector<WorkerBinding> Workers() override {
    return {{"projection-runner", runner_.get()}, {"projection-rebuild", rebuilder_.get()}};
  }
  std::vector<CommandBinding> Commands() override {
    const auto bind = [this](CommandResult (*function)(const CommandCall&, const CommandContext&)) {
      return [this, function](const CommandCall& call) {
        return function(call, {host(), *catalog_});
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
            {"projections wait", bind(&WaitForEvent)}};
  }
  std::vector<Finding> Failing() override { return runner_->health().Failing(); }
  std::string Status() override { return runner_->health().Json(); }

 private:
  std::vector<const summa_projection*> Enabled() const {
    std::vector<const summa_projection*> enabled;
    for (const auto& projection : built_in_) {
      const std::string id(FromAbi(projection->table()->id));
      const auto& wanted = settings_.read_models;
      if (wanted.empty() || std::find(wanted.begin(), wanted.end(), id) != wanted.end()) {
        enabled.push_back(projection->table());
      }
    }
    return enabled;
  }

  std::vector<std::unique_ptr<Projection>> built_in_;
  Settings settings_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<Runner> runner_;
  std::unique_ptr<Rebuild> rebuild_;
  std::unique_ptr<OperationWorker> rebuilder_;
};

}  // namespace
}  // namespace summa::projections

SUMMA_PLUGIN(summa::projections::ProjectionsPlugin)
