#include "host/http/route_path.hpp"

#include <algorithm>
#include <charconv>

#include "host/config/text.hpp"
#include "host/find.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kMaxSegments = 16;  // no path that people read has more

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsWord(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsLower(c) || IsDigit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
  });
}

bool IsName(std::string_view text) {
  return !text.empty() && IsLower(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return IsLower(c) || IsDigit(c) || c == '-' || c == '_'; });
}

}  // namespace

std::optional<std::string> DecodeUrl(std::string_view text, bool is_query) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && is_query) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const char* digits = text.data() + i + 1;
      unsigned byte = 0;
      const char* end = std::from_chars(digits, digits + 2, byte, 16).ptr;
      if (end != digits + 2 || byte == 0) return std::nullopt;
      decoded += static_cast<char>(byte);
      i += 2;
    }
  }
  if (FindInvalidUtf8(decoded)) return std::nullopt;
  return decoded;
}

std::optional<RoutePath> RoutePath::Parse(std::string_view text) {
  if (text.size() < 2 || text.front() != '/') return std::nullopt;
  RoutePath path;
  for (const std::string_view part : Split(text.substr(1), '/')) {
    if (part.size() > 2 && part.front() == '{' && part.back() == '}') {
      const std::string_view name = part.substr(1, part.size() - 2);
      if (!IsName(name)) return std::nullopt;
      const auto& names = path.names_;
      if (Contains(names, name)) return std::nullopt;
      path.names_.emplace_back(name);
      path.segments_.push_back({});
    } else {
      if (!IsWord(part)) return std::nullopt;
      path.segments_.push_back({std::string(part)});
    }
  }
  if (text.back() == '/' || path.segments_.size() > kMaxSegments) return std::nullopt;
  return path;
}

std::optional<std::vector<std::string>> RoutePath::Match(std::string_view path) const {
  if (path.empty() || path.front() != '/' || path.back() == '/') return std::nullopt;
  const std::vector<std::string_view> parts = Split(path.substr(1), '/');
  if (parts.size() != segments_.size()) return std::nullopt;
  std::vector<std::string> values;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::optional<std::string> value = DecodeUrl(parts[i], false);
    if (!value || value->empty()) return std::nullopt;
    if (segments_[i].is_parameter()) {
      values.push_back(*std::move(value));
    } else if (*value != segments_[i].text) {
      return std::nullopt;
    }
  }
  return values;
}

bool RoutePath::Overlaps(const RoutePath& other) const {
  return std::equal(segments_.begin(), segments_.end(), other.segments_.begin(),
                    other.segments_.end(), [](const Segment& a, const Segment& b) {
                      return a.is_parameter() || b.is_parameter() || a.text == b.text;
                    });
}

bool RoutePath::SameShape(const RoutePath& other) const {
  return std::equal(segments_.begin(), segments_.end(), other.segments_.begin(),
                    other.segments_.end(),
                    [](const Segment& a, const Segment& b) { return a.text == b.text; });
}

bool RoutePath::IsAskedBefore(const RoutePath& other) const {
  return std::lexicographical_compare(segments_.begin(), segments_.end(), other.segments_.begin(),
                                      other.segments_.end(),
                                      [](const Segment& a, const Segment& b) {
                                        if (a.is_parameter() != b.is_parameter()) {
                                          return b.is_parameter();
                                        }
                                        return a.text < b.text;
                                      });
}

}  // namespace summa::host
