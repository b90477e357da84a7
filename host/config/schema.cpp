// Reads a schema from YAML. What is wrong in a schema is a defect of whoever wrote the manifest; it
// is reported as exactly as a mistake in a configuration.
#include "host/config/schema.hpp"

#include <array>
#include <regex>
#include <utility>

#include "host/config/scalar.hpp"
#include "host/config/text.hpp"
#include "host/find.hpp"

namespace summa::host {
namespace {

constexpr std::array<std::pair<std::string_view, Schema::Type>, 10> kTypes = {
    {{"string", Schema::Type::kString},
     {"integer", Schema::Type::kInteger},
     {"number", Schema::Type::kNumber},
     {"boolean", Schema::Type::kBoolean},
     {"duration", Schema::Type::kDuration},
     {"size", Schema::Type::kSize},
     {"enum", Schema::Type::kEnum},
     {"url", Schema::Type::kUrl},
     {"list", Schema::Type::kList},
     {"map", Schema::Type::kMap}}};

const std::vector<std::string>& Attributes() {
  static const auto& names = *new std::vector<std::string>{
      "type",   "default", "required", "nullable", "min",        "max",
      "values", "pattern", "secret",   "help",     "deprecated", "replaced_by",
      "keys",   "any_key", "items",    "examples", "single"};
  return names;
}

class SchemaReader {
 public:
  explicit SchemaReader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  void ReadKeys(const Node& node, const std::string& path, Schema& map) {
    if (node.kind == Node::Kind::kNull) return;
    if (node.kind != Node::Kind::kMap) {
      return Report(node.where, path, "a schema is a map of keys with their attributes",
                    "Write key: { type: ..., help: ... }");
    }
    for (const Node::Member& member : node.members) {
      const std::string at = MemberPath(path, member.name);
      if (const auto moved_to = Text(member.value, "moved_to", at)) {
        map.moved.emplace_back(member.name, *moved_to);
        continue;
      }
      map.keys.emplace_back(member.name, ReadOne(member.value, at));
    }
    for (const auto& [name, schema] : map.keys) {
      if (schema.replaced_by.empty() || map.Find(schema.replaced_by) != nullptr) continue;
      Report(node.Find(name)->where, MemberPath(path, name),
             "replaced_by names \"" + schema.replaced_by + "\", which does not exist beside it",
             "Name a key of the same map");
    }
  }

 private:
  void Report(const Location& where, const std::string& path, std::string problem,
              std::string fix) {
    diagnostics_.push_back({"SH-0222", where, path, std::move(problem), std::move(fix)});
  }

  Schema ReadOne(const Node& node, const std::string& path) {
    Schema schema;
    if (node.kind != Node::Kind::kMap) {
      Report(node.where, path, "the attributes of a key are a map",
             "Write { type: ..., help: ... }");
      schema.type = Schema::Type::kString;
      return schema;
    }
    ReadType(node, path, schema);
    schema.required = Flag(node, "required", path);
    schema.nullable = Flag(node, "nullable", path);
    schema.secret = Flag(node, "secret", path);
    schema.single = Flag(node, "single", path);
    schema.deprecated = Flag(node, "deprecated", path);
    schema.pattern = Text(node, "pattern", path).value_or("");
    schema.help = Text(node, "help", path).value_or("");
    schema.replaced_by = Text(node, "replaced_by", path).value_or("");
    schema.values = Texts(node, "values", path);
    schema.examples = Texts(node, "examples", path);
    schema.min_text = Text(node, "min", path);
    schema.max_text = Text(node, "max", path);
    if (!schema.replaced_by.empty()) schema.deprecated = true;
    ReadNested(node, path, schema);
    ReadDefault(node, path, schema);
    CheckForms(node, path, schema);
    for (const Node::Member& member : node.members) {
      const auto& known = Attributes();
      if (Contains(known, member.name)) continue;
      const auto near = Suggest(member.name, known);
      Report(member.where, path, "unknown attribute \"" + member.name + "\"",
             near ? "Did you mean " + *near + "?" : "Known attributes: " + Join(known));
    }
    return schema;
  }

  void ReadType(const Node& node, const std::string& path, Schema& schema) {
    const std::optional<std::string> name = Text(node, "type", path);
    for (const auto& [known, type] : kTypes) {
      if (!name || known != *name) continue;
      schema.type = type;
      return;
    }
    std::vector<std::string> names;
    names.reserve(std::size(kTypes));
    for (const auto& [known, type] : kTypes) names.emplace_back(known);
    Report(node.where, path, name ? "unknown type \"" + *name + "\"" : "the type is missing",
           "Write type: with one of " + Join(names));
    schema.type = Schema::Type::kString;
  }

