#include "reads/cursor.hpp"

#include <charconv>
#include <system_error>

namespace summa::projections {

std::optional<Cursor> Cursor::Parse(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos || (text[0] != 'p' && text[0] != 'v')) return std::nullopt;
  Cursor cursor;
  cursor.of_ledger = text[0] == 'v';
  const char* end = text.data() + dot;
  const auto [read, failure] = std::from_chars(text.data() + 1, end, cursor.number);
  const std::optional<Uuid> id = ParseUuid(text.substr(dot + 1));
  if (failure != std::errc{} || read != end || !id) return std::nullopt;
  cursor.id = *id;
  return cursor;
}

}  // namespace summa::projections
