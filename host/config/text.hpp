// Small questions about text that reading a configuration needs. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace summa::host {

// The offset of the first byte that is not part of valid UTF-8.
std::optional<std::size_t> FindInvalidUtf8(std::string_view text);
// Characters (code points) of a UTF-8 text.
std::size_t CountCharacters(std::string_view text);
// "a, b, c"; with " or " for `last`: "a, b or c"
std::string Join(const std::vector<std::string>& words, std::string_view last = ", ");
// The parts between separators; "a,b," has two, "" none.
std::vector<std::string_view> Split(std::string_view text, char separator);
// "plugins.outbox": a member by its path; the root has no name.
std::string MemberPath(const std::string& path, const std::string& member);
// The text with passwords replaced by ***: those in the user part of URLs, and those given as
// parameters (password=..., token=...). Rather hides too much than too little.
std::string RedactUrl(std::string_view url);

}  // namespace summa::host
