// Values of PostgreSQL in binary form, and the C++ types as which they are read. This is the only
// reader: rows of a result (summa/sql.hpp) and of a COPY (summa/copy_row.hpp) use it.
//
//   std::int64_t         bigint           bool              boolean
//   std::int32_t         integer          Uuid              uuid
//   std::int16_t         smallint         DatabaseTime      timestamptz
//   double               float8           Jsonb             jsonb
//   std::string_view, std::string         text, varchar, char(n), name, json
//   RawValue             any type, as it was sent
//
// Types are never converted: an integer cannot be read as std::int64_t. Cast in the statement.
// A std::string_view, Jsonb or RawValue is borrowed from the result, or from the call of a COPY.
#pragma once

#include <summa/error.hpp>
#include <summa/time.hpp>
#include <summa/uuid.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace summa {

// Type OIDs of PostgreSQL's built-in types; they never change.
inline constexpr std::uint32_t kOidBool = 16, kOidName = 19, kOidInt8 = 20, kOidInt2 = 21,
                               kOidInt4 = 23, kOidText = 25, kOidJson = 114, kOidFloat8 = 701,
                               kOidBpchar = 1042, kOidVarchar = 1043, kOidUuid = 2950,
                               kOidTimestamptz = 1184, kOidJsonb = 3802, kOidTextArray = 1009,
                               kOidInt8Array = 1016, kOidInt4Array = 1007, kOidUuidArray = 2951,
                               kOidTimestamptzArray = 1185;

// The text of a jsonb.
struct Jsonb {
  std::string_view text;
};

// The bytes of a value of any type, to be hashed or passed on.
struct RawValue {
  std::string_view bytes;
};

namespace detail {

template <std::integral T>
T FromBigEndian(const char* data) {
  T value{};
  std::memcpy(&value, data, sizeof value);
  if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) return value;
  if constexpr (sizeof(T) == 2)
    return static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
  if constexpr (sizeof(T) == 4)
    return static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
  if constexpr (sizeof(T) == 8)
    return static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
}

template <std::integral T>
void AppendBigEndian(std::string& out, T value) {
  const T swapped = FromBigEndian<T>(reinterpret_cast<const char*>(&value));
  out.append(reinterpret_cast<const char*>(&swapped), sizeof swapped);
}

[[noreturn, gnu::cold, gnu::noinline]] inline void ThrowUnexpected(const std::string& what) {
  throw Error(SUMMA_E_DATA, "SH-0434", what,
              "The statement and the code that reads its rows do not match, or the table is not "
              "what they expect");
}

}  // namespace detail

// How a type reads a value. kName: its name in messages. kOids: the types that it can read; none:
// every type. Read: returns false when the bytes are not a value of the type.
template <typename T>
struct SqlType;

template <std::signed_integral T>
requires(sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8) struct SqlType<T> {
  static constexpr const char* kName = sizeof(T) == 8   ? "bigint"
                                       : sizeof(T) == 4 ? "integer"
                                                        : "smallint";
  static constexpr std::array kOids{sizeof(T) == 8   ? kOidInt8
                                    : sizeof(T) == 4 ? kOidInt4
                                                     : kOidInt2};
  static bool Read(std::string_view bytes, T& value) {
    if (bytes.size() != sizeof(T)) return false;
    value = detail::FromBigEndian<T>(bytes.data());
    return true;
  }
};

template <>
struct SqlType<bool> {
  static constexpr const char* kName = "boolean";
  static constexpr std::array kOids{kOidBool};
  static bool Read(std::string_view bytes, bool& value) {
    if (bytes.size() != 1) return false;
    value = bytes[0] != 0;
    return true;
  }
};

template <>
struct SqlType<double> {
  static constexpr const char* kName = "float8";
  static constexpr std::array kOids{kOidFloat8};
  static bool Read(std::string_view bytes, double& value) {
    std::int64_t bits = 0;
    if (!SqlType<std::int64_t>::Read(bytes, bits)) return false;
    value = std::bit_cast<double>(bits);
    return true;
  }
};

template <>
struct SqlType<DatabaseTime> {
  static constexpr const char* kName = "timestamptz";
  static constexpr std::array kOids{kOidTimestamptz};
  static bool Read(std::string_view bytes, DatabaseTime& value) {
    std::int64_t microseconds = 0;
    if (!SqlType<std::int64_t>::Read(bytes, microseconds)) return false;
    value = FromMicroseconds<DatabaseTime>(microseconds);
    return true;
  }
};

template <>
struct SqlType<Uuid> {
  static constexpr const char* kName = "uuid";
  static constexpr std::array kOids{kOidUuid};
  static bool Read(std::string_view bytes, Uuid& value) {
    if (bytes.size() != value.bytes.size()) return false;
    std::memcpy(value.bytes.data(), bytes.data(), value.bytes.size());
    return true;
  }
};

template <>
struct SqlType<std::string_view> {
  static constexpr const char* kName = "text";
  static constexpr std::array kOids{kOidText, kOidVarchar, kOidBpchar, kOidName, kOidJson};
  static bool Read(std::string_view bytes, std::string_view& value) {
    value = bytes;
    return true;
  }
};

template <>
struct SqlType<std::string> : SqlType<std::string_view> {
  static bool Read(std::string_view bytes, std::string& value) {
    value = bytes;
    return true;
  }
};

template <>
struct SqlType<Jsonb> {
  static constexpr const char* kName = "jsonb";
  static constexpr std::array kOids{kOidJsonb};
  // One byte of format version, then the text.
  static bool Read(std::string_view bytes, Jsonb& value) {
    if (bytes.empty() || bytes[0] != 1) return false;
    value.text = bytes.substr(1);
    return true;
  }
};

template <>
struct SqlType<RawValue> {
  static constexpr const char* kName = "a value";
  static constexpr std::array<std::uint32_t, 0> kOids{};
  static bool Read(std::string_view bytes, RawValue& value) {
    value.bytes = bytes;
    return true;
  }
};

// A value that may be NULL.
template <typename T>
struct SqlType<std::optional<T>> : SqlType<T> {};

namespace detail {

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <typename T>
bool MayRead(std::uint32_t type) {
  const auto& oids = SqlType<T>::kOids;
  return oids.empty() || std::find(oids.begin(), oids.end(), type) != oids.end();
}

// The value of `bytes` (nothing: NULL); describe() names the value in an error.
template <typename T, typename Describe>
T ReadValue(const std::optional<std::string_view>& bytes, const Describe& describe) {
  if constexpr (IsOptional<T>::value) {
    if (!bytes) return std::nullopt;
    return ReadValue<typename T::value_type>(bytes, describe);
  } else {
    if (!bytes) ThrowUnexpected(describe() + " is NULL, expected " + SqlType<T>::kName);
    T value{};
    if (!SqlType<T>::Read(*bytes, value)) {
      ThrowUnexpected(describe() + " has " + std::to_string(bytes->size()) +
                      " bytes, which are not a valid " + SqlType<T>::kName);
    }
    return value;
  }
}

}  // namespace detail

// Reads bytes that were kept as RawValue. Throws SH-0434 when they are not a T.
template <typename T>
T ReadAs(const std::optional<RawValue>& raw) {
  return detail::ReadValue<T>(raw ? std::optional(raw->bytes) : std::nullopt,
                              [] { return std::string("a value"); });
}

}  // namespace summa
