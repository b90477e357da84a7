// Types, arrays and iteration over summa.sql/1. A Session is one connection and belongs to one
// thread at a time; its methods throw summa::Error with the SQLSTATE of the server.
//
//   summa::Session session(tick.sql());
//   const summa::Result due = session.Exec("SELECT id, amount FROM t WHERE NOT done");
//   for (const summa::Row row : due) {
//     Pay(row.Get<summa::Uuid>("id"), row.Get<std::int64_t>("amount"));  // throws on NULL
//   }
//   session.Begin();
//   session.Exec("UPDATE t SET done = true WHERE id = ANY($1)", {summa::UuidArray(ids)});
//   session.Commit();   // guarded by the worker's lease
//
// The types as which a column can be read are those of summa/sql_value.hpp.
#pragma once

#include <summa/abi/sql.h>
#include <summa/error.hpp>
#include <summa/sql_value.hpp>
#include <summa/time.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace summa {

namespace detail {

// A letter is no number: it is written as a text.
template <typename T>
inline constexpr bool kIsCharacter =
    std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
    std::same_as<T, char16_t> || std::same_as<T, char32_t>;

// The beginning of the binary form of a one-dimensional array.
inline std::string ArrayHeader(std::uint32_t element_type, std::size_t count,
                               bool has_null = false) {
  std::string out;
  AppendBigEndian<std::int32_t>(out, count == 0 ? 0 : 1);  // dimensions
  AppendBigEndian<std::int32_t>(out, has_null ? 1 : 0);
  AppendBigEndian<std::uint32_t>(out, element_type);
  if (count > 0) {
    AppendBigEndian<std::int32_t>(out, static_cast<std::int32_t>(count));
    AppendBigEndian<std::int32_t>(out, 1);  // lower bound
  }
  return out;
}

// Elements of eight bytes: bigint, timestamptz.
inline std::string LongArray(std::uint32_t element_type, std::span<const std::int64_t> values) {
  std::string bytes = ArrayHeader(element_type, values.size());
  bytes.reserve(bytes.size() + values.size() * 12);
  for (const std::int64_t value : values) {
    AppendBigEndian<std::int32_t>(bytes, 8);
    AppendBigEndian(bytes, value);
  }
  return bytes;
}
inline std::string LongArray(std::uint32_t element_type,
                             std::span<const std::optional<std::int64_t>> values) {
  std::string bytes = ArrayHeader(element_type, values.size(), /*has_null=*/true);
  bytes.reserve(bytes.size() + values.size() * 12);
  for (const std::optional<std::int64_t>& value : values) {
    AppendBigEndian<std::int32_t>(bytes, value ? 8 : -1);
    if (value) AppendBigEndian(bytes, *value);
  }
  return bytes;
}

}  // namespace detail

// One parameter of a statement; owns its bytes. Its type is that of the C++ value, which the server
// converts where a column wants another one (bigint to numeric, integer to bigint):
//   bool                                    boolean
//   signed integers of at most 32 bits      integer
//   all other integers (std::size_t, 1LL)   bigint; SH-0434 when the value does not fit
//   double, float                           float8
//   texts                                   whatever the statement needs there
//   nullptr, an empty std::optional         NULL
// Functions below make the others: UuidValue, Timestamp, arrays.
class Parameter {
 public:
  // NOLINTBEGIN(google-explicit-constructor): a list of values is a list of parameters
  Parameter(std::nullptr_t) : null_(true) {}
  Parameter(std::string_view text) : bytes_(text) {}
  Parameter(const char* text) : bytes_(text) {}
  Parameter(const std::string& text) : bytes_(text) {}
  Parameter(std::same_as<bool> auto value) : type_(kOidBool), format_(1) {
    bytes_ += value ? '\1' : '\0';
  }
  template <std::integral T>
  requires(!std::same_as<T, bool> && !detail::kIsCharacter<T>) Parameter(T value) : format_(1) {
    if constexpr (std::is_signed_v<T> && sizeof(T) <= sizeof(std::int32_t)) {
      type_ = kOidInt4;
      detail::AppendBigEndian<std::int32_t>(bytes_, value);
    } else {
      type_ = kOidInt8;
      if (!std::in_range<std::int64_t>(value)) {
        detail::ThrowUnexpected("a parameter is " + std::to_string(value) +
                                ", which is above the largest bigint");
      }
      detail::AppendBigEndian(bytes_, static_cast<std::int64_t>(value));
    }
  }
  Parameter(std::floating_point auto value) : type_(kOidFloat8), format_(1) {
    detail::AppendBigEndian(bytes_, std::bit_cast<std::int64_t>(static_cast<double>(value)));
  }
  template <typename T>
  Parameter(const std::optional<T>& value)
      : Parameter(value ? Parameter(*value) : Parameter(nullptr)) {}
  // NOLINTEND(google-explicit-constructor)
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
  return {kOidUuid,
          std::string(reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size())};
}
// Microseconds since 2000-01-01 UTC, PostgreSQL's own count.
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
    bytes.append(reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size());
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
  return {kOidInt8Array, detail::LongArray(kOidInt8, values)};
}
inline Parameter IntegerArray(std::span<const std::optional<std::int64_t>> values) {
  return {kOidInt8Array, detail::LongArray(kOidInt8, values)};
}
// Microseconds since 2000-01-01 UTC.
inline Parameter TimestampArray(std::span<const std::int64_t> values) {
  return {kOidTimestamptzArray, detail::LongArray(kOidTimestamptz, values)};
}
inline Parameter TimestampArray(std::span<const std::optional<std::int64_t>> values) {
  return {kOidTimestamptzArray, detail::LongArray(kOidTimestamptz, values)};
}

