// The part `plugins:` of a configuration, against the manifests of what is installed.
#include <algorithm>
#include <utility>

#include "host/config/text.hpp"
#include "host/find.hpp"
#include "host/settings/settings.hpp"

namespace summa::host {
namespace {

// What every plugin may have in its part, whatever its manifest says.
bool IsCommon(const std::string& key) {
  return HostSchema().Find("plugins")->any_key->Find(key) != nullptr;
}

class PluginLoader {
 public:
  PluginLoader(const std::vector<Manifest>& manifests, Configuration& configuration,
               Diagnostics& diagnostics)
      : manifests_(manifests), configuration_(configuration), diagnostics_(diagnostics) {}

  void Load(const Node::Member& member, Value& section) {
    const Manifest* manifest = FindManifest(manifests_, member.name);
    const std::string path = "plugins." + member.name;
    if (manifest == nullptr) return ReportUnknown(member, path);
    const std::size_t before = diagnostics_.size();
    Value value = Validate(PluginSchema(*manifest), &member.value, path, diagnostics_);

    PluginSettings plugin;
    plugin.id = member.name;
    plugin.where = member.where;
    plugin.enabled = value.Boolean("enabled", true);
    if (const Value* use = value.Find("use")) {
      for (const auto& [alias, provider] : use->members) {
        if (!provider.null) plugin.use[alias] = {provider.text, provider.where};
      }
    }
    ReadIsolation(value, path, plugin);
    plugin.config = value;
    std::erase_if(plugin.config.members, [](const auto& entry) { return IsCommon(entry.name); });
    if (!plugin.enabled) ForgiveMissing(before);
    section.members.emplace_back(member.name, std::move(value));
    configuration_.plugins.push_back(std::move(plugin));
  }

  // After all are known: a process serves no plugin of another one.
  void CheckIsolation(const PluginSettings& plugin) {
    if (!plugin.enabled || !plugin.isolated) return;
    for (const PluginSettings& user : configuration_.plugins) {
      if (!user.enabled || user.isolated || user.id == plugin.id) continue;
      const std::string service = ServiceOf(user, plugin.id);
      if (service.empty()) continue;
      const std::string path = "plugins." + plugin.id + ".isolation";
      Report("SH-0241", configuration_.value.Find(path)->where, path,
             "plugin \"" + user.id + "\", which runs in the host itself, uses its " + service,
             "Remove it here, or set plugins." + user.id + ".isolation to process as well: the " +
                 "process of " + user.id + " then has a " + plugin.id + " of its own");
      return;
    }
  }

  // After all are known: aliases of the manifest, targets that run.
  void CheckUse(const PluginSettings& plugin) {
    const Manifest& manifest = *FindManifest(manifests_, plugin.id);
    for (const auto& [alias, use] : plugin.use) {
      const std::string path = "plugins." + plugin.id + ".use." + alias;
      const auto& needs = manifest.requires_services;
      const auto need =
          std::find_if(needs.begin(), needs.end(),
                       [&name = alias](const auto& entry) { return entry.alias == name; });
      if (need == needs.end()) {
        ReportAlias(manifest, alias, use, path);
      } else {
        CheckTarget(plugin, *need, use, path);
      }
    }
  }

 private:
  void Report(std::string code, const Location& where, const std::string& path, std::string problem,
              std::string fix) {
    diagnostics_.push_back({std::move(code), where, path, std::move(problem), std::move(fix)});
  }

  void ReportUnknown(const Node::Member& member, const std::string& path) {
    std::vector<std::string> ids;
    for (const Manifest& manifest : manifests_) ids.push_back(manifest.id);
    std::sort(ids.begin(), ids.end());
    const auto near = Suggest(member.name, ids);
    Report("SH-0213", member.where, path,
           "plugin \"" + member.name +
               "\" is not installed (installed: " + (ids.empty() ? "none" : Join(ids)) + ")",
           near ? "Did you mean " + *near + "?"
                : "Install it into a plugin directory, or remove the entry");
  }

  void ReadIsolation(const Value& value, const std::string& path, PluginSettings& plugin) {
    plugin.isolated = value.String("isolation") == "process";
    plugin.limits.memory_bytes = value.Integer("limits.memory");
    plugin.limits.cpu_time = Microseconds(value.Integer("limits.cpu_time"));
    plugin.limits.open_files = static_cast<int>(value.Integer("limits.open_files"));
    const Value* limits = value.Find("limits");
    const Value* isolation = value.Find("isolation");
    const bool unclear = isolation == nullptr || isolation->unusable;
    if (plugin.isolated || unclear || limits == nullptr) return;
    for (const auto& [name, limit] : limits->members) {
      if (limit.null || limit.from_default) continue;
      Report("SH-0242", limit.where, MemberPath(path + ".limits", name),
             "the plugin has no process of its own that could be limited",
             "Set " + path + ".isolation to process, or remove it");
    }
  }

