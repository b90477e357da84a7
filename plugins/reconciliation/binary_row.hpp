// The rows of COPY .. TO STDOUT (FORMAT binary), one message at a time, fields in their order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <summa/sql.hpp>

namespace summa::reconciliation {

class BinaryRow {
 public:
  // Whether the message holds a row: the end of the copy is a message without one.
  bool Open(std::string_view message) {
    rest_ = message;
    if (first_) rest_.remove_prefix(std::min(rest_.size(), kHeaderBytes));
    first_ = false;
    return Take<std::int16_t>() > 0;
  }
  // The next field; null: SQL NULL.
  Cell Next() {
    const std::int32_t size = Take<std::int32_t>();
    if (size < 0) return {true, {}};
    const std::string_view bytes = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(bytes.size());
    return {false, bytes};
  }

 private:
  // Signature, flags and the length of an extension that does not exist; in front of the first row.
  static constexpr std::size_t kHeaderBytes = 19;

  template <typename T>
  T Take() {
    if (rest_.size() < sizeof(T)) return -1;
    const T value = detail::FromBigEndian<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }

  std::string_view rest_;
  bool first_ = true;
};

}  // namespace summa::reconciliation
