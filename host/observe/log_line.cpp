#include "host/observe/log_line.hpp"

#include "summa/json.hpp"
#include "summa/text.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kTextLimit = 2000;  // bytes of a message or a value; the ABI promises it

std::string_view Cut(std::string_view text) { return Beginning(text, kTextLimit); }

std::string_view Colour(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "\x1b[2m";
    case LogLevel::kWarn:
      return "\x1b[33m";
    case LogLevel::kError:
    case LogLevel::kOff:
      return "\x1b[31m";
    case LogLevel::kInfo:
      break;
  }
  return "\x1b[32m";
}

// A line is one line: control characters of foreign texts must not forge another one or steer a
// terminal.
void AppendPlain(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += '?';
    } else {
      out += c;
    }
  }
}

bool NeedsQuotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (c == ' ' || c == '"' || c == '=' || static_cast<unsigned char>(c) < 0x20) return true;
  }
  return false;
}

void AppendValue(std::string& out, std::string_view value) {
  if (!NeedsQuotes(value)) {
    AppendPlain(out, value);
    return;
  }
  JsonWriter quoted;  // the same escapes as in JSON
  quoted.Value(value);
  AppendPlain(out, quoted.text());
}

}  // namespace

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
    case LogLevel::kOff:
      break;
  }
  return "error";
}

std::string TextLine(const LogLine& line, bool colours) {
  std::string out = TimeText(line.unix_time);
  out += ' ';
  if (colours) out += Colour(line.level);
  out += LevelName(line.level);
  if (colours) out += "\x1b[0m";
  out.append(6 - LevelName(line.level).size(), ' ');  // messages stand in one column
  if (!line.code.empty()) {
    AppendPlain(out, line.code);
    out += ' ';
  }
  AppendPlain(out, Cut(line.message));
  for (const LogField& field : line.fields) {
    out += ' ';
    AppendPlain(out, field.name);
    out += '=';
    AppendValue(out, Cut(field.value));
  }
  if (line.repeated > 0) out += " repeated=" + std::to_string(line.repeated);
  return out;
}

std::string JsonLine(const LogLine& line) {
  JsonWriter json;
  json.BeginObject().Member("ts", TimeText(line.unix_time));
  json.Member("level", LevelName(line.level));
  if (!line.code.empty()) json.Member("code", line.code);
  json.Member("message", Cut(line.message));
  for (const LogField& field : line.fields) json.Member(field.name, Cut(field.value));
  if (line.repeated > 0) json.Member("repeated", line.repeated);
  json.EndObject();
  return json.Take();
}

}  // namespace summa::host
