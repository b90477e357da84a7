// Text of unknown origin on its way into a line of JSON.
#pragma once

#include <string>
#include <string_view>

namespace summa::bus_redis {

// One whole JSON value in one line: can stand in a JSON line as it is. Deeper than 128 levels is
// no.
bool IsJsonLine(std::string_view text);

// The same text with U+FFFD for every byte that is no UTF-8.
std::string AsUtf8(std::string_view text);

}  // namespace summa::bus_redis
