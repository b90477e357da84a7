#include "canonical_number.hpp"

#include <charconv>
#include <cstdlib>
#include <system_error>

namespace summa::ledger {
namespace {

// Integers of up to this many digits are their own canonical text: every one is a double.
constexpr std::size_t kExactDigits = 15;
// ECMAScript writes plain digits for exponents in (-7, 21), and an exponent outside.
constexpr int kLowestPlainExponent = -6, kHighestPlainExponent = 21;

bool Digit(char c) { return c >= '0' && c <= '9'; }

std::size_t SkipDigits(std::string_view text, std::size_t at) {
  while (at < text.size() && Digit(text[at])) ++at;
  return at;
}

struct Shape {
  bool valid = false;
  bool integer = false;
  std::size_t digits_end = 0;  // of the part before point and exponent
};

// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
Shape ShapeOf(std::string_view token) {
  std::size_t at = !token.empty() && token[0] == '-' ? 1 : 0;
  const std::size_t first = at;
  at = SkipDigits(token, at);
  if (at == first || (token[first] == '0' && at - first > 1)) return {};
  Shape shape{true, true, at};
  if (at < token.size() && token[at] == '.') {
    const std::size_t fraction = ++at;
    at = SkipDigits(token, at);
    if (at == fraction) return {};
    shape.integer = false;
  }
  if (at < token.size() && (token[at] == 'e' || token[at] == 'E')) {
    ++at;
    if (at < token.size() && (token[at] == '+' || token[at] == '-')) ++at;
    const std::size_t exponent = at;
    at = SkipDigits(token, at);
    if (at == exponent) return {};
    shape.integer = false;
  }
  shape.valid = at == token.size();
  return shape;
}

// Of a number that no double holds: whether it is too large (else it is too small). The decimal
// exponent of its first digit that is not zero decides.
bool TooLarge(std::string_view token, const Shape& shape) {
  const std::size_t mark = token.find_first_of("eE");
  long exponent = 0;
  if (mark != std::string_view::npos) {
    const std::size_t from = token[mark + 1] == '+' ? mark + 2 : mark + 1;
    const auto result = std::from_chars(token.data() + from, token.data() + token.size(), exponent);
    if (result.ec == std::errc::result_out_of_range) return token[from] != '-';
  }
  const std::size_t nonzero = token.find_first_of("123456789");
  if (nonzero == std::string_view::npos || nonzero >= mark) return false;
  const long place = nonzero < shape.digits_end
                         ? static_cast<long>(shape.digits_end - nonzero) - 1
                         : static_cast<long>(shape.digits_end) - static_cast<long>(nonzero);
  return place + exponent > 0;
}

// Digits d1..dk and n of the value 0.d1..dk * 10^n.
void AppendPlaced(std::string_view digits, int n, std::string& out) {
  const int k = static_cast<int>(digits.size());
  if (k <= n && n <= kHighestPlainExponent) {
    out.append(digits);
    out.append(static_cast<std::size_t>(n - k), '0');
  } else if (0 < n && n <= kHighestPlainExponent) {
    out.append(digits.substr(0, static_cast<std::size_t>(n)));
    out += '.';
    out.append(digits.substr(static_cast<std::size_t>(n)));
  } else if (kLowestPlainExponent < n && n <= 0) {
    out.append("0.");
    out.append(static_cast<std::size_t>(-n), '0');
    out.append(digits);
  } else {
    out += digits[0];
    if (k > 1) {
      out += '.';
      out.append(digits.substr(1));
    }
    out.append(n - 1 < 0 ? "e-" : "e+");
    char exponent[16];
    const auto end = std::to_chars(exponent, exponent + sizeof exponent, std::abs(n - 1)).ptr;
    out.append(exponent, end);
  }
}

void AppendDouble(double value, std::string& out) {
  if (value == 0) {  // also negative zero
    out += '0';
    return;
  }
  char buffer[40];  // the shortest form has at most 17 digits, a sign, a point and an exponent
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  if (text[0] == '-') {
    out += '-';
    text.remove_prefix(1);
  }
  const std::size_t mark = text.find('e');
  char digits[32];
  std::size_t count = 0;
  for (const char c : text.substr(0, mark)) {
    if (c != '.') digits[count++] = c;
  }
  int exponent = 0;
  const char* from = text.data() + mark + (text[mark + 1] == '+' ? 2 : 1);
  std::from_chars(from, text.data() + text.size(), exponent);
  AppendPlaced({digits, count}, exponent + 1, out);
}

}  // namespace

bool AppendNumber(std::string_view token, std::string& out) {
  const Shape shape = ShapeOf(token);
  if (!shape.valid) return false;
  const std::size_t sign = token[0] == '-' ? 1 : 0;
  if (shape.integer && token.size() - sign <= kExactDigits && token != "-0") {
    out.append(token);
    return true;
  }
  double value = 0;
  const auto result = std::from_chars(token.data(), token.data() + token.size(), value);
  if (result.ec == std::errc::result_out_of_range) {
    out.append(TooLarge(token, shape) ? "null" : "0");
  } else {
    AppendDouble(value, out);
  }
  return true;
}

}  // namespace summa::ledger