  void ReadNested(const Node& node, const std::string& path, Schema& schema) {
    if (const Node* keys = node.Find("keys")) ReadKeys(*keys, path, schema);
    if (const Node* any = node.Find("any_key")) {
      schema.any_key = std::make_shared<Schema>(ReadOne(*any, path + ".*"));
    }
    if (const Node* items = node.Find("items")) {
      schema.items = std::make_shared<Schema>(ReadOne(*items, path + "[]"));
    }
    const bool map = schema.type == Schema::Type::kMap;
    if (!map && (node.Find("keys") != nullptr || node.Find("any_key") != nullptr)) {
      Report(node.where, path, "only a map has keys", "Write type: map");
    }
    if (map && node.Find("keys") == nullptr && node.Find("any_key") == nullptr) {
      Report(node.where, path, "the map has neither keys nor any_key", "Describe its members");
    }
    if ((schema.type == Schema::Type::kList) != (node.Find("items") != nullptr)) {
      Report(node.where, path, "items belong to a list, and a list needs them",
             "Write type: list with items: { type: ... }");
    }
  }

  void ReadDefault(const Node& node, const std::string& path, Schema& schema) {
    const Node* given = node.Find("default");
    if (given == nullptr) return;
    if (given->kind == Node::Kind::kNull) {
      schema.nullable = true;  // `default: null` says so
    } else if (given->kind == Node::Kind::kScalar && IsScalar(schema.type)) {
      schema.default_text = given->text;
    } else if (given->kind == Node::Kind::kList && schema.type == Schema::Type::kList) {
      schema.default_items = Texts(node, "default", path);
    } else if (given->kind != Node::Kind::kMap || !given->members.empty()) {
      Report(given->where, path, "the default does not fit the type",
             "Write a default of the type");
    }
    if (schema.required && !schema.nullable) {
      Report(given->where, path, "a required key cannot have a default", "Remove one of them");
    }
  }

  // Bounds, pattern and defaults must themselves be of the form that they ask for.
  void CheckForms(const Node& node, const std::string& path, Schema& schema) {
    if (!schema.pattern.empty()) {
      try {
        const std::regex compiled(schema.pattern);
      } catch (const std::regex_error&) {
        Report(node.Find("pattern")->where, path, "the pattern is not a regular expression",
               "Write an ECMAScript expression for the whole value");
        schema.pattern.clear();
      }
    }
    if (schema.type == Schema::Type::kEnum && schema.values.empty()) {
      Report(node.where, path, "the enum has no values", "List them: values: [a, b]");
    }
    CheckBound(node, "min", path, schema, schema.min_text);
    CheckBound(node, "max", path, schema, schema.max_text);
    if (schema.default_text) CheckValue(node, path, schema, *schema.default_text);
    for (const std::string& text : schema.default_items) {
      if (schema.items) CheckValue(node, path, *schema.items, text);
    }
  }

  void CheckBound(const Node& node, const std::string& name, const std::string& path,
                  const Schema& schema, std::optional<std::string>& bound) {
    if (!bound) return;
    Schema plain;
    plain.type = schema.type;
    switch (schema.type) {
      case Schema::Type::kInteger:
      case Schema::Type::kNumber:
      case Schema::Type::kDuration:
      case Schema::Type::kSize:
        break;
      case Schema::Type::kString:
      case Schema::Type::kUrl:
      case Schema::Type::kList:
        plain.type = Schema::Type::kInteger;  // the length
        break;
      default:
        Report(node.Find(name)->where, path, name + " does not fit the type", "Remove it");
        bound.reset();
        return;
    }
    std::string ignored;
    if (const auto problem = ConvertScalar(plain, *bound, "\"" + *bound + "\"", ignored)) {
      Report(node.Find(name)->where, path, name + ": " + problem->problem, problem->fix);
      bound.reset();
    }
  }

  void CheckValue(const Node& node, const std::string& path, const Schema& schema,
                  const std::string& text) {
    std::string ignored;
    if (const auto problem = ConvertScalar(schema, text, "\"" + text + "\"", ignored)) {
      Report(node.Find("default")->where, path, "default: " + problem->problem, problem->fix);
    }
  }

  std::optional<std::string> Text(const Node& node, const std::string& name,
                                  const std::string& path) {
    const Node* value = node.Find(name);
    if (value == nullptr) return std::nullopt;
    if (value->kind == Node::Kind::kScalar) return value->text;
    Report(value->where, path, name + " must be a string", "Write one value");
    return std::nullopt;
  }

  std::vector<std::string> Texts(const Node& node, const std::string& name,
                                 const std::string& path) {
    std::vector<std::string> texts;
    const Node* value = node.Find(name);
    if (value == nullptr) return texts;
    for (const Node& item : value->items) {
      if (item.kind == Node::Kind::kScalar) texts.push_back(item.text);
    }
    if (value->kind != Node::Kind::kList || texts.size() != value->items.size()) {
      Report(value->where, path, name + " must be a list of strings", "Write " + name + ": [a, b]");
    }
    return texts;
  }

  bool Flag(const Node& node, const std::string& name, const std::string& path) {
    const std::optional<std::string> text = Text(node, name, path);
    if (!text || *text == "false") return false;
    if (*text != "true") {
      Report(node.Find(name)->where, path, name + " must be true or false", "Write true or false");
    }
    return *text == "true";
  }

  Diagnostics& diagnostics_;
};

}  // namespace

Schema ReadSchema(const Node& keys, const std::string& path, Diagnostics& diagnostics) {
  Schema schema;
  schema.type = Schema::Type::kMap;
  SchemaReader(diagnostics).ReadKeys(keys, path, schema);
  return schema;
}

}  // namespace summa::host
