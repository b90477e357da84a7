// Times for people: ISO-8601 in UTC with milliseconds, "2026-11-22T15:00:00.123Z".
#pragma once

#include <string>

#include "host/clock.hpp"

namespace summa::host {

// 1970 and earlier give an empty text ("never").
std::string TimeText(UnixTime time);

}  // namespace summa::host
