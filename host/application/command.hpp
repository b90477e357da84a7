// Runs one verb of a plugin (summa.command/1), or one of the host that works on a plugin's bus, in
// a process of its own: only that plugin and the plugins that serve it are loaded.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <summa/bus.hpp>
#include <summa/command.hpp>

#include "host/application/settings.hpp"
#include "host/application/verb_result.hpp"
#include "host/clock.hpp"
#include "host/config/schema.hpp"
#include "host/plugin/discovery.hpp"

namespace summa::host {

using BusVerb = summa::CommandResult (*)(const summa::BusClient& bus,
                                         const summa::CommandCall& call);

struct CommandRequest {
  std::string plugin;
  CommandDeclaration declaration;
  BusVerb bus_verb = nullptr;  // runs instead of a function of the plugin
  const Value* options;        // one member per declared option
  // For the lease of the worker, which its holder is asked for.
  Microseconds wait{0};
  std::function<void(std::string_view json_object)> emit;
  std::function<void(std::string_view label, std::int64_t done, std::int64_t total)> progress;
};

// A verb whose manifest names a worker runs under that worker's lease; a host of ours that holds it
// lets it go after its call. SH-0323, exit 75, when it cannot be had in time. Throws Failure when
// the verb cannot be started at all.
VerbResult RunPluginCommand(const LoadedConfiguration& loaded, const Discovery& plugins,
                            const CommandRequest& request);

}  // namespace summa::host
