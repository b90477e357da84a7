#pragma once

#include <string>
#include <string_view>

namespace summa::ledger {

// Appends a JSON number as ECMAScript prints the double it stands for ("1e21", "0.000001", "null"
// beyond the range of a double). False: the token is no JSON number; nothing is appended.
bool AppendNumber(std::string_view token, std::string& out);

}  // namespace summa::ledger
