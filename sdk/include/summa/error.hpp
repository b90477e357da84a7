// Errors of plugins: throw summa::Error anywhere below a worker, command or lifecycle function; the
// thunks turn it into a summa_error. Any other exception becomes status SUMMA_E_INTERNAL with its
// what().
#pragma once

#include <summa/abi/plugin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace summa {

inline summa_str ToAbi(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view FromAbi(summa_str text) {
  return text.size == 0 ? std::string_view{} : std::string_view{text.data, text.size};
}

class Error : public std::runtime_error {
 public:
  // status: SUMMA_E_*; code: stable code, "SH-0501"; hint: what to do. SUMMA_OK is no status of an
  // error: thrown with it, it counts as SUMMA_E_INTERNAL.
  Error(int status, std::string code, const std::string& message, std::string hint = {},
        std::string sqlstate = {})
      : std::runtime_error(message),
        status_(status),
        code_(std::move(code)),
        hint_(std::move(hint)),
        sqlstate_(std::move(sqlstate)) {}

  int status() const { return status_; }
  const std::string& code() const { return code_; }
  const std::string& hint() const { return hint_; }
  const std::string& sqlstate() const { return sqlstate_; }

 private:
  int status_;
  std::string code_, hint_, sqlstate_;
};

namespace detail {

// Copies as much as fits, and never splits a UTF-8 character.
template <std::size_t kSize>
void CopyText(char (&target)[kSize], std::string_view text) {
  std::size_t size = text.size() < kSize - 1 ? text.size() : kSize - 1;
  if (size < text.size()) {
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  }
  if (size > 0) std::memcpy(target, text.data(), size);  // data() may be null when empty
  target[size] = '\0';
}

// Whether the caller's struct, which may be older, has room for this field.
template <typename Field>
bool HasField(const summa_error* error, const Field& field) {
  const auto offset = static_cast<std::size_t>(reinterpret_cast<const char*>(&field) -
                                               reinterpret_cast<const char*>(error));
  return offset + sizeof(Field) <= error->struct_size;
}

// Only the fields that the caller knows are written.
inline int32_t Fill(summa_error* error, int status, std::string_view code, std::string_view message,
                    std::string_view hint = {}, std::string_view sqlstate = {}) noexcept {
  if (error != nullptr) {
    if (HasField(error, error->status)) error->status = status;
    if (HasField(error, error->code)) CopyText(error->code, code);
    if (HasField(error, error->sqlstate)) CopyText(error->sqlstate, sqlstate);
    if (HasField(error, error->message)) CopyText(error->message, message);
    if (HasField(error, error->hint)) CopyText(error->hint, hint);
  }
  return status;
}

// Runs `body` (which returns a status) and catches all exceptions.
template <typename Body>
int32_t Guard(summa_error* error, Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const Error& e) {
    // Whoever calls must not take it for a success.
    const int status = e.status() == SUMMA_OK ? SUMMA_E_INTERNAL : e.status();
    return Fill(error, status, e.code(), e.what(), e.hint(), e.sqlstate());
  } catch (const std::exception& e) {
    return Fill(error, SUMMA_E_INTERNAL, "", e.what());
  } catch (...) {
    return Fill(error, SUMMA_E_INTERNAL, "", "an exception that is not a std::exception");
  }
}

inline summa_error EmptyError() {
  summa_error error{};
  error.struct_size = sizeof(summa_error);
  return error;
}

// Throws what a host function reported.
inline void Check(int32_t status, const summa_error& error) {
  if (status != SUMMA_OK) {
    throw Error(status, error.code, error.message, error.hint, error.sqlstate);
  }
}

}  // namespace detail
}  // namespace summa
