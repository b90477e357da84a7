#include "host/cli/render.hpp"

#include <simdjson.h>

#include <algorithm>

#include "host/find.hpp"

namespace summa::host {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

std::size_t DisplayWidth(std::string_view text) {
  std::size_t width = 0;
  for (const char c : text) width += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return width;
}

std::string Printable(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else {
      result += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return result;
}

std::string Cell(const element& value) {
  switch (value.type()) {
    case element_type::NULL_VALUE:
      return "-";
    case element_type::STRING: {
      std::string text = Printable(std::string_view(value));
      return text.empty() ? "\"\"" : text;
    }
    case element_type::ARRAY: {
      std::string text;
      for (const element each : array(value)) text += (text.empty() ? "" : ", ") + Cell(each);
      return text.empty() ? "-" : text;
    }
    case element_type::OBJECT: {
      std::string_view code, message;  // an error
      if (!value["code"].get(code) && !value["message"].get(message)) {
        return Printable(code) + " " + Printable(message);
      }
      return simdjson::minify(value);
    }
    default:
      return simdjson::minify(value);
  }
}

std::string Padded(const std::string& text, std::size_t width) {
  const std::size_t have = DisplayWidth(text);
  return have >= width ? text : text + std::string(width - have, ' ');
}

std::string Line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths,
                 const std::string& indent) {
  std::string line = indent;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line += (i == 0 ? "" : "  ") + Padded(cells[i], widths[i]);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

bool IsTable(const element& value) {
  if (!value.is_array()) return false;
  const array items(value);
  return items.size() > 0 && (*items.begin()).is_object();
}

std::string RenderTable(const array& rows, const std::string& indent) {
  std::vector<std::string> keys;
  for (const element row : rows) {
    if (!row.is_object()) continue;
    for (const auto field : object(row)) {
      const std::string key(field.key);
      if (!Contains(keys, key)) keys.push_back(key);
    }
  }
  std::vector<std::vector<std::string>> lines{keys};
  std::vector<std::size_t> widths;
  widths.reserve(keys.size());
  for (const std::string& key : keys) widths.push_back(DisplayWidth(key));
  for (const element row : rows) {
    std::vector<std::string> cells;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      element value;
      const bool present = row.is_object() && !object(row).at_key(keys[i]).get(value);
      cells.push_back(present ? Cell(value) : "-");
      widths[i] = std::max(widths[i], DisplayWidth(cells.back()));
    }
    lines.push_back(std::move(cells));
  }
  std::string text;
  for (const auto& line : lines) text += Line(line, widths, indent);
  return text;
}

std::string RenderObject(const object& members, const std::string& indent) {
  std::size_t width = 0;
  for (const auto field : members) {
    if (!IsTable(field.value) && !field.value.is_object()) {
      width = std::max(width, DisplayWidth(field.key) + 1);
    }
  }
  std::string text;
  for (const auto field : members) {
    const std::string key = Printable(field.key);
    if (IsTable(field.value)) {
      // A table that is the whole result needs no title.
      const bool alone = members.size() == 1 && indent.empty();
      if (!alone) text += indent + key + ":\n";
      text += RenderTable(array(field.value), alone ? indent : indent + "  ");
    } else if (field.value.is_object()) {
      text.append(indent).append(key).append(":\n");
      text += RenderObject(object(field.value), indent + "  ");
    } else {
      text.append(indent).append(Padded(key + ":", width)).append(" ");
      text.append(Cell(field.value)).append("\n");
    }
  }
  return text;
}

}  // namespace

std::string RenderJson(std::string_view json_object) {
  simdjson::dom::parser parser;
  object members;
  const simdjson::padded_string padded(json_object);
  if (parser.parse(padded).get(members)) return std::string(json_object) + "\n";
  return RenderObject(members, "");
}

std::string RowRenderer::Render(std::string_view json_object) {
  simdjson::dom::parser parser;
  object members;
  const simdjson::padded_string padded(json_object);
  if (parser.parse(padded).get(members)) return std::string(json_object) + "\n";
  std::vector<std::string> keys, cells;
  for (const auto field : members) {
    keys.emplace_back(field.key);
    cells.push_back(Cell(field.value));
  }
  const bool new_header = keys != keys_;
  if (new_header) {
    keys_ = keys;
    widths_.assign(keys.size(), 0);
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    widths_[i] = std::max({widths_[i], DisplayWidth(keys[i]), DisplayWidth(cells[i])});
  }
  return (new_header ? Line(keys, widths_, "") : "") + Line(cells, widths_, "");
}

std::string ObjectMembers(std::string_view json_object) {
  const std::size_t begin = json_object.find('{');
  const std::size_t end = json_object.rfind('}');
  if (begin == std::string_view::npos || end == std::string_view::npos || end <= begin) return {};
  std::string_view inner = json_object.substr(begin + 1, end - begin - 1);
  const std::size_t first = inner.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(inner.substr(first, inner.find_last_not_of(" \t\r\n") - first + 1));
}

}  // namespace summa::host
