// Times for people: ISO-8601 in UTC with milliseconds, "2026-11-22T15:00:00.123Z".
#pragma once

#include <string>

#include "host/clock.hpp"

namespace summa::host {

// unix_time: since 1970-01-01 UTC. Zero or less gives an empty text ("never").
std::string TimeText(Microseconds unix_time);

}  // namespace summa::host
