// What of a Redis server would lose, stop or slow down messages: for `summa-host doctor`. Changes
// nothing: rights are tried on a stream that does not exist, with commands that make none.
#pragma once

#include <functional>
#include <string>
#include <summa/health.hpp>

#include "plugins/bus-redis/key_naming.hpp"
#include "plugins/bus-redis/servers.hpp"

namespace summa::bus_redis {

using Report = std::function<void(const Finding&)>;

// `wait_replicas`: as the writer has it. Throws summa::Error as Connection does when Redis cannot
// be asked.
void ExamineServers(Servers& servers, const KeyNaming& names, int wait_replicas,
                    const Report& report);

}  // namespace summa::bus_redis
