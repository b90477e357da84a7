#include "host/config/scalar.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <system_error>

#include "host/config/pattern.hpp"
#include "host/config/text.hpp"
#include "host/config/units.hpp"
#include "host/find.hpp"

namespace summa::host {
namespace {

using Result = std::optional<ScalarProblem>;

bool IsDecimal(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "0x1F" or "010" or "1_000": what YAML 1.1 would have guessed.
std::string IntegerFix(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) {
    long long value = 0;
    const auto result = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
    if (result.ec == std::errc{} && result.ptr == text.data() + text.size()) {
      return "Numbers are decimal here: write " + std::to_string(value);
    }
  }
  const std::size_t significant = text.find_first_not_of('0');
  if (text.starts_with('0') && significant != std::string_view::npos &&
      IsDecimal(text.substr(significant))) {
    return "Numbers are decimal here: write " + std::string(text.substr(significant));
  }
  return "Write a whole number in decimal digits, such as 1000";
}

Result Bound(const std::string& shown, bool above, const std::string& limit) {
  return ScalarProblem{
      "SH-0202", shown + (above ? " is above the maximum " : " is below the minimum ") + limit,
      (above ? "Write at most " : "Write at least ") + limit};
}

template <typename Number, typename Read>
Result CheckBounds(const Schema& schema, Number value, const std::string& shown, Read read) {
  if (schema.max_text && value > read(*schema.max_text)) {
    return Bound(shown, true, *schema.max_text);
  }
  if (schema.min_text && value < read(*schema.min_text)) {
    return Bound(shown, false, *schema.min_text);
  }
  return std::nullopt;
}

std::int64_t ReadInteger(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}
double ReadNumber(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Result ConvertInteger(const Schema& schema, std::string_view text, const std::string& shown,
                      std::string& out) {
  if (!IsDecimal(text)) {
    return ScalarProblem{"SH-0205", shown + " is not an integer", IntegerFix(text)};
  }
  std::int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc{}) {
    const std::string limit = text.starts_with('-')
                                  ? schema.min_text.value_or("-9223372036854775808")
                                  : schema.max_text.value_or("9223372036854775807");
    return Bound(shown, !text.starts_with('-'), limit);
  }
  out = std::to_string(value);
  return CheckBounds(schema, value, shown, ReadInteger);
}

Result ConvertNumber(const Schema& schema, std::string_view text, const std::string& shown,
                     std::string& out) {
  static constexpr const char* kForm = "-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?";
  double value = 0;
  if (text.size() <= 64 && MatchesPattern(text, kForm)) {
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec == std::errc{}) {
      out = text;
      return CheckBounds(schema, value, shown, ReadNumber);
    }
  }
  return ScalarProblem{"SH-0205", shown + " is not a number", "Write a number such as 0.5"};
}

Result ConvertBoolean(std::string_view text, const std::string& shown, std::string& out) {
  out = text;
  if (text == "true" || text == "false") return std::nullopt;
  std::string word(text);
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string fix = "Write true or false";
  for (const char* yes : {"yes", "on", "y", "true", "1"}) {
    if (word == yes) fix = "Write true";
  }
  for (const char* no : {"no", "off", "n", "false", "0"}) {
    if (word == no) fix = "Write false";
  }
  return ScalarProblem{"SH-0205", shown + " is not a boolean", fix};
}

Result UnitProblem(UnitForm form, std::string_view text, const std::string& shown, bool duration) {
  const std::string number = IsDecimal(text) && text.size() <= 12 ? std::string(text) : "5";
  switch (form) {
    case UnitForm::kNoUnit:
      return ScalarProblem{"SH-0206", shown + " has no unit",
                           duration ? "Missing unit: write " + number + "s or " +
                                          (number == "5" ? "500" : number) + "ms"
                                    : "Missing unit: write " + number + "MiB or " + number + "B"};
    case UnitForm::kZero:
      return ScalarProblem{"SH-0202", shown + " is not above zero",
                           "Write a duration of at least one microsecond, such as 20ms"};
    case UnitForm::kTooLarge:
      return duration ? Bound(shown, true, "3650d") : Bound(shown, true, "9223372036854775807B");
    default:
      return ScalarProblem{
          "SH-0205", shown + (duration ? " is not a duration" : " is not a size"),
          duration ? "Write one number with one unit of ms, s, m, h or d, such as 5s or 0.5h"
                   : "Write a whole number with a unit of B, KB, MB, GB, KiB, MiB or GiB, such as "
                     "64MiB"};
  }
}

Result ConvertUnits(const Schema& schema, std::string_view text, const std::string& shown,
                    std::string& out) {
  const bool duration = schema.type == Schema::Type::kDuration;
  const auto read = duration ? ReadDuration : ReadSize;
  std::int64_t value = 0;
  const UnitForm form = read(text, value);
  if (form == UnitForm::kTooLarge && schema.max_text) return Bound(shown, true, *schema.max_text);
  if (form != UnitForm::kGood) return UnitProblem(form, text, shown, duration);
  out = std::to_string(value);
  return CheckBounds(schema, value, shown, [read](std::string_view bound) {
    std::int64_t limit = 0;
    read(bound, limit);
    return limit;
  });
}

Result ConvertEnum(const Schema& schema, std::string_view text, const std::string& shown,
                   std::string& out) {
  out = text;
  const auto& values = schema.values;
  if (Contains(values, text)) return std::nullopt;
  const auto suggestion = Suggest(text, values);
  return ScalarProblem{"SH-0208", shown + " is not one of " + Join(values),
                       suggestion ? "Did you mean " + *suggestion + "?" : "Write one of them"};
}

std::string FormFix(const Schema& schema) {
  if (!schema.examples.empty()) return "Write it like " + schema.examples.front();
  return "It must match " + schema.pattern;
}

Result ConvertString(const Schema& schema, std::string_view text, const std::string& shown,
                     std::string& out) {
  out = text;
  // Regular expressions of the library recurse once per character: long texts would overflow the
  // stack, and nothing that has a pattern is long.
  constexpr std::size_t kMaxPatternText = 4096;
  if (!schema.pattern.empty() &&
      (text.size() > kMaxPatternText || !MatchesPattern(text, schema.pattern))) {
    return ScalarProblem{"SH-0209", shown + " does not have the right form", FormFix(schema)};
  }
  const std::size_t count = CountCharacters(text);
  Result problem =
      CheckLength(schema, count, "the text has " + std::to_string(count) + " characters, which");
  if (problem) problem->fix += " characters";
  return problem;
}

Result ConvertUrl(const Schema& schema, std::string_view text, const std::string& shown,
                  std::string& out) {
  const std::size_t scheme = text.find("://");
  const auto scheme_character = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '.' || c == '-' ||
           c == ':';  // of jdbc:postgresql://
  };
  const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  const bool blanks = std::any_of(text.begin(), text.end(), blank);
  if (scheme != std::string_view::npos && blanks) {
    return ScalarProblem{"SH-0209", shown + " is not a URL: it contains a space",
                         "Remove the space, or write it as %20 when it is part of a name"};
  }
  const bool form = scheme != std::string_view::npos && scheme > 0 && text.size() > scheme + 3 &&
                    std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(scheme),
                                scheme_character);
  if (!form) {
    return ScalarProblem{"SH-0209", shown + " is not a URL",
                         schema.examples.empty() ? "Write it as scheme://host:port/name"
                                                 : "Write it like " + schema.examples.front()};
  }
  return ConvertString(schema, text, shown, out);
}

}  // namespace

