// Whether texts that a plugin gives are what the ABI says. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace summa::conformance {

bool IsUtf8(std::string_view text);
// Why the text is not one JSON object; nullopt: it is.
std::optional<std::string> ProblemOfObject(std::string_view text);
// A stable code: "SH-0501".
bool IsCode(std::string_view text);

}  // namespace summa::conformance