// A column of one result, found and checked once: for loops over many rows.
template <typename T>
class Column {
 private:
  friend class Result;
  friend class Row;
  explicit Column(std::size_t index) : index_(index) {}
  std::size_t index_;
};

class Row;

// A result in memory. Movable; outlives its session, but not the table of the session: one of a tick
// ends with the tick, one of a verb or request with it. Keep values, not results. One thread at a
// time. Throws SH-0434 (SUMMA_E_DATA) when it does not contain what is requested.
class Result {
 public:
  // Takes the result over. It must be in binary form (result_format 1), as Session::Exec() asks for
  // it: a text would be read as a number.
  Result(const summa_sql_v1* sql, summa_sql_result* result)
      : result_(result, Free{sql}), rows_(sql->row_count(result)) {
    constexpr std::size_t kSize = offsetof(summa_sql_v1, result_format) + sizeof(void*);
    if (sql->struct_size < kSize || sql->result_format == nullptr) return;
    if (result != nullptr && sql->result_format(result) != 1) {
      detail::ThrowUnexpected("a result is in text form, expected the binary one");
    }
  }

  std::size_t rows() const { return rows_; }
  std::int64_t affected_rows() const { return sql()->affected_rows(result_.get()); }
  // Rows, and the texts read from them, are borrowed from the result.
  Row operator[](std::size_t row) const;
  class Iterator;
  Iterator begin() const;
  Iterator end() const;

  // For Row::Get: the name is looked up, and the type compared, only here.
  template <typename T>
  Column<T> Bind(std::string_view name) const {
    return Column<T>(Find<T>(name));
  }
  // The value of a result with one row and one column.
  template <typename T>
  T Value() const {
    const std::vector<Description>& columns = Columns();
    if (rows_ != 1 || columns.size() != 1) {
      detail::ThrowUnexpected("a result has " + std::to_string(rows_) + " rows of " +
                              std::to_string(columns.size()) +
                              " columns where one value was expected");
    }
    return Read<T>(0, Find<T>(columns[0].name));
  }

 private:
  friend class Row;
  struct Free {
    const summa_sql_v1* sql;
    void operator()(summa_sql_result* result) const { sql->free_result(result); }
  };
  struct Description {
    std::string_view name;  // borrowed from the result
    std::uint32_t type = 0;
    bool twice = false;  // another column has the same name
  };

  const summa_sql_v1* sql() const { return result_.get_deleter().sql; }

