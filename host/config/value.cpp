#include <charconv>
#include <system_error>

#include "host/config/schema.hpp"

namespace summa::host {

const Schema* Schema::Find(std::string_view key) const {
  for (const auto& [name, schema] : keys) {
    if (name == key) return &schema;
  }
  return nullptr;
}

const Value* Value::Find(std::string_view dotted_path) const {
  if (dotted_path.empty()) return this;
  // A member's own name may hold points (plugin ids), so names are compared, not the path split.
  for (const auto& [name, value] : members) {
    if (!dotted_path.starts_with(name)) continue;
    const std::string_view rest = dotted_path.substr(name.size());
    if (rest.empty()) return &value;
    if (rest.front() != '.') continue;
    if (const Value* found = value.Find(rest.substr(1))) return found;
  }
  if (items.empty()) return nullptr;
  std::size_t index = 0;
  const char* end = dotted_path.data() + dotted_path.size();
  const auto [stop, error] = std::from_chars(dotted_path.data(), end, index);
  if (error != std::errc{} || index >= items.size()) return nullptr;
  if (stop == end) return &items[index];
  if (*stop != '.') return nullptr;
  return items[index].Find({stop + 1, static_cast<std::size_t>(end - stop - 1)});
}

std::string Value::String(std::string_view dotted_path, std::string_view otherwise) const {
  const Value* value = Find(dotted_path);
  return std::string(value == nullptr || value->null ? otherwise : std::string_view(value->text));
}

std::int64_t Value::Integer(std::string_view dotted_path, std::int64_t otherwise) const {
  const Value* value = Find(dotted_path);
  if (value == nullptr || value->null) return otherwise;
  std::int64_t number = otherwise;
  const char* begin = value->text.data();
  const auto result = std::from_chars(begin, begin + value->text.size(), number);
  return result.ec == std::errc{} ? number : otherwise;
}

bool Value::Boolean(std::string_view dotted_path, bool otherwise) const {
  const Value* value = Find(dotted_path);
  return value == nullptr || value->null ? otherwise : value->text == "true";
}

}  // namespace summa::host
