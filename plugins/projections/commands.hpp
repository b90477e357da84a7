// The verbs of the plugin.
#pragma once

#include <summa/command.hpp>
#include <summa/host.hpp>

#include "engine/catalog.hpp"

namespace summa::projections {

struct CommandContext {
  Host host;
  const Catalog& catalog;
};

CommandResult ListProjections(const CommandCall& call, const CommandContext& context);
CommandResult ShowProjection(const CommandCall& call, const CommandContext& context);
CommandResult RebuildProjection(const CommandCall& call, const CommandContext& context);
CommandResult VerifyProjection(const CommandCall& call, const CommandContext& context);
CommandResult SwapProjection(const CommandCall& call, const CommandContext& context);
CommandResult RollbackProjection(const CommandCall& call, const CommandContext& context);
CommandResult PauseProjection(const CommandCall& call, const CommandContext& context);
CommandResult ResumeProjection(const CommandCall& call, const CommandContext& context);
CommandResult ShowReadModel(const CommandCall& call, const CommandContext& context);
CommandResult WaitForEvent(const CommandCall& call, const CommandContext& context);

}  // namespace summa::projections
