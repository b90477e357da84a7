// Types, arrays and iteration over summa.sql/1. A Session is one connection and belongs to one
// thread at a time; its methods throw summa::Error with the SQLSTATE of the server.
//
//   summa::Session session(tick.sql());
//   session.Begin();
//   session.Exec("UPDATE t SET done = true WHERE id = ANY($1)", {summa::UuidArray(ids)});
//   session.Commit();   // guarded by the worker's lease
#pragma once

#include <summa/abi/sql.h>
#include <summa/error.hpp>
#include <summa/time.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace summa {

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

// The binary form of a one-dimensional array without NULLs.
inline std::string ArrayHeader(std::uint32_t element_type, std::size_t count) {
  std::string out;
  AppendBigEndian<std::int32_t>(out, count == 0 ? 0 : 1);  // dimensions
  AppendBigEndian<std::int32_t>(out, 0);                   // has no NULL
  AppendBigEndian<std::uint32_t>(out, element_type);
  if (count > 0) {
    AppendBigEndian<std::int32_t>(out, static_cast<std::int32_t>(count));
    AppendBigEndian<std::int32_t>(out, 1);  // lower bound
  }
  return out;
}

}  // namespace detail

// Type OIDs of PostgreSQL's built-in types; they never change.
inline constexpr std::uint32_t kOidBool = 16, kOidInt8 = 20, kOidInt4 = 23, kOidText = 25,
                               kOidUuid = 2950, kOidTimestamptz = 1184, kOidTextArray = 1009,
                               kOidInt8Array = 1016, kOidInt4Array = 1007, kOidUuidArray = 2951,
                               kOidTimestamptzArray = 1185;

using Uuid = std::array<unsigned char, 16>;

inline std::string ToText(const Uuid& uuid) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[uuid[i] >> 4];
    text += kHex[uuid[i] & 15];
  }
  return text;
}

// One parameter of a statement; owns its bytes.
class Parameter {
 public:
  Parameter(std::nullptr_t) : null_(true) {}            // NOLINT(google-explicit-constructor)
  Parameter(std::string_view text) : bytes_(text) {}    // NOLINT(google-explicit-constructor)
  Parameter(const char* text) : bytes_(text) {}         // NOLINT(google-explicit-constructor)
  Parameter(const std::string& text) : bytes_(text) {}  // NOLINT(google-explicit-constructor)
  Parameter(bool value) : type_(kOidBool), format_(1) {
    bytes_ += value ? '\1' : '\0';
  }  // NOLINT(google-explicit-constructor)
  Parameter(std::int64_t value)
      : type_(kOidInt8), format_(1) {  // NOLINT(google-explicit-constructor)
    detail::AppendBigEndian(bytes_, value);
  }
  Parameter(std::int32_t value)
      : type_(kOidInt4), format_(1) {  // NOLINT(google-explicit-constructor)
    detail::AppendBigEndian(bytes_, value);
  }
  Parameter(std::uint32_t type, std::string binary)
      : bytes_(std::move(binary)), type_(type), format_(1) {}

  summa_sql_parameter Abi() const {
    return {null_ ? nullptr : bytes_.c_str(), bytes_.size(), type_, format_};
  }

 private:
  std::string bytes_;
  std::uint32_t type_ = 0;
  std::int32_t format_ = 0;
  bool null_ = false;
};

inline Parameter UuidValue(const Uuid& uuid) {
  return {kOidUuid, std::string(reinterpret_cast<const char*>(uuid.data()), uuid.size())};
}
// Microseconds since 2000-01-01 UTC, PostgreSQL's own count: read with Cell::Integer, given back
// exactly.
inline Parameter Timestamp(std::int64_t microseconds_since_2000) {
  std::string bytes;
  detail::AppendBigEndian(bytes, microseconds_since_2000);
  return {kOidTimestamptz, std::move(bytes)};
}
inline Parameter Timestamp(DatabaseTime time) { return Timestamp(ToMicroseconds(time)); }
inline Parameter UuidArray(std::span<const Uuid> uuids) {
  std::string bytes = detail::ArrayHeader(kOidUuid, uuids.size());
  bytes.reserve(bytes.size() + uuids.size() * 20);
  for (const Uuid& uuid : uuids) {
    detail::AppendBigEndian<std::int32_t>(bytes, 16);
    bytes.append(reinterpret_cast<const char*>(uuid.data()), uuid.size());
  }
  return {kOidUuidArray, std::move(bytes)};
}
inline Parameter TextArray(std::span<const std::string> texts) {
  std::string bytes = detail::ArrayHeader(kOidText, texts.size());
  for (const std::string& text : texts) {
    detail::AppendBigEndian(bytes, static_cast<std::int32_t>(text.size()));
    bytes += text;
  }
  return {kOidTextArray, std::move(bytes)};
}
inline Parameter IntegerArray(std::span<const std::int64_t> values) {
  std::string bytes = detail::ArrayHeader(kOidInt8, values.size());
  for (const std::int64_t value : values) {
    detail::AppendBigEndian<std::int32_t>(bytes, 8);
    detail::AppendBigEndian(bytes, value);
  }
  return {kOidInt8Array, std::move(bytes)};
}

