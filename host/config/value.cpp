#include <charconv>
#include <optional>

#include "host/config/schema.hpp"
#include "host/find.hpp"

namespace summa::host {
namespace {

// The rest of `path` below the member `name`; nullopt: it is another member's.
std::optional<std::string_view> Below(std::string_view path, std::string_view name) {
  if (!path.starts_with(name)) return std::nullopt;
  path.remove_prefix(name.size());
  if (path.empty()) return path;
  if (path.front() != '.') return std::nullopt;
  return path.substr(1);
}

}  // namespace

const Schema* Schema::Find(std::string_view key) const {
  const Key* found = FindNamed(keys, &Key::name, key);
  return found == nullptr ? nullptr : &found->schema;
}

const Value* Value::Find(std::string_view dotted_path) const {
  if (dotted_path.empty()) return this;
  // A member's own name may hold points (plugin ids), so names are compared, not the path split.
  for (const auto& [name, value] : members) {
    const auto rest = Below(dotted_path, name);
    if (!rest) continue;
    if (const Value* found = value.Find(*rest)) return found;
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (const auto rest = Below(dotted_path, std::to_string(i))) return items[i].Find(*rest);
  }
  return nullptr;
}

std::string Value::String(std::string_view dotted_path, std::string_view otherwise) const {
  const Value* value = Find(dotted_path);
  return std::string(value == nullptr || value->null ? otherwise : std::string_view(value->text));
}

std::int64_t Value::Integer(std::string_view dotted_path) const {
  const Value* value = Find(dotted_path);
  if (value == nullptr || value->null) return 0;
  std::int64_t number = 0;  // stays when the text is none
  std::from_chars(value->text.data(), value->text.data() + value->text.size(), number);
  return number;
}

bool Value::Boolean(std::string_view dotted_path, bool otherwise) const {
  const Value* value = Find(dotted_path);
  return value == nullptr || value->null ? otherwise : value->text == "true";
}

}  // namespace summa::host
