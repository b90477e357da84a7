// Wiring only: what the plugin is made of and how its parts get their settings.
#include <memory>
#include <summa/plugin.hpp>

#include "commands.hpp"
#include "workers.hpp"

namespace summa::reconciliation {
namespace {

class ReconciliationPlugin final : public Plugin {
 public:
  explicit ReconciliationPlugin(Host host) : Plugin(host) {}

  void Configure(const Config& config) override {
    settings_.max_rate = config.Integer("max_rate");
    settings_.connections = static_cast<int>(config.Integer("connections"));
    settings_.hmac_secret = config.Find("hmac_secret").value_or("");
    settings_.daily_full_events = config.Integer("daily_full_events");
    settings_.block_size = config.Integer("block_size");
    settings_.snapshot_after_events = config.Integer("snapshot_after_events");
    settings_.full_cycle = config.Duration("full_cycle");
    metrics_ = std::make_unique<Metrics>(host());
    workers_.clear();
    Add<DailyWorker>("daily-reconciliation");
    Add<BlockWorker>("block-checkpoint");
    Add<SnapshotWorker>("hash-snapshot-creator");
    Add<RollingWorker>("rolling-verification");
  }

  std::vector<WorkerBinding> Workers() override {
    std::vector<WorkerBinding> bindings;
    bindings.reserve(workers_.size());
    for (const auto& [id, worker] : workers_) bindings.push_back({id, worker.get()});
    return bindings;
  }

  std::vector<CommandBinding> Commands() override {
    const auto bind = [this](CommandResult (*function)(const CommandCall&, const CommandContext&)) {
      return [this, function](const CommandCall& call) {
        return function(call, {host(), settings_});
      };
    };
    return {{"reconcile", bind(&RunReconcile)},
            {"verify aggregate", bind(&VerifyAggregate)},
            {"verify all", bind(&VerifyAll)},
            {"verify create-snapshots", bind(&CreateSnapshots)},
            {"verify status", bind(&ShowStatus)}};
  }

  std::vector<Finding> Failing() override {
    std::vector<Finding> failing;
    for (const auto& [id, worker] : workers_) {
      for (Finding& finding : worker->Failing()) failing.push_back(std::move(finding));
    }
    return failing;
  }

 private:
  template <typename WorkerClass>
  void Add(const char* id) {
    workers_.emplace_back(id, std::make_unique<WorkerClass>(host(), settings_, *metrics_));
  }

  Settings settings_;
  std::unique_ptr<Metrics> metrics_;
  std::vector<std::pair<std::string, std::unique_ptr<ReconciliationWorker>>> workers_;
};

}  // namespace
}  // namespace summa::reconciliation

SUMMA_PLUGIN(summa::reconciliation::ReconciliationPlugin)
