// The effective configuration as YAML that could be loaded again, but for its secrets.
#include <algorithm>
#include <cctype>
#include <summa/json.hpp>

#include "host/config/scalar.hpp"
#include "host/config/text.hpp"
#include "host/settings/configuration.hpp"

namespace summa::host {
namespace {

// JSON's quotes and escapes are YAML's as well.
std::string Quoted(std::string_view text) { return JsonWriter().Value(text).Take(); }

std::string Key(const std::string& name) {
  const bool plain =
      !name.empty() && std::isalpha(static_cast<unsigned char>(name.front())) != 0 &&
      std::all_of(name.begin(), name.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
      });
  return plain ? name : Quoted(name);
}

std::string Scalar(const Value& value) {
  if (value.null) return "null";
  if (value.secret) return Quoted("***");
  switch (value.type) {
    case Schema::Type::kString:
    case Schema::Type::kUrl:
    case Schema::Type::kEnum:
      // Any text may contain a URL with a password, whatever its key is declared as.
      return Quoted(RedactUrl(value.text));
    case Schema::Type::kDuration:
    case Schema::Type::kSize:
      return value.written;
    default:
      return value.text;
  }
}

std::string Origin(const Value& value) {
  if (value.from_default || value.where.line == 0) return "  # default\n";
  return "  # " + value.where.file + ":" + std::to_string(value.where.line) + "\n";
}

void Print(const Value& value, const std::string& indent, std::string& out);

void PrintMembers(const Value& map, const std::string& indent, std::string& out) {
  for (const auto& [name, member] : map.members) {
    if (member.unusable) continue;  // required, but its plugin is switched off
    out += indent + Key(name) + ":";
    Print(member, indent + "  ", out);
  }
}

// What follows "key:" or "-".
void Print(const Value& value, const std::string& indent, std::string& out) {
  if (IsScalar(value.type) || value.null) {
    out += " " + Scalar(value) + Origin(value);
  } else if (value.type == Schema::Type::kMap) {
    if (value.members.empty()) {
      out += " {}" + Origin(value);
      return;
    }
    out += "\n";
    PrintMembers(value, indent, out);
  } else {
    if (value.items.empty()) {
      out += " []" + Origin(value);
      return;
    }
    out += "\n";
    for (const Value& item : value.items) {
      out += indent + "-";
      Print(item, indent + "  ", out);
    }
  }
}

}  // namespace

std::string PrintConfiguration(const Configuration& configuration) {
  std::string out;
  PrintMembers(configuration.value, "", out);
  return out;
}

}  // namespace summa::host
