// Wiring only: what the plugin is made of and how its parts get their settings.
#include <memory>
#include <summa/plugin.hpp>

#include "cleanup.hpp"
#include "commands.hpp"
#include "examine.hpp"
#include "processor.hpp"

namespace summa::outbox {
namespace {

// The processor needs the bus, which is there from Start on; the host learns of the worker before.
class LateWorker final : public Worker {
 public:
  TickResult Run(const Tick& tick) override { return worker->Run(tick); }
  Worker* worker = nullptr;
};

class OutboxPlugin final : public Plugin {
 public:
  explicit OutboxPlugin(Host host) : Plugin(host) {}

  void Configure(const Config& config) override {
    mode_ = config.String("mode");
    settings_.outbox.route = config.String("route");
    settings_.outbox.batch_size = config.Integer("batch_size");
    settings_.outbox.max_retries = config.Integer("max_retries");
    settings_.outbox.block_key_on_dead_letter = config.String("on_dead_letter") == "block_key";
    settings_.retry_base = config.Duration("retry_base");
    settings_.retry_cap = config.Duration("retry_cap");
    table_ = std::make_unique<OutboxTable>(settings_.outbox);
    cleanup_ = std::make_unique<Cleanup>(settings_.outbox, config.Duration("retention"));
  }

  void Start() override {
    const Host::Found found = host().FindService(SUMMA_BUS_V1, "bus");
    settings_.sink = found.provider;
    processor_ = std::make_unique<Processor>(host(), settings_, BusClient(found.service));
    late_processor_.worker = processor_.get();
  }

  std::vector<WorkerBinding> Workers() override {
    return {{"outbox-processor", &late_processor_}, {"outbox-cleanup", cleanup_.get()}};
  }

  std::vector<CommandBinding> Commands() override {
    return {{"outbox status",
             [this](const CommandCall& call) { return ShowStatus(call, *table_, mode_); }},
            {"outbox redrive", [this](const CommandCall& call) { return Redrive(call, *table_); }}};
  }

  std::vector<Finding> Failing() override {
    if (!processor_) return {};
    return processor_->troubles().Failing(host().BootTime());
  }

  void Examine(const Examination& examination) override {
    Session session(examination.sql());
    ExamineTable(session, [&](const Finding& finding) { examination.Report(finding); });
  }

  std::string Status() override {
    if (!processor_) return {};
    const ProcessorCounters& counters = processor_->counters();
    JsonWriter json;
    json.BeginObject()
        .Member("delivered", counters.delivered.load())
        .Member("retried", counters.retried.load())
        .Member("deadLettered", counters.dead_lettered.load())
        .Member("blockedKeys", counters.blocked_keys.load())
        .Member("pending", counters.pending.load())
        .EndObject();
    return json.Take();
  }

 private:
  std::string mode_;
  ProcessorSettings settings_;
  std::unique_ptr<OutboxTable> table_;
  std::unique_ptr<Cleanup> cleanup_;
  std::unique_ptr<Processor> processor_;
  LateWorker late_processor_;
};

}  // namespace
}  // namespace summa::outbox

SUMMA_PLUGIN(summa::outbox::OutboxPlugin)
