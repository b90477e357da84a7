// The rows of COPY ... TO STDOUT (FORMAT binary): one message at a time, fields in the order of the
// columns, without a copy.
//
//   summa::CopyRow row;
//   session.CopyOut("COPY (SELECT id, amount FROM t) TO STDOUT (FORMAT binary)",
//                   [&](std::string_view message) {
//                     if (!row.Open(message)) return true;
//                     const auto id = row.Next<summa::Uuid>();
//                     const auto amount = row.Next<std::optional<std::int64_t>>();
//                     ...
//                   });
//
// The format contains neither names nor types: only the number of fields, NULL and the width are
// checked. In the statement, cast columns that may have another type (amount::bigint).
#pragma once

#include <summa/sql_value.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace summa {

// One object for one COPY, whose first message begins with a header.
class CopyRow {
 public:
  // Returns false when the message has no row (the last one). The row is borrowed until the message
  // is gone.
  bool Open(std::string_view message) {
    if (first_) message.remove_prefix(std::min(message.size(), kHeaderBytes));
    first_ = false;
    rest_ = message;
    number_ = 0;
    fields_ = TakeInteger<std::int16_t>();
    return fields_ >= 0;
  }

  // The next field. Throws SH-0434 when there is none, on NULL and on a different width.
  template <typename T>
  T Next() {
    const std::optional<std::string_view> bytes = TakeField();
    return detail::ReadValue<T>(
        bytes, [this] { return "field " + std::to_string(number_) + " of a copied row"; });
  }

 private:
  // Signature, flags and the length of an extension that does not exist.
  static constexpr std::size_t kHeaderBytes = 19;

  std::optional<std::string_view> TakeField() {
    if (++number_ > fields_) {
      detail::ThrowUnexpected("a copied row has " + std::to_string(fields_) +
                              " fields, and one more was requested");
    }
    const auto size = TakeInteger<std::int32_t>();
    if (size < 0) return std::nullopt;
    return TakeBytes(static_cast<std::size_t>(size));
  }
  template <typename T>
  T TakeInteger() {
    return detail::FromBigEndian<T>(TakeBytes(sizeof(T)).data());
  }
  std::string_view TakeBytes(std::size_t size) {
    if (rest_.size() < size) detail::ThrowUnexpected("a copied row is truncated");
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  std::string_view rest_;
  bool first_ = true;
  int fields_ = 0, number_ = 0;
};

}  // namespace summa
