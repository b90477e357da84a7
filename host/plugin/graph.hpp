// Which plugins can run together, who serves whom, and in which order they start.
//
// Decided from manifests alone, before any code of a plugin is loaded. A plugin that is refused
// takes down only those that need it; each gets its own message, and the others go on. Pure and
// deterministic: the same configuration gives the same plan. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/plugin/discovery.hpp"

namespace summa::host {

struct ProviderChoice {
  std::string provider;  // id of a plugin
  std::string where;     // file:line:col of the choice; may be empty
};

// One member of `plugins:` in the configuration.
struct EnabledPlugin {
  std::string id;
  std::string where;                          // file:line:col of its key; may be empty
  std::map<std::string, ProviderChoice> use;  // alias -> provider
};

// A requirement that is served by another plugin.
struct Binding {
  std::string service;  // "summa.bus/1"
  std::string alias;    // "bus"
  std::string provider;
  bool optional = false;
};

struct PlannedPlugin {
  std::string id;
  const PluginFile* file = nullptr;  // into the Discovery
  std::vector<Binding> bindings;
};

struct RefusedPlugin {
  std::string id;
  const PluginFile* file = nullptr;  // nullptr: not installed
  std::vector<Error> errors;         // at least one
};

struct Plan {
  std::vector<PlannedPlugin> order;    // start in this order, stop in the reverse one
  std::vector<RefusedPlugin> refused;  // in the order of the configuration
  // What the files above are in, when it is not the Discovery that the plan was made from.
  std::shared_ptr<const Discovery> locked = {};
};

// `enabled` in the order of the configuration: it decides between plugins that could start at the
// same time. Of plugins that claim one worker id, verb or route none may run. `discovery`
// outlives the plan. `configuration` is the name of the file for messages.
Plan MakePlan(const std::vector<EnabledPlugin>& enabled, const Discovery& discovery,
              const std::string& configuration);

// SH-0121: `id` cannot run because the provider of this binding was refused or failed.
Error NeedsRefused(const std::string& id, const Binding& binding, const std::string& provider_code,
                   const std::string& where);

}  // namespace summa::host
