#include "tests/ledger/random_json.hpp"

#include <bit>
#include <charconv>
#include <cmath>

namespace summa::ledger {
namespace {

constexpr int kDeepest = 6;

// Where escapes, lengths of UTF-8 and the order of UTF-16 change.
constexpr std::uint32_t kEdges[] = {
    0x00,   0x01,   0x08,   0x09,   0x0A,   0x0B,   0x0C,    0x0D,    0x1F,    0x20,   0x22,
    0x2F,   0x5C,   0x7E,   0x7F,   0x80,   0x9F,   0xE9,    0x7FF,   0x800,   0x2028, 0x2029,
    0xD7FF, 0xE000, 0xFEFF, 0xFFEE, 0xFFFD, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF};

void AppendHex(std::string& out, std::uint32_t unit) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(unit >> shift) & 15];
}

void AppendUtf8(std::string& out, std::uint32_t point) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((point >> shift) & 0x3F)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | (point >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | (point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

void RandomJson::Value(std::string& out, int level) {
  --budget_;
  const std::uint64_t kind = Below(10);
  if (level < kDeepest && budget_ > 0 && kind == 0) return Object(out, level + 1);
  if (level < kDeepest && budget_ > 0 && kind == 1) return Array(out, level + 1);
  if (kind <= 4) return Number(out);
  if (kind == 5) {
    static constexpr const char* kWords[] = {"true", "false", "null"};
    out += kWords[Below(3)];
    return;
  }
  Text(out, 12);
}

void RandomJson::Object(std::string& out, int level) {
  out += '{';
  Blank(out);
  const std::uint64_t members = Below(7);
  for (std::uint64_t i = 0; i < members && budget_ > 0; ++i) {
    if (i > 0) out += ',';
    Blank(out);
    Text(out, Chance(3) ? 1 : 4);  // short names meet again: duplicates, common beginnings
    Blank(out);
    out += ':';
    Blank(out);
    Value(out, level);
    Blank(out);
  }
  out += '}';
}

void RandomJson::Array(std::string& out, int level) {
  out += '[';
  const std::uint64_t elements = Below(5);
  for (std::uint64_t i = 0; i < elements && budget_ > 0; ++i) {
    if (i > 0) out += ',';
    Blank(out);
    Value(out, level);
  }
  Blank(out);
  out += ']';
}

void RandomJson::Number(std::string& out) {
  char buffer[64];
  switch (Below(6)) {
    case 0:  // an amount
      out += std::to_string(static_cast<std::int64_t>(Below(2'000'000)) - 1'000'000);
      return;
    case 1:  // any double
      for (;;) {
        const double value = std::bit_cast<double>(random_());
        if (!std::isfinite(value)) continue;
        out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
        return;
      }
    case 2:  // around the integers that a double holds
      out += std::to_string((std::int64_t{1} << (50 + Below(13))) +
                            static_cast<std::int64_t>(Below(5)));
      return;
    default: {  // digits, point and exponent at random
      if (Chance(3)) out += '-';
      const std::uint64_t digits = 1 + Below(Chance(8) ? 40 : 6);
      out += static_cast<char>('1' + Below(9));
      for (std::uint64_t i = 1; i < digits; ++i) out += static_cast<char>('0' + Below(10));
      if (Chance(6)) out.replace(out.size() - digits, digits, "0");
      if (Chance(2)) {
        out += '.';
        for (std::uint64_t i = 0; i <= Below(8); ++i) out += static_cast<char>('0' + Below(10));
      }
      if (Chance(3)) {
        out += Chance(2) ? 'e' : 'E';
        static constexpr const char* kSigns[] = {"", "+", "-"};
        out += kSigns[Below(3)];
        out += std::to_string(Below(Chance(6) ? 420 : 30));
      }
    }
  }
}

void RandomJson::Text(std::string& out, std::uint64_t longest) {
  out += '"';
  for (std::uint64_t i = Below(longest + 1); i > 0; --i) Character(out);
  out += '"';
}

void RandomJson::Character(std::string& out) {
  if (Chance(2)) {
    out += static_cast<char>('a' + Below(5));
  } else if (Chance(3)) {
    CodePoint(out, kEdges[Below(std::size(kEdges))]);
  } else if (Chance(8)) {
    static constexpr const char* kShort[] = {"\\b", "\\f", "\\n",  "\\r",
                                             "\\t", "\\/", "\\\"", "\\\\"};
    out += kShort[Below(8)];
  } else {
    std::uint32_t point = static_cast<std::uint32_t>(Below(Chance(3) ? 0x110000 : 0x100));
    if (point >= 0xD800 && point < 0xE000) point = 0xD7FF;  // a half of a pair cannot be stored
    CodePoint(out, point);
  }
}

void RandomJson::CodePoint(std::string& out, std::uint32_t point) {
  const bool must = point < 0x20 || point == '"' || point == '\\';
  if (must || Chance(4)) return Escaped(out, point);
  AppendUtf8(out, point);
}

void RandomJson::Escaped(std::string& out, std::uint32_t point) {
  if (point < 0x10000) return AppendHex(out, point);
  AppendHex(out, 0xD800 + ((point - 0x10000) >> 10));
  AppendHex(out, 0xDC00 + ((point - 0x10000) & 0x3FF));
}

}  // namespace summa::ledger