  const std::vector<Description>& Columns() const {
    if (!columns_.empty()) return columns_;
    const std::size_t count = sql()->column_count(result_.get());
    columns_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      Description column{FromAbi(sql()->column_name(result_.get(), i)),
                         sql()->column_type(result_.get(), i)};
      for (Description& other : columns_) {
        if (other.name == column.name) other.twice = column.twice = true;
      }
      columns_.push_back(column);
    }
    return columns_;
  }

  // The column with this name, of a type that T can read. Rows usually read columns in the same
  // order, so the search begins after the column that was found last.
  template <typename T>
  std::size_t Find(std::string_view name) const {
    const std::vector<Description>& columns = Columns();
    for (std::size_t i = 0, at = next_; i < columns.size(); ++i, ++at) {
      if (at >= columns.size()) at = 0;
      const Description& column = columns[at];
      if (column.name != name) continue;
      if (column.twice || !detail::MayRead<T>(column.type)) Refuse(column, SqlType<T>::kName);
      next_ = at + 1;
      return at;
    }
    Refuse({name}, SqlType<T>::kName);
  }
  [[noreturn, gnu::cold, gnu::noinline]] void Refuse(const Description& column,
                                                     const char* expected) const {
    const std::string name = "\"" + std::string(column.name) + "\"";
    if (column.twice) detail::ThrowUnexpected("two columns of the result are called " + name);
    if (column.type != 0) {
      detail::ThrowUnexpected("column " + name + " is of the type with OID " +
                              std::to_string(column.type) + ", expected " + expected);
    }
    std::string all;
    for (const Description& other : Columns()) {
      all.append(all.empty() ? "" : ", ").append(other.name);
    }
    detail::ThrowUnexpected("the result has no column " + name + ", only " + all);
  }

  template <typename T>
  T Read(std::size_t row, std::size_t column) const {
    summa_str value{};
    std::optional<std::string_view> bytes;
    if (sql()->cell(result_.get(), row, column, &value) == 1) bytes = FromAbi(value);
    return detail::ReadValue<T>(bytes, [&] {
      return "column \"" + std::string(Columns()[column].name) + "\" of row " + std::to_string(row);
    });
  }

  std::unique_ptr<summa_sql_result, Free> result_;
  std::size_t rows_;
  mutable std::vector<Description> columns_;  // read at first use
  mutable std::size_t next_ = 0;
};

// One row of a result, borrowed from it.
class Row {
 public:
  // The value of the column that has this name. Throws on NULL; use std::optional<T> where NULL is
  // allowed.
  template <typename T>
  T Get(std::string_view name) const {
    return result_->Read<T>(index_, result_->Find<T>(name));
  }
  // The value of a column that was bound on the same result.
  template <typename T>
  T Get(const Column<T>& column) const {
    return result_->Read<T>(index_, column.index_);
  }

 private:
  friend class Result;
  Row(const Result* result, std::size_t index) : result_(result), index_(index) {}
  const Result* result_;
  std::size_t index_;
};

class Result::Iterator {
 public:
  Iterator(const Result* result, std::size_t index) : result_(result), index_(index) {}
  Row operator*() const { return (*result_)[index_]; }
  Iterator& operator++() {
    ++index_;
    return *this;
  }
  friend bool operator==(const Iterator&, const Iterator&) = default;

 private:
  const Result* result_;
  std::size_t index_;
};

inline Row Result::operator[](std::size_t row) const {
  if (row >= rows_) {
    detail::ThrowUnexpected("a result has " + std::to_string(rows_) + " rows, and row " +
                            std::to_string(row) + " was requested");
  }
  return {this, row};
}
inline Result::Iterator Result::begin() const { return {this, 0}; }
inline Result::Iterator Result::end() const { return {this, rows_}; }

// One connection, released when the object is destroyed; an open transaction is then rolled back.
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
  // COPY ... TO STDOUT; on_row returns false to stop early.
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
  // COPY ... FROM STDIN: `next` returns the data piece by piece, each borrowed until the next call,
  // and nothing at the end. An exception from it ends the copy and is passed on.
  void CopyIn(std::string_view statement,
              const std::function<std::optional<std::string_view>()>& next) {
    struct Context {
      const std::function<std::optional<std::string_view>()>& next;
      std::exception_ptr thrown;
    } context{next, nullptr};
    const auto thunk = [](void* user, const char** data, std::size_t* size) -> std::int32_t {
      auto* c = static_cast<Context*>(user);
      try {
        const std::optional<std::string_view> piece = c->next();
        if (!piece) return 0;
        *data = piece->data();
        *size = piece->size();
        return 1;
      } catch (...) {
        c->thrown = std::current_exception();
        return -1;
      }
    };
    summa_error error = detail::EmptyError();
    const std::int32_t status =
        sql()->copy_in(session_.get(), ToAbi(statement), thunk, &context, &error);
    if (context.thrown) std::rethrow_exception(context.thrown);
    detail::Check(status, error);
  }
  // VACUUM, CREATE INDEX CONCURRENTLY, DETACH PARTITION CONCURRENTLY and their like, which run only
  // outside a transaction. Such a statement cannot be rolled back: exec_autocommit in
  // summa/abi/sql.h describes what a lost lease means.
  void ExecAutocommit(std::string_view statement) {
    Call([&](summa_error* error) {
      return sql()->exec_autocommit(session_.get(), ToAbi(statement), error);
    });
  }
  void Commit() {
    Call([&](summa_error* error) { return sql()->commit(session_.get(), error); });
  }
  void Rollback() {
    Call([&](summa_error* error) { return sql()->rollback(session_.get(), error); });
  }
  summa_sql_session* handle() const { return session_.get(); }  // for functions of the C interface

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
