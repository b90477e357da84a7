// Where a page of entries begins: the number and the id of the last entry of the page before, and
// whether the number is a position (of a read model) or a version of the account (of the ledger).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <summa/uuid.hpp>

namespace summa::projections {

struct Cursor {
  bool of_ledger = false;
  std::int64_t number = 0;
  Uuid id;

  // "p1234.0f8fad5b-d9cb-469f-a165-70867728950e"
  std::string Text() const {
    return (of_ledger ? "v" : "p") + std::to_string(number) + "." + ToText(id);
  }
  static std::optional<Cursor> Parse(std::string_view text);
};

}  // namespace summa::projections
