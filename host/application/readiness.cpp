#include "host/application/readiness.hpp"

namespace summa::host {
namespace {

FailingItem ItemOf(std::string what, const Error& error) {
  return {std::move(what), error.code + " " + error.message, error.hint};
}

std::string CodeOf(const std::string& last_error) {
  return last_error.substr(0, last_error.find(' '));
}

}  // namespace

Readiness Judge(const ReadinessView& view) {
  Readiness readiness;
  if (view.report.state != "running") {
    readiness.failing.push_back(
        {"host", "it is " + view.report.state, "Wait, and look at the log."});
  }
  if (view.database) readiness.failing.push_back(ItemOf("database", *view.database));
  for (const PluginReport& plugin : view.report.plugins) {
    if (plugin.error) readiness.failing.push_back(ItemOf("plugin " + plugin.id, *plugin.error));
  }
  for (const WorkerReport& worker : view.report.workers) {
    if (worker.state != "parked" && worker.state != "error") continue;
    readiness.failing.push_back(
        {"worker " + worker.id,
         worker.last_error.empty() ? "it is " + worker.state : worker.last_error,
         worker.state == "parked"
             ? "Repair it, then run `summa-host workers resume " + worker.id + "`."
             : "`summa-host explain " + CodeOf(worker.last_error) +
                   "` says more; it is tried again by itself."});
  }
  for (const Finding& finding : view.plugins) {
    const FailingItem item{finding.check, finding.found, finding.fix};
    if (finding.severity == Severity::kError) readiness.failing.push_back(item);
    if (finding.severity == Severity::kWarning) readiness.warnings.push_back(item);
  }
  return readiness;
}

}  // namespace summa::host
