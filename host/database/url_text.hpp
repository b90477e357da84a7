// The text of a database URL, as far as libpq cannot be asked about it: which parameters it names,
// and what people write who come from other drivers. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/error.hpp"

namespace summa::host {

// The names of its parameters in their order, whether libpq knows them or not.
std::vector<std::string> ParameterNames(std::string_view url);

// Takes a parameter out of the text; its value, or nullopt when it is not there.
std::optional<std::string> TakeParameter(std::string& url, std::string_view name);

// A scheme in front of :// that is not PostgreSQL's; empty when there is none.
std::string ForeignScheme(std::string_view url);

// What to write instead of such a scheme.
std::string AdviceForScheme(std::string_view scheme);

// A password that was not escaped may have been read as another part of the URL.
bool PasswordMayBeElsewhere(std::string_view url);

// What to write instead of a parameter of another driver.
std::string AdviceFor(std::string_view parameter);

// What to write instead of a value that libpq does not know.
std::string AdviceForValue(std::string_view parameter, std::string_view value);

}  // namespace summa::host
