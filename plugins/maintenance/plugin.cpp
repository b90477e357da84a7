// Wiring only: what the plugin is made of and how its parts get their settings.
#include <memory>
#include <string>
#include <summa/plugin.hpp>
#include <utility>
#include <vector>

#include "cleanup.hpp"
#include "settings.hpp"

namespace summa::maintenance {
namespace {

class MaintenancePlugin final : public Plugin {
 public:
  explicit MaintenancePlugin(Host host) : Plugin(host) {}

  void Configure(const Config& config) override {
    settings_ = ReadSettings(config);
    cleanups_.clear();
    AddCleanup(kIdempotencyKeys, std::chrono::microseconds(0));
    AddCleanup(kWorkerLeases, kLeaseAge);
    AddCleanup(kProcessedEvents, settings_.processed_event_retention);
  }

  std::vector<WorkerBinding> Workers() override {
    std::vector<WorkerBinding> bindings;
    for (const auto& cleanup : cleanups_) bindings.push_back({cleanup->id(), cleanup.get()});
    // TODO(partition): in place of these two.
    bindings.push_back({"partition-manager", &not_yet_});
    bindings.push_back({"partition-migration", &not_yet_});
    return bindings;
  }

  std::vector<CommandBinding> Commands() override {
    return {
        // TODO(partition): partitions list, plan, create, detach, attach, drain, advise.
        // TODO(migration): migrate partition-event-store.
    };
  }

  std::vector<Finding> Failing() override {
    std::vector<Finding> failing;
    for (const auto& cleanup : cleanups_) {
      for (Finding& finding : cleanup->Failing()) failing.push_back(std::move(finding));
    }
    // TODO(partition): runway, rows in overflow partitions, the guard.
    return failing;
  }

  void Examine(const Examination&) override {
    // TODO(partition), TODO(guard): what `doctor` shows.
  }

 private:
  // Stands for the workers of rooms that are not there.
  class NotYet final : public Worker {
   public:
    TickResult Run(const Tick&) override { return {}; }
  };

  void AddCleanup(const ExpiringTable& table, std::chrono::microseconds age) {
    cleanups_.push_back(std::make_unique<Cleanup>(host(), table, age));
  }

  Settings settings_;
  std::vector<std::unique_ptr<Cleanup>> cleanups_;
  NotYet not_yet_;
};

}  // namespace
}  // namespace summa::maintenance

SUMMA_PLUGIN(summa::maintenance::MaintenancePlugin)
