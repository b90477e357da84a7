// Regular expressions of schemas and manifests.
#pragma once

#include <string>
#include <string_view>

namespace summa::host {

// Whether the whole text matches an ECMAScript expression, which is compiled once for the life of the
// process: a request is checked against the same few. Throws std::regex_error. Thread-safe. The text
// must be short: the library recurses once per character.
bool MatchesPattern(std::string_view text, const std::string& pattern);

}  // namespace summa::host
