// Operations of the journal that do not go on by themselves.
#include "host/database/operations.hpp"
#include "host/doctor/checks.hpp"

namespace summa::host {
namespace {

constexpr const char* kCheck = "operations";

bool IsEnabled(const CheckContext& context, const std::string& id) {
  const PluginSettings* plugin = context.loaded.configuration.FindPlugin(id);
  return plugin != nullptr && plugin->enabled;
}

// True: somebody has to act.
bool CheckOperation(const CheckContext& context, const OperationReport& operation) {
  const std::string id = std::to_string(operation.id);
  const std::string name =
      "operation " + id + " (" + operation.kind + " of " + operation.plugin + ")";
  if (operation.state == "failed") {
    context.Warn(kCheck, name + " failed: " + operation.error, "none that failed",
                 "Repair it, then `summa-host operations resume " + id +
                     "`; or give it up with `summa-host operations abort " + id + "`.");
    return true;
  }
  if (!operation.holder.empty() || IsEnabled(context, operation.plugin)) return false;
  context.Warn(kCheck,
               name + " is " + operation.state +
                   ", and this configuration does not enable plugin " + operation.plugin,
               "a host that works on it",
               "Enable the plugin on a host of this fleet. `summa-host operations abort " + id +
                   "` gives the operation up; only the plugin can remove what it has left.");
  return true;
}

}  // namespace

void CheckOperations(const CheckContext& context) {
  const std::vector<OperationReport> operations =
      ReadOperations(context.database.Query(OperationsQuery(context.schema()), {"false"}));
  bool well = true;
  for (const OperationReport& operation : operations) {
    if (CheckOperation(context, operation)) well = false;
  }
  if (well) {
    context.Ok(kCheck, std::to_string(operations.size()) +
                           " open, none failed, every plugin of them is enabled");
  }
}

}  // namespace summa::host
