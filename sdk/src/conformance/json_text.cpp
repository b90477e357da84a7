#include "json_text.hpp"

#include <cctype>
#include <cstdint>

namespace summa::conformance {
namespace {

constexpr int kDeepest = 128;

// Reads one value after the other; at_ is where the next one begins.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  bool WholeObject() {
    Blanks();
    if (Peek() != '{' || !Value(0)) return false;
    Blanks();
    return at_ == text_.size();
  }
  std::size_t at() const { return at_; }

 private:
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Take(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }
  void Blanks() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(Peek()) != std::string_view::npos) {
      ++at_;
    }
  }
  bool Word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool Digits() {
    const std::size_t begin = at_;
    while (std::isdigit(static_cast<unsigned char>(Peek())) != 0) ++at_;
    return at_ > begin;
  }
  bool Number() {
    Take('-');
    if (!Take('0') && !Digits()) return false;
    if (Take('.') && !Digits()) return false;
    if (Peek() == 'e' || Peek() == 'E') {
      ++at_;
      if (!Take('+')) Take('-');
      return Digits();
    }
    return true;
  }
  bool String() {
    if (!Take('"')) return false;
    while (at_ < text_.size() && Peek() != '"') {
      if (static_cast<unsigned char>(Peek()) < 0x20) return false;
      if (Take('\\')) {
        if (Peek() == 'u') {
          for (int i = 0; i < 4; ++i) {
            ++at_;
            if (std::isxdigit(static_cast<unsigned char>(Peek())) == 0) return false;
          }
        } else if (std::string_view("\"\\/bfnrt").find(Peek()) == std::string_view::npos) {
          return false;
        }
      }
      ++at_;
    }
    return Take('"');
  }
  template <typename Member>
  bool Members(char end, const Member& member) {
    Blanks();
    if (Take(end)) return true;
    do {
      Blanks();
      if (!member()) return false;
      Blanks();
    } while (Take(','));
    return Take(end);
  }
  bool Value(int depth) {  // NOLINT(misc-no-recursion)
    if (depth > kDeepest) return false;
    if (Take('{')) {
      return Members('}', [&] {
        if (!String()) return false;
        Blanks();
        if (!Take(':')) return false;
        Blanks();
        return Value(depth + 1);
      });
    }
    if (Take('[')) return Members(']', [&] { return Value(depth + 1); });
    if (Peek() == '"') return String();
    return Word("true") || Word("false") || Word("null") || Number();
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Bytes of the character that begins with `first`; 0: none does.
std::size_t LengthOf(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return 2;
  if (first >= 0xE0 && first < 0xF0) return 3;
  return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

// Not longer than needed, no surrogate, not above U+10FFFF.
bool IsCharacter(std::string_view bytes) {
  if (bytes.size() == 1) return true;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return false;
  }
  if (byte(0) == 0xE0) return byte(1) >= 0xA0;
  if (byte(0) == 0xED) return byte(1) < 0xA0;
  if (byte(0) == 0xF0) return byte(1) >= 0x90;
  return byte(0) != 0xF4 || byte(1) < 0x90;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = LengthOf(static_cast<unsigned char>(text[0]));
    if (length == 0 || length > text.size() || !IsCharacter(text.substr(0, length))) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::optional<std::string> ProblemOfObject(std::string_view text) {
  if (text.empty()) return "it is empty";
  if (!IsUtf8(text)) return "it is not UTF-8";
  JsonReader reader(text);
  if (reader.WholeObject()) return std::nullopt;
  return "it is not one JSON object (byte " + std::to_string(reader.at()) + ")";
}

bool IsCode(std::string_view text) {
  const std::size_t hyphen = text.find('-');
  if (hyphen == std::string_view::npos || hyphen == 0 || hyphen + 1 == text.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (i != hyphen && std::isupper(c) == 0 && std::isdigit(c) == 0) return false;
  }
  return true;
}

}  // namespace summa::conformance