std::optional<ScalarProblem> ConvertScalar(const Schema& schema, std::string_view text,
                                           const std::string& shown, std::string& normalised) {
  switch (schema.type) {
    case Schema::Type::kInteger:
      return ConvertInteger(schema, text, shown, normalised);
    case Schema::Type::kNumber:
      return ConvertNumber(schema, text, shown, normalised);
    case Schema::Type::kBoolean:
      return ConvertBoolean(text, shown, normalised);
    case Schema::Type::kDuration:
    case Schema::Type::kSize:
      return ConvertUnits(schema, text, shown, normalised);
    case Schema::Type::kEnum:
      return ConvertEnum(schema, text, shown, normalised);
    case Schema::Type::kUrl:
      return ConvertUrl(schema, text, shown, normalised);
    default:
      return ConvertString(schema, text, shown, normalised);
  }
}

std::optional<ScalarProblem> CheckLength(const Schema& schema, std::size_t count,
                                         const std::string& shown) {
  return CheckBounds(schema, static_cast<std::int64_t>(count), shown, ReadInteger);
}

std::string_view TypeName(Schema::Type type) {
  constexpr std::array<std::string_view, 10> kNames = {"a string",
                                                       "an integer",
                                                       "a number",
                                                       "a boolean (true or false)",
                                                       "a duration such as 5s",
                                                       "a size such as 64MiB",
                                                       "one of a few words",
                                                       "a URL",
                                                       "a list",
                                                       "a map"};
  return kNames[static_cast<std::size_t>(type)];
}

bool IsScalar(Schema::Type type) {
  return type != Schema::Type::kList && type != Schema::Type::kMap;
}

}  // namespace summa::host
