#include "host/config/text.hpp"

#include <algorithm>
#include <cctype>

namespace summa::host {
namespace {

// Length of the well-formed UTF-8 sequence at the front (Unicode table 3-7); 0: none.
std::size_t SequenceLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto within = [&](std::size_t i, unsigned low, unsigned high) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return within(1, 0x80, 0xBF) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return within(1, low, high) && within(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return within(1, low, high) && within(2, 0x80, 0xBF) && within(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

bool NamesSecret(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* word : {"pass", "secret", "token", "pwd"}) {
    if (name.find(word) != std::string::npos) return true;
  }
  return false;
}

std::string RedactParameters(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("?&; "), text.size() - 1);
    const std::string_view part = text.substr(0, end + 1);
    const bool separated = std::string_view("?&; ").find(part.back()) != std::string_view::npos;
    const std::size_t equals = part.find('=');
    if (equals != std::string_view::npos && NamesSecret(std::string(part.substr(0, equals)))) {
      out += std::string(part.substr(0, equals + 1)) + "***";
      if (separated) out += part.back();
    } else {
      out += part;
    }
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace

std::optional<std::size_t> FindInvalidUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = SequenceLength(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return std::nullopt;
}

std::size_t CountCharacters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string MemberPath(const std::string& path, const std::string& member) {
  if (path.empty()) return member;
  std::string text = path;
  return text.append(".").append(member);
}

std::string Join(const std::vector<std::string>& words, std::string_view last) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? last : ", ";
    text += words[i];
  }
  return text;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string RedactUrl(std::string_view url) {
  // The last @, not the first: the password itself may contain an unescaped @ or /. A URL with a
  // mistake in its scheme still contains its password.
  const std::size_t at = url.rfind('@');
  if (at == std::string_view::npos) return RedactParameters(url);
  const std::size_t scheme = url.find("://");
  const std::size_t start = scheme < at ? scheme + 3 : 0;
  const std::size_t colon = url.find(':', start);
  if (colon == std::string_view::npos || colon > at) return RedactParameters(url);
  return std::string(url.substr(0, colon)) + ":***" + RedactParameters(url.substr(at));
}

}  // namespace summa::host
