// The verbs of the plugin. Each is a function over what all of them need.
#pragma once

#include <summa/command.hpp>
#include <summa/host.hpp>

#include "settings.hpp"

namespace summa::reconciliation {

// Borrowed from the plugin for one call.
struct CommandContext {
  Host host;
  const Settings& settings;
};

CommandResult RunReconcile(const CommandCall& call, const CommandContext& context);
CommandResult VerifyAggregate(const CommandCall& call, const CommandContext& context);
CommandResult VerifyAll(const CommandCall& call, const CommandContext& context);
CommandResult CreateSnapshots(const CommandCall& call, const CommandContext& context);
CommandResult ShowStatus(const CommandCall& call, const CommandContext& context);

}  // namespace summa::reconciliation
