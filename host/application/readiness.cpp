#include "host/application/readiness.hpp"

#include "host/abi/plugin_call.hpp"

namespace summa::host {
namespace {

FailingItem ItemOf(std::string what, const Error& error) {
  return {std::move(what), error.code + " " + error.message, error.hint};
}

std::string CodeOf(const std::string& last_error) {
  return last_error.substr(0, last_error.find(' '));
}

FailingItem WarningOf(const OperationReport& operation) {
  const std::string id = std::to_string(operation.id);
  return {"operation " + id + " (" + operation.kind + ")",
          (operation.state == "failed" ? "it failed: " : "it is tried again: ") + operation.error,
          "Fix it, then `summa-host operations resume " + id +
              "`; or end it for good with `summa-host operations abort " + id + "`.",
          operation.plugin};
}

}  // namespace

std::vector<SlowCall> SlowCalls() {
  std::vector<SlowCall> slow;
  const BootTime now = SystemClock().BootNow();
  for (const CallPlace& place : RunningCalls()) {
    if (place.worker[0] != '\0' || now - place.since < place.slow_after) continue;
    slow.push_back({place.plugin, place.function, now - place.since});
  }
  return slow;
}

Readiness EvaluateReadiness(const ReadinessView& view) {
  Readiness readiness;
  if (view.report.state != "running") {
    readiness.failing.push_back({"host", "it is " + view.report.state, "Wait, and check the log."});
  }
  if (view.database) readiness.failing.push_back(ItemOf("database", *view.database));
  for (const PluginReport& plugin : view.report.plugins) {
    if (plugin.error) readiness.failing.push_back(ItemOf("plugin " + plugin.id, *plugin.error));
  }
  for (const WorkerReport& worker : view.report.workers) {
    if (!worker.warning.empty()) {
      readiness.warnings.push_back(
          {"worker " + worker.id, worker.warning,
           "`summa-host explain " + CodeOf(worker.warning) + "` explains it."});
    }
    if (worker.state != "parked" && worker.state != "error") continue;
    readiness.failing.push_back(
        {"worker " + worker.id,
         worker.last_error.empty() ? "it is " + worker.state : worker.last_error,
         worker.state == "parked"
             ? "Fix it; " +
                   (worker.next_due_at.empty()
                        ? std::string("it runs again only after `summa-host workers resume ")
                        : "it is tried again by itself at " + worker.next_due_at +
                              ", or immediately with `summa-host workers resume ") +
                   worker.id + "`."
             : "`summa-host explain " + CodeOf(worker.last_error) +
                   "` explains it; it is tried again by itself."});
  }
  for (const SlowCall& call : view.calls) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(call.for_time).count();
    readiness.failing.push_back(
        {"plugin " + call.plugin,
         "SH-0127 " + call.function + " has not returned for " + std::to_string(seconds) + " s",
         "`summa-host explain SH-0127` explains it.", call.plugin});
  }
  for (const auto& [plugin, finding] : view.plugins) {
    const FailingItem item{finding.check, finding.found, finding.fix, plugin};
    if (finding.severity == Severity::kError) readiness.failing.push_back(item);
    if (finding.severity == Severity::kWarning) readiness.warnings.push_back(item);
  }
  for (const OperationReport& operation : view.report.operations) {
    if (operation.error.empty()) continue;
    readiness.warnings.push_back(WarningOf(operation));
  }
  for (const std::string& refused : view.sessions) {
    readiness.warnings.push_back({"database sessions", "SH-0403 " + refused,
                                  "Let the plugin that holds the most sessions use fewer at the "
                                  "same time, or raise the pool of the database."});
  }
  return readiness;
}

}  // namespace summa::host
