// A writer of JSON text: appends to a string and escapes correctly.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace summa {

// JsonWriter json;
// json.BeginObject().Key("pending").Value(3).Key("oldest").Null().EndObject();
// json.text() == R"({"pending":3,"oldest":null})"
// The caller must nest correctly. Text must be UTF-8; other bytes are passed through.
class JsonWriter {
 public:
  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }

  JsonWriter& Key(std::string_view name) {
    Separate();
    AppendString(name);
    text_ += ':';
    comma_ = false;
    return *this;
  }
  JsonWriter& Value(std::string_view value) {
    Separate();
    AppendString(value);
    comma_ = true;
    return *this;
  }
  JsonWriter& Value(const char* value) { return Value(std::string_view(value)); }
  JsonWriter& Value(const std::string& value) { return Value(std::string_view(value)); }
  JsonWriter& Value(std::same_as<bool> auto value) { return Raw(value ? "true" : "false"); }
  // All digits, also of an integer that is wider than 64 bits. Readers that keep numbers as doubles
  // lose what is above 2^53: give them a text.
  JsonWriter& Value(std::integral auto value) requires(!std::same_as<decltype(value), bool>) {
    char buffer[48];  // 128 bits have 39 digits
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    return Raw({buffer, static_cast<std::size_t>(end - buffer)});
  }
  // JSON cannot represent infinity and NaN; they become null.
  JsonWriter& Value(double value) {
    if (!std::isfinite(value)) return Null();
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    return Raw({buffer, static_cast<std::size_t>(end - buffer)});
  }
  // null without a value.
  template <typename T>
  JsonWriter& Value(const std::optional<T>& value) {
    return value ? Value(*value) : Null();
  }
  // An array.
  template <typename T>
  JsonWriter& Value(const std::vector<T>& values) {
    BeginArray();
    for (const T& value : values) Value(value);
    return EndArray();
  }
  JsonWriter& Null() { return Raw("null"); }
  // A complete JSON text.
  JsonWriter& Raw(std::string_view json) {
    Separate();
    text_ += json;
    comma_ = true;
    return *this;
  }
  // Key and value in one; an empty text becomes null.
  JsonWriter& TextOrNull(std::string_view name, std::string_view value) {
    Key(name);
    return value.empty() ? Null() : Value(value);
  }
  template <typename T>
  JsonWriter& Member(std::string_view name, const T& value) {
    return Key(name).Value(value);
  }

  const std::string& text() const { return text_; }
  // The writer is empty afterwards, and may be used again.
  std::string Take() {
    comma_ = false;
    return std::exchange(text_, {});
  }

 private:
  JsonWriter& Open(char bracket) {
    Separate();
    text_ += bracket;
    comma_ = false;
    return *this;
  }
  JsonWriter& Close(char bracket) {
    text_ += bracket;
    comma_ = true;
    return *this;
  }
  void Separate() {
    if (comma_) text_ += ',';
  }
  // What needs no escape is appended in runs.
  void AppendString(std::string_view value) {
    text_ += '"';
    std::size_t run = 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (static_cast<unsigned char>(value[i]) >= 0x20 && value[i] != '"' && value[i] != '\\')
        continue;
      text_.append(value, run, i - run);
      AppendEscape(value[i]);
      run = i + 1;
    }
    text_.append(value, run);
    text_ += '"';
  }
  void AppendEscape(char c) {
    static constexpr char kHex[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"':
        text_ += "\\\"";
        break;
      case '\\':
        text_ += "\\\\";
        break;
      case '\n':
        text_ += "\\n";
        break;
      case '\r':
        text_ += "\\r";
        break;
      case '\t':
        text_ += "\\t";
        break;
      default:
        text_ += "\\u00";
        text_ += kHex[byte >> 4];
        text_ += kHex[byte & 15];
    }
  }

  std::string text_;
  bool comma_ = false;
};

}  // namespace summa
