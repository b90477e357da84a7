// `bus streams`, `bus groups`, `bus trim`, `bus group create|delete|reset`: results as JSON.
#pragma once

#include <chrono>
#include <summa/command.hpp>

#include "plugins/bus-redis/stream_admin.hpp"

namespace summa::bus_redis {

CommandResult ListStreams(StreamAdmin& admin, const CommandCall& call);
CommandResult ListGroups(StreamAdmin& admin, const CommandCall& call);
CommandResult TrimStreams(StreamAdmin& admin, const CommandCall& call,
                          std::chrono::microseconds retention);
CommandResult CreateGroup(StreamAdmin& admin, const CommandCall& call);
CommandResult DeleteGroup(StreamAdmin& admin, const CommandCall& call);
CommandResult ResetGroup(StreamAdmin& admin, const CommandCall& call);

}  // namespace summa::bus_redis
