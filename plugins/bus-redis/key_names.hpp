// Which streams there are, by the names of the keys.
#pragma once

#include <string>
#include <vector>

#include "plugins/bus-redis/connection.hpp"

namespace summa::bus_redis {

// What stands behind `start` in the keys of the server, sorted. At most `limit` names, and no more
// than a million keys are looked at: in a Redis that is shared with much else it may be incomplete.
std::vector<std::string> NamesOfKeys(Connection& connection, const std::string& start,
                                     std::size_t limit);

}  // namespace summa::bus_redis