  // The service of `provider` that the plugin is given; empty: none. As the plan decides it.
  std::string ServiceOf(const PluginSettings& user, const std::string& provider) const {
    const Manifest& manifest = *FindManifest(manifests_, user.id);
    for (const ServiceRequirement& need : manifest.requires_services) {
      const auto provides = [&](const PluginSettings& other) {
        return other.enabled && other.id != user.id &&
               Contains(FindManifest(manifests_, other.id)->provides, need.service);
      };
      const PluginSettings* given = configuration_.FindPlugin(provider);
      if (!provides(*given)) continue;
      if (const auto chosen = user.use.find(need.alias); !need.many && chosen != user.use.end()) {
        if (chosen->second.provider == provider) return need.service;
        continue;
      }
      const auto count =
          std::count_if(configuration_.plugins.begin(), configuration_.plugins.end(), provides);
      if (need.many || (count == 1 && !IsSecond(manifest, need))) return need.service;
    }
    return {};
  }

  // An optional provider beside another one of the same kind is used only when it is named.
  static bool IsSecond(const Manifest& manifest, const ServiceRequirement& need) {
    const auto& needs = manifest.requires_services;
    return need.optional && std::count_if(needs.begin(), needs.end(), [&](const auto& other) {
                              return other.service == need.service;
                            }) > 1;
  }

  // A plugin that is switched off need not be complete; what it says must still be right.
  void ForgiveMissing(std::size_t from) {
    diagnostics_.erase(
        std::remove_if(diagnostics_.begin() + static_cast<std::ptrdiff_t>(from), diagnostics_.end(),
                       [](const auto& d) { return d.code == "SH-0207"; }),
        diagnostics_.end());
  }

  void ReportAlias(const Manifest& manifest, const std::string& alias, const UseSetting& use,
                   const std::string& path) {
    std::vector<std::string> aliases;
    for (const ServiceRequirement& need : manifest.requires_services) {
      aliases.push_back(need.alias);
    }
    const auto near = Suggest(alias, aliases);
    std::string fix = "Remove it: the plugin uses no other plugin";
    if (!aliases.empty()) fix = "It uses " + Join(aliases);
    if (near) fix = "Did you mean " + *near + "?";
    Report("SH-0217", use.where, path,
           "plugin \"" + manifest.id + "\" uses nothing named \"" + alias + "\"", std::move(fix));
  }

  void CheckTarget(const PluginSettings& plugin, const ServiceRequirement& need,
                   const UseSetting& use, const std::string& path) {
    if (!plugin.enabled) return;
    std::vector<std::string> providers;  // that could stand here
    for (const PluginSettings& other : configuration_.plugins) {
      const auto& provides = FindManifest(manifests_, other.id)->provides;
      const bool fits = Contains(provides, need.service);
      if (fits && other.enabled && other.id != plugin.id) providers.push_back(other.id);
    }
    if (Contains(providers, use.provider)) return;
    const Manifest* target = FindManifest(manifests_, use.provider);
    const PluginSettings* configured = configuration_.FindPlugin(use.provider);
    std::string problem = "\"" + use.provider + "\" does not provide " + need.service;
    std::string fix = providers.empty() ? "Enable a plugin that provides it under plugins:"
                                        : "Enabled plugins that provide it: " + Join(providers);
    const auto near = Suggest(use.provider, providers);
    if (use.provider == plugin.id) {
      problem = "a plugin cannot use itself";
    } else if (target == nullptr) {
      problem = "plugin \"" + use.provider + "\" is not installed";
      if (near) fix = "Did you mean " + *near + "?";
    } else if (configured == nullptr || !configured->enabled) {
      problem = "plugin \"" + use.provider + "\" is not enabled";
      fix = configured == nullptr ? "Add it under plugins:" : "Remove its `enabled: false`";
    }
    Report("SH-0218", use.where, path, std::move(problem), std::move(fix));
  }

  const std::vector<Manifest>& manifests_;
  Configuration& configuration_;
  Diagnostics& diagnostics_;
};

}  // namespace

Schema PluginSchema(const Manifest& manifest) {
  Schema schema = manifest.config;
  schema.type = Schema::Type::kMap;
  schema.nullable = false;
  schema.help = manifest.summary;
  std::erase_if(schema.keys, [](const auto& entry) { return IsCommon(entry.name); });
  const std::vector<Schema::Key>& common = HostSchema().Find("plugins")->any_key->keys;
  schema.keys.insert(schema.keys.begin(), common.begin(), common.end());
  return schema;
}

void LoadPlugins(const Node* section, const std::vector<Manifest>& manifests,
                 Configuration& configuration, Diagnostics& diagnostics) {
  Value* value = FindMember(configuration.value, "plugins");
  if (section == nullptr || section->kind != Node::Kind::kMap || value == nullptr) return;
  PluginLoader loader(manifests, configuration, diagnostics);
  for (const Node::Member& member : section->members) {
    const bool of_host = HostSchema().Find("plugins")->Find(member.name) != nullptr;
    if (!of_host) loader.Load(member, *value);
  }
  for (const PluginSettings& plugin : configuration.plugins) loader.CheckUse(plugin);
  for (const PluginSettings& plugin : configuration.plugins) loader.CheckIsolation(plugin);
}

}  // namespace summa::host
