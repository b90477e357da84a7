#include <algorithm>
#include <summa/json.hpp>

#include "host/cli/known_workers.hpp"
#include "host/cli/verbs.hpp"
#include "host/observe/status.hpp"

namespace summa::host {
namespace {

WorkerReport ToReport(const WorkerState& state) {
  WorkerReport report;
  report.id = state.worker_id;
  report.kind = state.kind;
  report.state = state.state.empty() ? "stopped" : state.state;
  report.holder = state.holder;
  report.fence = state.fence;
  report.lease_until = state.lease_until;
  report.last_run_at = state.last_run_at;
  report.last_success_at = state.last_success_at;
  report.next_due_at = state.next_due_at;
  report.paused = state.paused;
  report.paused_by = state.paused_by;
  report.paused_reason = state.paused_reason;
  report.paused_since = state.paused_since;
  report.parked_on = state.parked_on;
  report.last_error = state.last_error;
  return report;
}

// Those that are configured but never ran anywhere are listed too.
void AddConfigured(const LoadedConfiguration& loaded, const Discovery& plugins,
                   std::vector<WorkerState>& workers) {
  for (const PlannedPlugin& plugin : PlanPlugins(loaded.configuration, plugins).order) {
    for (const WorkerDeclaration& each : plugin.file->manifest->workers) {
      const bool known = std::any_of(workers.begin(), workers.end(), [&](const WorkerState& state) {
        return state.worker_id == each.id;
      });
      if (known || !PlanWorker(loaded.configuration, each.id)) continue;
      WorkerState state;
      state.worker_id = each.id;
      state.plugin = plugin.id;
      state.kind = each.kind == WorkerDeclaration::Kind::kPeriodic ? "periodic" : "continuous";
      workers.push_back(std::move(state));
    }
  }
}

VerbResult List(const Invocation& call) {
  const Discovery& plugins = call.installed.plugins();
  const LoadedConfiguration loaded = ReadConfiguration(call.global.config, plugins);
  const std::vector<WorkerState> workers = KnownWorkers(loaded, plugins);
  JsonWriter json;
  std::vector<WorkerReport> reports;
  reports.reserve(workers.size());
  for (const WorkerState& each : workers) reports.push_back(ToReport(each));
  json.BeginObject().Key("workers");
  WriteWorkers(json, reports);
  json.EndObject();
  VerbResult result{.json = json.Take()};
  if (workers.empty()) result.text = "no workers: none is configured, and none ever ran";
  return result;
}

}  // namespace

std::vector<WorkerState> KnownWorkers(const LoadedConfiguration& loaded, const Discovery& plugins) {
  std::vector<WorkerState> workers = WorkerStore(loaded.settings.ledger).Workers();
  AddConfigured(loaded, plugins, workers);
  std::sort(workers.begin(), workers.end(),
            [](const WorkerState& a, const WorkerState& b) { return a.worker_id < b.worker_id; });
  return workers;
}

void AddWorkersVerbs(std::vector<Verb>& verbs) {
  Verb list;
  list.words = "workers list";
  list.summary = "list the workers of the whole fleet";
  list.description =
      "Reads the database: what any host wrote of its workers, who holds their leases, and the "
      "workers of this configuration that never ran. Needs no running host.";
  list.exit_codes = {{0, "listed"},
                     {69, "the database is down"},
                     {78, "configuration, or the database is not migrated"}};
  list.example = "summa-host workers list";
  list.run = List;
  verbs.push_back(std::move(list));
}

}  // namespace summa::host
