// Wiring only: what the plugin is made of and how its parts get their settings.
#include <memory>
#include <summa/plugin.hpp>

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
    runner_ = std::make_unique<Runner>(host(), settings_, Enabled());
  }
  std::vector<WorkerBinding> Workers() override { return {{"projection-runner", runner_.get()}}; }
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
  std::unique_ptr<Runner> runner_;
};

}  // namespace
}  // namespace summa::projections

SUMMA_PLUGIN(summa::projections::ProjectionsPlugin)
