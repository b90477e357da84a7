// Which streams there are, by the names of the keys.
#pragma once

#include <string>
#include <vector>

#include "plugins/bus-redis/key_naming.hpp"
#include "plugins/bus-redis/servers.hpp"

namespace summa::bus_redis {

// Topics that have a stream, or dead letters, sorted. At most `limit` names, and no more than a
// million keys of each server are looked at: in a Redis that is shared with much else it may be
// incomplete.
std::vector<std::string> StreamTopics(Servers& servers, const KeyNaming& names, std::size_t limit);
std::vector<std::string> DeadLetterTopics(Servers& servers, const KeyNaming& names,
                                          std::size_t limit);

}  // namespace summa::bus_redis
