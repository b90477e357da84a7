// Text of a bounded length. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <string_view>

namespace summa {

// The beginning of a UTF-8 text: as many whole characters as fit in `most` bytes.
inline std::string_view Beginning(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return text.substr(0, most);
}

}  // namespace summa
