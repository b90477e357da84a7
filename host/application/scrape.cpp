#include "host/application/scrape.hpp"

#include "host/observe/host_metrics.hpp"
#include "host/observe/metrics_text.hpp"

namespace summa::host {
namespace {

double Seconds(Microseconds time) { return std::chrono::duration<double>(time).count(); }
double Timestamp(DatabaseTime time) { return Seconds(ToUnix(time).time_since_epoch()); }

// What the fleet knows of it.
void SetFleetWorker(const std::string& id, const ScrapeView& view) {
  const auto found = view.fleet.workers.find(id);
  if (found == view.fleet.workers.end()) return;
  const FleetWorker& known = found->second;
  if (known.last_success) {
    SetHostMetric("summa_worker_last_success_timestamp_seconds", Timestamp(*known.last_success),
                  {id});
  }
  if (known.next_due) {
    SetHostMetric("summa_worker_next_run_timestamp_seconds", Timestamp(*known.next_due), {id});
  }
}

void SetWorker(const WorkerReport& worker, const ScrapeView& view) {
  SetFleetWorker(worker.id, view);
  if (const auto lease = view.leases.find(worker.id); lease != view.leases.end()) {
    SetHostMetric("summa_lease_trust_remaining_seconds", Seconds(lease->second.trust_remaining),
                  {worker.id});
  }
}

}  // namespace

// A kind whose operations are over is exported with zeros.
void Scrape::SetOperations(const std::vector<OperationReport>& operations) {
  const MutexLock lock(mutex_);
  for (const OperationReport& each : operations) kinds_.emplace(each.plugin, each.kind);
  for (const auto& [plugin, kind] : kinds_) {
    std::map<std::string, int> states{
        {"queued", 0}, {"running", 0}, {"paused", 0}, {"failed", 0}, {"aborted", 0}};
    OperationReport shown;
    for (const OperationReport& each : operations) {
      if (each.plugin != plugin || each.kind != kind) continue;
      ++states[each.state];
      if (each.state == "failed") continue;
      const bool first = shown.id == 0;
      if (first || (each.state == "running" && shown.state != "running")) shown = each;
    }
    for (const auto& [state, count] : states) {
      SetHostMetric("summa_operations", count, {plugin, kind, state});
    }
    const auto set = [&, &plugin = plugin, &kind = kind](const char* name, double value) {
      SetHostMetric(name, value, {plugin, kind});
    };
    set("summa_operation_rows_done", static_cast<double>(shown.done));
    set("summa_operation_rows_total", static_cast<double>(shown.total.value_or(0)));
    set("summa_operation_rows_per_second", shown.rows_per_second.value_or(0));
    set("summa_operation_rate_limit", static_cast<double>(shown.rate));
  }
}

std::string Scrape::Text(const ScrapeView& view) {
  for (const PluginReport& plugin : view.report.plugins) {
    const MutexLock lock(mutex_);
    PluginReport& before = plugins_[plugin.id];
    if (!before.id.empty() && before.state != plugin.state) {
      SetHostMetric("summa_plugin_info", 0, {before.id, before.version, before.state});
    }
    before = plugin;
    SetHostMetric("summa_plugin_info", 1, {plugin.id, plugin.version, plugin.state});
  }
  for (const WorkerReport& worker : view.report.workers) SetWorker(worker, view);
  for (const std::string& id : view.workers_of_processes) SetFleetWorker(id, view);
  SetOperations(view.fleet.operations);
  for (const auto& [database, use] : view.pools) {
    SetHostMetric("summa_db_pool_connections", use.busy, {database, "busy"});
    SetHostMetric("summa_db_pool_connections", use.idle, {database, "idle"});
    SetHostMetric("summa_db_pool_connections", use.free, {database, "free"});
    for (const SessionUse& each : use.uses) {
      SetHostMetric("summa_db_plugin_sessions", each.sessions, {database, each.plugin});
      SetHostMetric("summa_db_plugin_session_held_seconds", Seconds(each.longest),
                    {database, each.plugin});
    }
  }
  SetProcessMetrics();
  if (view.processes.empty()) return MetricsText();
  return MergeMetrics(MetricsText(), view.processes);
}

}  // namespace summa::host
