// JSON Schema (draft 2020-12) of a schema, so that editors complete keys and mark mistakes.
#include <charconv>
#include <summa/json.hpp>

#include "host/config/schema.hpp"

namespace summa::host {
namespace {

// Any value may come from the environment: ${VAR}.
constexpr std::string_view kInterpolated = "\\$\\{.+\\}";

void Describe(JsonWriter& json, const Schema& schema);

void Bounds(JsonWriter& json, const Schema& schema, const char* low, const char* high) {
  if (schema.min_text) json.Key(low).Raw(*schema.min_text);
  if (schema.max_text) json.Key(high).Raw(*schema.max_text);
}

void Alternatives(JsonWriter& json, const Schema& schema, std::string_view type) {
  json.Key("anyOf").BeginArray();
  json.BeginObject().Member("type", type);
  if (type != "boolean") Bounds(json, schema, "minimum", "maximum");
  json.EndObject();
  json.BeginObject().Member("type", "string").Member("pattern", kInterpolated).EndObject();
  if (schema.nullable) json.BeginObject().Member("type", "null").EndObject();
  json.EndArray();
}

std::string_view PatternOf(const Schema& schema) {
  if (schema.type == Schema::Type::kDuration) return "[0-9]+(\\.[0-9]+)?[ \\t]*(ms|s|m|h|d)";
  if (schema.type == Schema::Type::kSize) return "[0-9]+[ \\t]*([kKMGT]?B|[KMGT]iB)";
  return schema.pattern;
}

void Type(JsonWriter& json, std::string_view type, bool nullable) {
  json.Key("type");
  if (!nullable) {
    json.Value(type);
    return;
  }
  json.BeginArray().Value(type).Value("null").EndArray();
}

void Text(JsonWriter& json, const Schema& schema) {
  Type(json, "string", schema.nullable);
  if (const std::string_view pattern = PatternOf(schema); !pattern.empty()) {
    json.Member("pattern", "^(?:" + std::string(pattern) + ")$|" + std::string(kInterpolated));
  }
}

void Enum(JsonWriter& json, const Schema& schema) {
  json.Key("anyOf").BeginArray().BeginObject().Key("enum").BeginArray();
  for (const std::string& value : schema.values) json.Value(value);
  if (schema.nullable) json.Null();
  json.EndArray().EndObject();
  json.BeginObject().Member("type", "string").Member("pattern", kInterpolated).EndObject();
  json.EndArray();
}

void Map(JsonWriter& json, const Schema& schema) {
  Type(json, "object", true);  // a key with nothing after it is an empty map
  json.Key("properties").BeginObject();
  for (const auto& [name, member] : schema.keys) {
    json.Key(name);
    Describe(json, member);
  }
  json.EndObject();
  json.Key("additionalProperties");
  if (schema.any_key) {
    Describe(json, *schema.any_key);
  } else {
    json.Value(false);
  }
  bool any = false;
  for (const auto& [name, member] : schema.keys) any = any || member.required;
  if (!any) return;
  json.Key("required").BeginArray();
  for (const auto& [name, member] : schema.keys) {
    if (member.required) json.Value(name);
  }
  json.EndArray();
}

void List(JsonWriter& json, const Schema& schema) {
  if (schema.single && schema.items) {
    Schema list = schema;
    list.single = false;
    json.Key("anyOf").BeginArray();
    Describe(json, *schema.items);
    json.BeginObject();
    List(json, list);
    json.EndObject().EndArray();
    return;
  }
  Type(json, "array", schema.nullable);
  if (schema.items) {
    json.Key("items");
    Describe(json, *schema.items);
  }
  Bounds(json, schema, "minItems", "maxItems");
}

void Default(JsonWriter& json, const Schema& schema) {
  if (schema.secret) return;
  if (schema.type == Schema::Type::kList) {
    if (schema.default_items.empty()) return;
    json.Member("default", schema.default_items);
    return;
  }
  if (!schema.default_text) return;
  json.Key("default");
  const bool bare = schema.type == Schema::Type::kInteger || schema.type == Schema::Type::kNumber ||
                    schema.type == Schema::Type::kBoolean;
  if (bare) {
    json.Raw(*schema.default_text);
  } else {
    json.Value(*schema.default_text);
  }
}

std::string Help(const Schema& schema) {
  std::string help = schema.help;
  const auto add = [&](const std::string& more) { help += (help.empty() ? "" : " ") + more; };
  const bool units = schema.type == Schema::Type::kDuration || schema.type == Schema::Type::kSize;
  if (units && schema.min_text) add("At least " + *schema.min_text + ".");
  if (units && schema.max_text) add("At most " + *schema.max_text + ".");
  if (!schema.replaced_by.empty()) add("Use " + schema.replaced_by + " instead.");
  return help;
}

void TypeOf(JsonWriter& json, const Schema& schema) {
  switch (schema.type) {
    case Schema::Type::kInteger:
      return Alternatives(json, schema, "integer");
    case Schema::Type::kNumber:
      return Alternatives(json, schema, "number");
    case Schema::Type::kBoolean:
      return Alternatives(json, schema, "boolean");
    case Schema::Type::kDuration:
    case Schema::Type::kSize:
      return Text(json, schema);
    case Schema::Type::kEnum:
      return Enum(json, schema);
    case Schema::Type::kList:
      return List(json, schema);
    case Schema::Type::kMap:
      return Map(json, schema);
    default:
      Text(json, schema);
      Bounds(json, schema, "minLength", "maxLength");
  }
}

void Members(JsonWriter& json, const Schema& schema) {
  TypeOf(json, schema);
  Default(json, schema);
  const std::string help = Help(schema);
  if (!help.empty()) json.Member("description", help);
  if (schema.deprecated) json.Member("deprecated", true);
  if (!schema.examples.empty()) json.Member("examples", schema.examples);
}

void Describe(JsonWriter& json, const Schema& schema) {
  json.BeginObject();
  Members(json, schema);
  json.EndObject();
}

}  // namespace

void WriteScalarSchema(JsonWriter& json, const Schema& schema) {
  if (schema.type == Schema::Type::kEnum) {
    json.Member("enum", schema.values);
  } else if (schema.type == Schema::Type::kBoolean) {
    json.Member("type", "boolean");
  } else if (schema.type == Schema::Type::kInteger || schema.type == Schema::Type::kNumber) {
    json.Member("type", schema.type == Schema::Type::kInteger ? "integer" : "number");
    Bounds(json, schema, "minimum", "maximum");
  } else {
    json.Member("type", "string");
    if (const std::string_view pattern = PatternOf(schema); !pattern.empty()) {
      json.Member("pattern", "^(?:" + std::string(pattern) + ")$");
    }
    const bool units = schema.type == Schema::Type::kDuration || schema.type == Schema::Type::kSize;
    if (!units) Bounds(json, schema, "minLength", "maxLength");
  }
  Default(json, schema);
}

std::string ToJsonSchema(const Schema& schema, std::string_view title) {
  JsonWriter json;
  json.BeginObject();
  json.Member("$schema", "https://json-schema.org/draft/2020-12/schema");
  json.Member("title", title);
  Members(json, schema);
  json.EndObject();
  return json.Take();
}

}  // namespace summa::host
