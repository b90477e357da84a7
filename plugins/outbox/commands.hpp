// The verbs of the plugin. Each is a function over what all of them need.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <summa/bus.hpp>
#include <summa/command.hpp>
#include <vector>

#include "dead_letters.hpp"
#include "table.hpp"

namespace summa::outbox {

struct Sink {
  std::string id;  // of the plugin that provides it
  BusClient bus;
};

// Borrowed from the plugin for one call.
struct CommandContext {
  const Settings& settings;
  const OutboxTable& table;
  const DeadLetters& dead_letters;
  std::span<const Sink> sinks;
};

CommandResult ShowStatus(const CommandCall& call, const CommandContext& context);
CommandResult Verify(const CommandCall& call, const CommandContext& context);
CommandResult Redrive(const CommandCall& call, const CommandContext& context);
CommandResult ListDeadLetters(const CommandCall& call, const CommandContext& context);
CommandResult ShowDeadLetter(const CommandCall& call, const CommandContext& context);
CommandResult RedriveDeadLetters(const CommandCall& call, const CommandContext& context);
CommandResult DiscardDeadLetters(const CommandCall& call, const CommandContext& context);

// Calls `change` with pieces of the ids, so that not more than the option --rate are changed in a
// second, until all are done or the call has to stop; the sum of what it returned.
std::int64_t InPieces(const CommandCall& call, std::string_view label,
                      std::span<const std::string> ids,
                      const std::function<std::int64_t(std::span<const std::string>)>& change);

// Throws SH-0507 unless the text is a UUID.
void RequireUuid(const std::string& id);

}  // namespace summa::outbox
