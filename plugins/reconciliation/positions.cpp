#include "positions.hpp"

#include <charconv>
#include <system_error>

namespace summa::reconciliation {

Positions::Positions(std::string_view text) {
  // Numbers come in pairs; everything between them is punctuation, and the server's own form is
  // always [begin,end).
  std::vector<std::int64_t> numbers;
  for (const char* at = text.data(); at < text.data() + text.size();) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(at, text.data() + text.size(), number);
    if (error == std::errc{}) numbers.push_back(number);
    at = error == std::errc{} ? end : at + 1;
  }
  ranges_.reserve(numbers.size() / 2);
  for (std::size_t i = 0; i + 1 < numbers.size(); i += 2) {
    ranges_.push_back({numbers[i], numbers[i + 1]});
  }
}

std::string Positions::Text() const {
  std::string text = "{";
  for (const Range& range : ranges_) {
    if (text.size() > 1) text += ',';
    text.append("[").append(std::to_string(range.begin)).append(",");
    text.append(std::to_string(range.end)).append(")");
  }
  return text + "}";
}

}  // namespace summa::reconciliation
