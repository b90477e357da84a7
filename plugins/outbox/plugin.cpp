// Wiring only: what the plugin is made of and how its parts get their settings.
#include <memory>
#include <optional>
#include <summa/plugin.hpp>

#include "cleanup.hpp"
#include "commands.hpp"
#include "examine.hpp"
#include "worker.hpp"

namespace summa::outbox {
namespace {

class OutboxPlugin final : public Plugin {
 public:
  explicit OutboxPlugin(Host host) : Plugin(host) {}

  void Configure(const Config& config) override {
    Settings& outbox = settings_.outbox;
    outbox.observe = config.String("mode") == "observe";
    outbox.route = config.String("route");
    outbox.batch_size = config.Integer("batch_size");
    outbox.max_retries = config.Integer("max_retries");
    outbox.block_key_on_dead_letter = config.String("on_dead_letter") == "block_key";
    settings_.retry_base = config.Duration("retry_base");
    settings_.retry_cap = config.Duration("retry_cap");
    if (config.Boolean("canary")) canary_interval_ = config.Duration("canary_interval");
    cleanup_ = std::make_unique<Cleanup>(host(), config.Duration("retention"));
  }

  // The host learns of the worker before the buses are there.
  void Start() override {
    settings_.outbox.sinks.clear();
    AddSink("bus", /*optional=*/false);
    AddSink("second_bus", /*optional=*/true);
    for (const Sink& sink : sinks_) {
      ProcessorSettings settings = settings_;
      settings.outbox.sink = sink.id;
      worker_.Add(std::make_unique<Processor>(host(), std::move(settings), sink.bus));
      if (!canary_interval_) continue;
      worker_.Add(std::make_unique<Canary>(host(), sink.bus, sink.id, *canary_interval_));
    }
    table_ = std::make_unique<OutboxTable>(settings_.outbox);
    dead_letters_ = std::make_unique<DeadLetters>(settings_.outbox, Actor(host().instance()));
  }

  std::vector<WorkerBinding> Workers() override {
    return {{"outbox-processor", &worker_}, {"outbox-cleanup", cleanup_.get()}};
  }

  std::vector<CommandBinding> Commands() override {
    const auto bind = [this](CommandResult (*function)(const CommandCall&, const CommandContext&)) {
      return [this, function](const CommandCall& call) {
        return function(call, {settings_.outbox, *table_, *dead_letters_, sinks_});
      };
    };
    return {{"outbox status", bind(&ShowStatus)},      {"outbox verify", bind(&Verify)},
            {"outbox redrive", bind(&Redrive)},        {"dlq list", bind(&ListDeadLetters)},
            {"dlq show", bind(&ShowDeadLetter)},       {"dlq redrive", bind(&RedriveDeadLetters)},
            {"dlq discard", bind(&DiscardDeadLetters)}};
  }

  std::vector<Finding> Failing() override {
    std::vector<Finding> failing = worker_.Failing(host().BootNow());
    for (Finding& finding : cleanup_->Failing()) failing.push_back(std::move(finding));
    return failing;
  }

  void Examine(const Examination& examination) override {
    Session session(examination.sql());
    ExamineTable(session, [&](const Finding& finding) { examination.Report(finding); });
  }

  std::string StatusJson() override {
    if (worker_.empty()) return {};
    const DeliveryWorker::Totals totals = worker_.totals();
    JsonWriter json;
    json.BeginObject()
        .Member("delivered", totals.delivered)
        .Member("retried", totals.retried)
        .Member("deadLettered", totals.dead_lettered)
        .Member("blockedKeys", totals.blocked_keys)
        .Member("pending", totals.pending)
        .EndObject();
    return json.Take();
  }

 private:
  void AddSink(std::string_view alias, bool optional) {
    try {
      const Host::Found found = host().FindService(SUMMA_BUS_V1, alias);
      settings_.outbox.sinks.push_back(found.provider);
      sinks_.push_back({found.provider, BusClient(found.service)});
    } catch (const Error&) {
      if (!optional) throw;
    }
  }

  ProcessorSettings settings_;
  std::optional<std::chrono::microseconds> canary_interval_;  // none: off
  std::vector<Sink> sinks_;
  std::unique_ptr<OutboxTable> table_;
  std::unique_ptr<DeadLetters> dead_letters_;
  std::unique_ptr<Cleanup> cleanup_;
  DeliveryWorker worker_;
};

}  // namespace
}  // namespace summa::outbox

SUMMA_PLUGIN(summa::outbox::OutboxPlugin)
