// Steps of LoadConfiguration, in the order in which it takes them. Internal to host/settings.
#pragma once

#include <vector>

#include "host/settings/configuration.hpp"

namespace summa::host {

// The host's own part, from host-schema.yaml. `plugins` and `schedules` describe any member there.
const Schema& HostSchema();

// What may stand below the id of a plugin: its own keys, and those that every plugin has.
Schema PluginSchema(const Manifest& manifest);
// What may stand below the id of a worker of this kind.
Schema WorkerSchema(const WorkerDeclaration& worker);

// The member of a map; nullptr: it has none of this name.
Value* FindMember(Value& map, std::string_view name);
const Manifest* FindManifest(const std::vector<Manifest>& manifests, std::string_view id);

// Fill configuration.plugins and .workers and add their part to configuration.value. `section` is
// the value of `plugins:` or `schedules:`, nullptr when absent.
void LoadPlugins(const Node* section, const std::vector<Manifest>& manifests,
                 Configuration& configuration, Diagnostics& diagnostics);
void LoadSchedules(const Node* section, const std::vector<Manifest>& manifests,
                   Configuration& configuration, Diagnostics& diagnostics);

}  // namespace summa::host
