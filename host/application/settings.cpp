#include "host/application/settings.hpp"

#include <algorithm>
#include <string_view>

#include "host/plugin/plugin_lock.hpp"
#include "host/settings/host_workers.hpp"

namespace summa::host {

std::vector<Manifest> Manifests(const Discovery& plugins) {
  std::vector<Manifest> manifests;
  for (const PluginFile& file : plugins.files) {
    if (file.manifest && file.shadowed_by.empty()) manifests.push_back(*file.manifest);
  }
  return manifests;
}

namespace {

// The member of `plugins:` that a diagnostic is about; empty: none.
std::string PluginOf(const Diagnostic& diagnostic) {
  constexpr std::string_view kPrefix = "plugins.";
  if (diagnostic.code != "SH-0213" || !diagnostic.path.starts_with(kPrefix)) return {};
  return diagnostic.path.substr(kPrefix.size());
}

// A file that is there, but of which not even the id can be told, may be the one that is meant.
std::string RefusedFiles(const Discovery& plugins) {
  std::string text;
  for (const PluginFile& file : plugins.files) {
    if (file.refusals.empty() || !file.shadowed_by.empty()) continue;
    if (file.manifest && !file.manifest->id.empty()) continue;
    text += (text.empty() ? "" : ", ") + file.path + " (" + file.refusals.front().code + " " +
            file.refusals.front().message + ")";
  }
  return text;
}

// "Not installed" is said of the manifests that could be read. What was found instead, and why it
// was refused.
std::vector<Error> ExplainMissing(const Diagnostic& diagnostic, const Discovery& plugins) {
  const std::string id = PluginOf(diagnostic);
  Error error = ToError(diagnostic);
  const PluginFile* file = id.empty() ? nullptr : plugins.Find(id);
  if (file == nullptr || file->refusals.empty()) {
    const std::string refused = id.empty() ? "" : RefusedFiles(plugins);
    if (!refused.empty()) error.message += "; files that were found and refused: " + refused;
    return {error};
  }
  std::vector<Error> errors;
  for (const Error& refusal : file->refusals) {
    errors.push_back({"SH-0230",
                      "plugin \"" + id + "\" was found as " + file->path + ", but refused: " +
                          ToText({refusal.code, refusal.message, "", refusal.where}),
                      refusal.hint, error.where});
  }
  return errors;
}

}  // namespace

LoadedConfiguration ReadConfiguration(const std::string& file, const Discovery& plugins,
                                      const std::string* text) {
  const Environment environment = ProcessEnvironment();
  const std::vector<Manifest> manifests = Manifests(plugins);
  LoadResult result =
      text != nullptr
          ? LoadConfiguration(*text, file, environment, manifests)
          : LoadConfigurationFile(FindConfigurationFile(file, environment), environment, manifests);
  std::vector<Error> errors, warnings;
  for (const Diagnostic& diagnostic : result.diagnostics) {
    std::vector<Error>& kind = diagnostic.warning ? warnings : errors;
    for (Error& error : ExplainMissing(diagnostic, plugins)) kind.push_back(std::move(error));
  }
  // Nothing can be derived for an unknown plugin: these errors would only repeat the first one.
  if (std::any_of(errors.begin(), errors.end(),
                  [](const Error& error) { return error.code == "SH-0230"; })) {
    std::erase_if(errors, [](const Error& error) { return error.code == "SH-0218"; });
  }
  if (!errors.empty()) throw Failures(std::move(errors));
  return {std::move(result.configuration), std::move(result.settings), std::move(warnings),
          std::move(result.text)};
}

std::optional<LockSettings> FindLock(const std::string& file, const Discovery& plugins) {
  const Environment environment = ProcessEnvironment();
  try {
    const LoadResult result = LoadConfigurationFile(FindConfigurationFile(file, environment),
                                                    environment, Manifests(plugins));
    return LockSettings{result.settings.lock_file, result.settings.lock_required};
  } catch (const Failure&) {
    return std::nullopt;
  }
}

namespace {

// The same plugins, with those that are enabled sealed and compared with the lock file.
std::shared_ptr<const Discovery> LockPlugins(const Settings& settings, const Discovery& plugins,
                                             const std::vector<EnabledPlugin>& enabled) {
  std::vector<Error> problems;
  const TrustPolicy trust = CurrentTrust();
  const PluginLock lock = ReadPluginLock(settings.lock_file, trust, problems);
  if (!problems.empty()) throw Failures(std::move(problems));
  auto locked = std::make_shared<Discovery>(plugins);
  for (const EnabledPlugin& plugin : enabled) {
    const PluginFile* file = plugins.Find(plugin.id);
    if (file == nullptr) continue;
    locked->files[static_cast<std::size_t>(file - plugins.files.data())] =
        SealLocked(*file, lock, trust);
  }
  return locked;
}

}  // namespace

Plan PlanPlugins(const LoadedConfiguration& loaded, const Discovery& plugins) {
  std::vector<EnabledPlugin> enabled;
  for (const PluginSettings& each : loaded.configuration.plugins) {
    if (!each.enabled) continue;
    EnabledPlugin plugin;
    plugin.id = each.id;
    plugin.where = ToText(each.where);
    for (const auto& [alias, use] : each.use) {
      plugin.use[alias] = {use.provider, ToText(use.where)};
    }
    enabled.push_back(std::move(plugin));
  }
  if (!loaded.settings.lock_required) return MakePlan(enabled, plugins, loaded.settings.file);
  std::shared_ptr<const Discovery> locked = LockPlugins(loaded.settings, plugins, enabled);
  Plan plan = MakePlan(enabled, *locked, loaded.settings.file);
  plan.locked = std::move(locked);
  return plan;
}

SessionShares SharesOfPlugins(const LoadedConfiguration& loaded,
                              const std::vector<Manifest>& manifests) {
  constexpr std::string_view kOwnVendor = "summa-host";
  SessionShares shares;
  shares.own.insert(kHostPlugin);
  for (const Manifest& manifest : manifests) {
    if (manifest.vendor == kOwnVendor) shares.own.insert(manifest.id);
  }
  int left = loaded.settings.ledger.pool - 1;
  const auto give = [&](bool to_own, int each) {
    for (const WorkerSettings& worker : loaded.configuration.workers) {
      if (!worker.enabled || !worker.continuous) continue;
      const PluginSettings* plugin = loaded.configuration.FindPlugin(worker.plugin);
      if (plugin != nullptr && plugin->isolated) continue;  // its process has a pool of its own
      if (shares.own.contains(worker.plugin) != to_own) continue;
      const int given = std::min(each, left);
      if (given > 0) shares.sure[worker.plugin] += given;
      left -= given;
    }
  };
  give(true, 2);  // one works, one records what was done
  give(false, 1);
  return shares;
}

std::optional<WorkerPlan> PlanWorker(const Configuration& configuration,
                                     const std::string& worker) {
  const WorkerSettings* settings = configuration.FindWorker(worker);
  if (settings == nullptr || !settings->enabled) return std::nullopt;
  WorkerPlan plan;
  static_cast<WorkerSpec&>(plan) = *settings;
  return plan;
}

}  // namespace summa::host
