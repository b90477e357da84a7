#include "tests/demo/text.hpp"

#include <cstdio>

namespace summa::demo {
namespace {

// From here on a decimal says nothing more.
constexpr double kDecimalMatters = 100;

}  // namespace

std::string Grouped(long long number) {
  std::string text = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = text.size(); at > first + 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

std::string Decimal(double number) {
  if (number >= kDecimalMatters) return Grouped(static_cast<long long>(number + 0.5));
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", number);
  return text;
}

std::string Right(const std::string& text, std::size_t width) {
  return text.size() >= width ? text : std::string(width - text.size(), ' ') + text;
}

std::string Left(const std::string& text, std::size_t width) {
  return text.size() >= width ? text : text + std::string(width - text.size(), ' ');
}

}  // namespace summa::demo
