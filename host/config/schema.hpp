// What a configuration may contain: the same small language for the host's own part
// (host-schema.yaml) and for the `config:` part of a plugin's manifest.
//
//   batch_size: { type: integer, default: 1000, min: 1, max: 100000, help: "Rows per batch." }
//   retention:  { type: duration, default: 48h, min: 1s, help: "..." }
//   mode:       { type: enum, values: [own, observe], default: own, help: "..." }
//   retry:      { type: map, keys: { base: {...}, max: {...} } }
//   partitions: { type: map, any_key: { type: map, keys: {...} } }      # any member name
//   read_models:{ type: list, items: { type: string } }
//
// Types: string, integer, number, boolean, duration, size, enum, url, list, map. Attributes:
// default, required, nullable, min, max, values, pattern, secret (never printed), single
// (a list of one needs no brackets), deprecated, replaced_by, help, examples; or moved_to alone. A
// value of a schema is converted from its text (never by YAML's guess): booleans are true/false
// only, durations and sizes carry units.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/config/document.hpp"

namespace summa {
class JsonWriter;
}

namespace summa::host {

struct Schema {
  struct Key;
  enum class Type {
    kString,
    kInteger,
    kNumber,
    kBoolean,
    kDuration,
    kSize,
    kEnum,
    kUrl,
    kList,
    kMap
  };
  Type type = Type::kMap;
  bool required = false;
  bool nullable = false;
  bool secret = false;
  bool single = false;                      // list: one item may stand without brackets
  std::optional<std::string> default_text;  // as written in the schema
  std::vector<std::string> default_items;   // list of scalars: its default
  std::optional<std::string> min_text, max_text;
  std::vector<std::string> values;  // enum
  std::string pattern;              // string: ECMAScript regular expression for the whole value
  std::string help;
  std::string replaced_by;  // deprecated in favour of this key
  bool deprecated = false;
  std::vector<std::string> examples;
  std::vector<Key> keys;  // map: the known members, in order
  // map: members that it had, and the whole path of the key that stands for each now.
  std::vector<std::pair<std::string, std::string>> moved;
  std::shared_ptr<Schema> any_key;  // map: the schema of members with any name
  std::shared_ptr<Schema> items;    // list

  const Schema* Find(std::string_view key) const;
};

// A struct of its own, not a pair: some compilers want a pair's parts complete too early.
struct Schema::Key {
  Key(std::string key_name, Schema key_schema)
      : name(std::move(key_name)), schema(std::move(key_schema)) {}
  std::string name;
  Schema schema;
};

// Reads a schema from its YAML form (the value of `config:`: a map of key -> attributes).
Schema ReadSchema(const Node& keys, const std::string& path, Diagnostics& diagnostics);

// A validated value with defaults filled in.
struct Value {
  struct Member;
  Schema::Type type = Schema::Type::kMap;
  bool null = true;
  bool from_default = false;
  bool secret = false;
  bool unusable = false;  // has a problem that is reported
  Location where;         // of the value in the file; line 0 for a default
  std::string text;     // normalised: durations in integer microseconds, sizes in bytes, true/false
  std::string written;  // as the operator wrote it (after interpolation), or the default's text
  std::vector<Value> items;
  std::vector<Member> members;

  const Value* Find(std::string_view dotted_path) const;
  std::string String(std::string_view dotted_path, std::string_view otherwise = {}) const;
  std::int64_t Integer(std::string_view dotted_path) const;  // also durations (us), sizes; else 0
  bool Boolean(std::string_view dotted_path, bool otherwise = false) const;
};

struct Value::Member {
  Member(std::string member_name, Value member_value)
      : name(std::move(member_name)), value(std::move(member_value)) {}
  std::string name;
  Value value;
};

// Checks `node` (may be null: absent) and gives the value; every problem goes to `diagnostics`.
Value Validate(const Schema& schema, const Node* node, const std::string& path,
               Diagnostics& diagnostics);

// The key most like `name` among `known`, when it is near enough to be a slip of the fingers.
std::optional<std::string> Suggest(std::string_view name, const std::vector<std::string>& known);

// "5s", "0.5h", "1d", "20ms" (Summa's interval grammar plus ms) -> microseconds. nullopt: not of
// this form, or above 3650d.
std::optional<std::int64_t> ParseDuration(std::string_view text);
std::string FormatDuration(
    std::int64_t microseconds);  // "48h", "20ms": the largest unit that is exact

// JSON Schema (draft 2020-12) of a map schema, for editors.
std::string ToJsonSchema(const Schema& schema, std::string_view title);
// Of a scalar that no ${VAR} stands for: its type, bounds and default, as members of the object
// that is open.
void WriteScalarSchema(JsonWriter& json, const Schema& schema);

}  // namespace summa::host
