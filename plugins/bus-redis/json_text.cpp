#include "plugins/bus-redis/json_text.hpp"

#include <cstddef>

namespace summa::bus_redis {
namespace {

constexpr int kMaximumDepth = 128;

// Length of the UTF-8 character at `position`, 0 when there is none (RFC 3629: no overlong forms,
// no surrogates, nothing above U+10FFFF).
std::size_t CharacterLength(std::string_view text, std::size_t position) {
  const auto byte = [&](std::size_t offset) -> unsigned {
    return position + offset < text.size() ? static_cast<unsigned char>(text[position + offset])
                                           : 0;
  };
  const auto continues = [&](std::size_t offset) { return (byte(offset) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

class Checker {
 public:
  explicit Checker(std::string_view text) : text_(text) {}
  bool Whole() { return Value(0) && (Space(), position_ == text_.size()); }

 private:
  char Peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  bool Take(char c) {
    if (Peek() != c || position_ == text_.size()) return false;
    ++position_;
    return true;
  }
  void Space() {
    while (Peek() == ' ' || Peek() == '\t') ++position_;
  }
  bool Word(std::string_view word) {
    if (text_.substr(position_, word.size()) != word) return false;
    position_ += word.size();
    return true;
  }
  bool Digits() {
    const std::size_t begin = position_;
    while (Peek() >= '0' && Peek() <= '9') ++position_;
    return position_ > begin;
  }
  bool Number() {
    Take('-');
    if (!Take('0') && !Digits()) return false;
    if (Take('.') && !Digits()) return false;
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      return Digits();
    }
    return true;
  }
  bool Escape() {
    const char c = Peek();
    ++position_;
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    for (int i = 0; i < 4; ++i, ++position_) {
      if (std::string_view("0123456789abcdefABCDEF").find(Peek()) == std::string_view::npos) {
        return false;
      }
    }
    return true;
  }
  bool String() {
    if (!Take('"')) return false;
    while (position_ < text_.size()) {
      if (Take('"')) return true;
      if (static_cast<unsigned char>(Peek()) < 0x20) return false;
      if (Take('\\')) {
        if (!Escape()) return false;
        continue;
      }
      const std::size_t length = CharacterLength(text_, position_);
      if (length == 0) return false;
      position_ += length;
    }
    return false;
  }
  bool Members(char end, bool named, int depth) {
    Space();
    if (Take(end)) return true;
    for (;;) {
      if (named) {
        Space();
        if (!String()) return false;
        Space();
        if (!Take(':')) return false;
      }
      if (!Value(depth + 1)) return false;
      Space();
      if (Take(end)) return true;
      if (!Take(',')) return false;
    }
  }
  bool Value(int depth) {
    if (depth > kMaximumDepth) return false;
    Space();
    switch (Peek()) {
      case '{':
        return Take('{') && Members('}', true, depth);
      case '[':
        return Take('[') && Members(']', false, depth);
      case '"':
        return String();
      case 't':
        return Word("true");
      case 'f':
        return Word("false");
      case 'n':
        return Word("null");
      default:
        return Number();
    }
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace

bool IsJsonLine(std::string_view text) { return Checker(text).Whole(); }

std::string AsUtf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t position = 0; position < text.size();) {
    const std::size_t length = CharacterLength(text, position);
    result += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(position, length);
    position += length == 0 ? 1 : length;
  }
  return result;
}

}  // namespace summa::bus_redis
