// The verbs of the plugin: outbox status, outbox redrive.
#pragma once

#include <string>
#include <summa/command.hpp>

#include "table.hpp"

namespace summa::outbox {

CommandResult ShowStatus(const CommandCall& call, const OutboxTable& table,
                         const std::string& mode);
CommandResult Redrive(const CommandCall& call, const OutboxTable& table);

}  // namespace summa::outbox