// One cell of a binary result; borrowed from the result.
class Cell {
 public:
  Cell(bool null, std::string_view bytes) : null_(null), bytes_(bytes) {}
  bool null() const { return null_; }
  std::string_view Text() const { return bytes_; }
  // smallint, integer, bigint, timestamptz (microseconds since 2000-01-01); 0 when NULL.
  std::int64_t Integer() const {
    switch (bytes_.size()) {
      case 2:
        return detail::FromBigEndian<std::int16_t>(bytes_.data());
      case 4:
        return detail::FromBigEndian<std::int32_t>(bytes_.data());
      case 8:
        return detail::FromBigEndian<std::int64_t>(bytes_.data());
      default:
        return 0;
    }
  }
  // timestamptz; infinite as DatabaseTime::max() and min().
  DatabaseTime Time() const { return FromMicroseconds<DatabaseTime>(Integer()); }
  double Real() const { return bytes_.size() == 8 ? std::bit_cast<double>(Integer()) : 0; }
  bool Boolean() const { return !bytes_.empty() && bytes_[0] != 0; }
  Uuid AsUuid() const {
    Uuid uuid{};
    if (bytes_.size() == uuid.size()) std::memcpy(uuid.data(), bytes_.data(), uuid.size());
    return uuid;
  }

 private:
  bool null_;
  std::string_view bytes_;
};

// A result in memory (binary format). Movable; outlives its session.
class Result {
 public:
  Result(const summa_sql_v1* sql, summa_sql_result* result) : result_(result, Free{sql}) {}

  std::size_t rows() const { return sql()->row_count(result_.get()); }
  std::int64_t affected_rows() const { return sql()->affected_rows(result_.get()); }
  Cell At(std::size_t row, std::size_t column) const {
    summa_str value{};
    const bool present = sql()->cell(result_.get(), row, column, &value) == 1;
    return {!present, FromAbi(value)};
  }

 private:
  struct Free {
    const summa_sql_v1* sql;
    void operator()(summa_sql_result* result) const { sql->free_result(result); }
  };
  const summa_sql_v1* sql() const { return result_.get_deleter().sql; }
  std::unique_ptr<summa_sql_result, Free> result_;
};

// One connection, given back when the object dies; an open transaction is rolled back then.
class Session {
 public:
  explicit Session(const summa_sql_v1* sql, std::string_view database = "ledger")
      : session_(Open(sql, database), Close{sql}) {}

  void Begin(std::uint32_t flags = SUMMA_SQL_READ_WRITE) {
    Call([&](summa_error* error) { return sql()->begin(session_.get(), flags, error); });
  }
  Result Exec(std::string_view statement, std::initializer_list<Parameter> parameters = {}) {
    return Exec(statement, std::span<const Parameter>(parameters.begin(), parameters.size()));
  }
  Result Exec(std::string_view statement, std::span<const Parameter> parameters) {
    std::vector<summa_sql_parameter> abi;
    abi.reserve(parameters.size());
    for (const Parameter& parameter : parameters) abi.push_back(parameter.Abi());
    summa_sql_result* result = nullptr;
    Call([&](summa_error* error) {
      return sql()->exec(session_.get(), ToAbi(statement), abi.data(), abi.size(), 1, &result,
                         error);
    });
    return {sql(), result};
  }
  // COPY ... TO STDOUT; on_row gives false to stop early.
  void CopyOut(std::string_view statement, const std::function<bool(std::string_view)>& on_row) {
    struct Context {
      const std::function<bool(std::string_view)>& on_row;
      std::exception_ptr thrown;
      bool stopped = false;
    } context{on_row, nullptr, false};
    const auto thunk = [](void* user, const char* data, std::size_t size) -> std::int32_t {
      auto* c = static_cast<Context*>(user);
      try {
        c->stopped = !c->on_row({data, size});
      } catch (...) {
        c->thrown = std::current_exception();
        c->stopped = true;
      }
      return c->stopped ? 1 : 0;
    };
    summa_error error = detail::EmptyError();
    const std::int32_t status =
        sql()->copy_out(session_.get(), ToAbi(statement), thunk, &context, &error);
    if (context.thrown) std::rethrow_exception(context.thrown);
    if (!context.stopped) detail::Check(status, error);
  }
  void Commit() {
    Call([&](summa_error* error) { return sql()->commit(session_.get(), error); });
  }
  void Rollback() {
    Call([&](summa_error* error) { return sql()->rollback(session_.get(), error); });
  }

 private:
  struct Close {
    const summa_sql_v1* sql;
    void operator()(summa_sql_session* session) const { sql->close(session); }
  };
  static summa_sql_session* Open(const summa_sql_v1* sql, std::string_view database) {
    summa_sql_session* session = nullptr;
    summa_error error = detail::EmptyError();
    detail::Check(sql->open(sql->self, ToAbi(database), &session, &error), error);
    return session;
  }
  template <typename Function>
  void Call(Function&& function) {
    summa_error error = detail::EmptyError();
    detail::Check(function(&error), error);
  }
  const summa_sql_v1* sql() const { return session_.get_deleter().sql; }
  std::unique_ptr<summa_sql_session, Close> session_;
};

}  // namespace summa
