// Wiring only: what the plugin is made of and how its parts get their settings.
#include <memory>
#include <string>
#include <summa/plugin.hpp>
#include <utility>
#include <vector>

#include "cleanup.hpp"
#include "manager/manager.hpp"
#include "migration/migration_commands.hpp"
#include "partition_commands.hpp"
#include "settings.hpp"

namespace summa::maintenance {
namespace {

class MaintenancePlugin final : public Plugin {
 public:
  explicit MaintenancePlugin(Host host)
      : Plugin(host),
        manager_(host, settings_.manager),
        migration_(host, settings_.manager.closed_after),
        migration_worker_(host, {migration_.Binding()}) {}

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
    bindings.push_back({"partition-manager", &manager_});
    bindings.push_back({"partition-migration", &migration_worker_});
    return bindings;
  }

  std::vector<CommandBinding> Commands() override {
    return {OfPartitions("list", ListPartitions),
            OfPartitions("plan", ShowPartitionPlan),
            OfPartitions("create", CreatePartitions),
            OfPartitions("detach", DetachPartitions),
            OfPartitions("attach", AttachPartition),
            OfPartitions("drain", DrainPartitions),
            OfPartitions("advise", AdvisePartitions),
            {"migrate partition-event-store", [this](const CommandCall& call) {
               return MigrateToPartitions(call, host(), migration_);
             }}};
  }

  std::vector<Finding> Failing() override {
    std::vector<Finding> failing = manager_.Failing();
    for (const auto& cleanup : cleanups_) {
      for (Finding& finding : cleanup->Failing()) failing.push_back(std::move(finding));
    }
    return failing;
  }

  void Examine(const Examination& examination) override {
    ExaminePartitions(examination, {host(), settings_.manager});
  }

 private:
  using PartitionVerb = CommandResult (*)(const CommandCall&, const PartitionContext&);

  CommandBinding OfPartitions(const char* verb, PartitionVerb run) {
    return {std::string("partitions ") + verb, [this, run](const CommandCall& call) {
              return run(call, {host(), settings_.manager});
            }};
  }
  void AddCleanup(const ExpiringTable& table, std::chrono::microseconds age) {
    cleanups_.push_back(std::make_unique<Cleanup>(host(), table, age));
  }

  Settings settings_;
  std::vector<std::unique_ptr<Cleanup>> cleanups_;
  PartitionManager manager_;
  Migration migration_;
  OperationWorker migration_worker_;
};

}  // namespace
}  // namespace summa::maintenance

SUMMA_PLUGIN(summa::maintenance::MaintenancePlugin)
