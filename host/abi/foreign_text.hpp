// Texts and numbers that a plugin hands over are not trusted input: whoever writes them to a log, a
// database or a JSON text takes them through here first. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "summa/abi/plugin.h"

namespace summa::host {

// Cut at `limit` bytes, never inside a character. Bytes that are not UTF-8, NUL and the other
// control characters become '?'; in CleanText() line breaks and tabs stay, in CleanLine() they
// become blanks.
std::string CleanText(std::string_view text, std::size_t limit);
std::string CleanLine(std::string_view text, std::size_t limit);

// The name of a field of a log line: letters, digits, '_', '-' and '.'; anything else becomes '_'.
std::string CleanName(std::string_view name);
bool IsCode(std::string_view text);  // upper-case letters and digits, with one '-' between them

// Of a fixed array that a plugin filled: it may have forgotten the NUL.
template <std::size_t kSize>
std::string CleanField(const char (&field)[kSize]) {
  std::size_t size = 0;
  while (size < kSize && field[size] != '\0') ++size;
  return CleanText({field, size}, kSize);
}

// A stable code, "SH-0501"; empty when it is none.
template <std::size_t kSize>
std::string CleanCode(const char (&field)[kSize]) {
  std::string code = CleanField(field);
  return IsCode(code) ? code : std::string();
}

// The status of a call that failed; a number that is none stands for a defect.
std::int32_t CleanStatus(std::int32_t status);

// Why the text is not one JSON object in valid UTF-8 without these members; nullopt: it is.
std::optional<std::string> ProblemOfObject(std::string_view json,
                                           std::span<const std::string_view> taken = {});

// The same text with U+FFFD for every byte that is no UTF-8.
std::string AsUtf8(std::string_view text);
// One whole JSON value in one line: can stand in a JSON line as it is. Deeper than 128 levels is
// no.
bool IsJsonLine(std::string_view text);

// What a plugin writes piece by piece; more than `limit` bytes are not kept.
class ForeignJson {
 public:
  explicit ForeignJson(std::size_t limit) : limit_(limit) {}
  // A function of the C interface; `self` is a ForeignJson.
  static void Write(void* self, summa_str text) noexcept;

  bool empty() const { return text_.empty() && !too_long_; }
  // Why it cannot be used; nullopt: it is one object, and has none of these members.
  std::optional<std::string> Problem(std::span<const std::string_view> taken = {}) const;
  std::string Take() { return std::move(text_); }

 private:
  const std::size_t limit_;
  std::string text_;
  bool too_long_ = false;
};

}  // namespace summa::host
