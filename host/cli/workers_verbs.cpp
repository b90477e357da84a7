#include <algorithm>
#include <summa/json.hpp>

#include "host/application/status.hpp"
#include "host/cli/known_workers.hpp"
#include "host/cli/verbs.hpp"
#include "host/find.hpp"
#include "host/settings/host_workers.hpp"

namespace summa::host {
namespace {

// Those that are configured but never ran anywhere are listed too.
void AddConfigured(const LoadedConfiguration& loaded, const Discovery& plugins,
                   std::vector<WorkerRow>& workers) {
  const auto add = [&](const std::string& plugin, const WorkerDeclaration& each) {
    if (FindNamed(workers, &WorkerRow::id, each.id) != nullptr) return;
    if (!PlanWorker(loaded.configuration, each.id)) return;
    WorkerRow row;
    row.id = each.id;
    row.plugin = plugin;
    row.kind = each.kind == WorkerDeclaration::Kind::kPeriodic ? "periodic" : "continuous";
    workers.push_back(std::move(row));
  };
  for (const PlannedPlugin& plugin : PlanPlugins(loaded, plugins).order) {
    for (const WorkerDeclaration& each : plugin.file->manifest->workers) add(plugin.id, each);
  }
  add(kHostPlugin, InboxCleanup());
}

VerbResult List(const Invocation& call) {
  const Discovery& plugins = call.installed.plugins();
  const LoadedConfiguration loaded = call.Load();
  const std::vector<WorkerRow> workers = KnownWorkers(loaded, plugins);
  JsonWriter json;
  json.BeginObject().Key("workers").BeginArray();
  for (const WorkerRow& worker : workers) WriteWorker(json, worker);
  json.EndArray().EndObject();
  VerbResult result{.json = json.Take()};
  if (workers.empty()) result.text = "no workers: none is configured, and none has ever run";
  return result;
}

}  // namespace

std::vector<WorkerRow> KnownWorkers(const LoadedConfiguration& loaded, const Discovery& plugins) {
  std::vector<WorkerRow> workers = WorkerStore(loaded.settings.ledger).Workers();
  AddConfigured(loaded, plugins, workers);
  for (WorkerRow& worker : workers) {
    if (worker.state.empty()) worker.state = "stopped";
  }
  std::sort(workers.begin(), workers.end(),
            [](const WorkerRow& a, const WorkerRow& b) { return a.id < b.id; });
  return workers;
}

void AddWorkersVerbs(std::vector<Verb>& verbs) {
  Verb list;
  list.words = "workers list";
  list.summary = "list the workers of the whole fleet";
  list.description =
      "Reads the database: the state that hosts recorded of their workers, the holders of the "
      "leases, and the workers of this configuration that have never run. Needs no running host.";
  list.exit_codes = {{0, "listed"},
                     {69, "the database is down"},
                     {78, "configuration, or the database is not migrated"}};
  list.example = "summa-host workers list";
  list.run = List;
  verbs.push_back(std::move(list));
}

}  // namespace summa::host
