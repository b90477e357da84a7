// One message of COPY ... TO STDOUT (FORMAT binary): a tuple, cell by cell, without a copy.
#pragma once

#include <summa/sql.hpp>

namespace summa::verify {

class CopyRow {
 public:
  // The header comes with the first tuple. False: the trailer, there is no tuple.
  bool Open(std::string_view message) {
    static constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0", 11);
    constexpr std::size_t kHeaderBytes = 19;  // signature, flags, length of an empty extension
    if (message.substr(0, kSignature.size()) == kSignature) message.remove_prefix(kHeaderBytes);
    if (message.size() < 2) return false;
    rest_ = message.substr(2);
    return detail::FromBigEndian<std::int16_t>(message.data()) >= 0;
  }

  // The next cell, in the order of the columns.
  Cell Next() {
    if (rest_.size() < 4) return {true, {}};
    const auto size = detail::FromBigEndian<std::int32_t>(rest_.data());
    rest_.remove_prefix(4);
    if (size < 0) return {true, {}};
    const std::string_view bytes = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(bytes.size());
    return {false, bytes};
  }

  // jsonb in binary is one byte of format version, then the text.
  static std::string_view JsonText(const Cell& cell) {
    return cell.Text().empty() ? cell.Text() : cell.Text().substr(1);
  }

 private:
  std::string_view rest_;
};

}  // namespace summa::verify
