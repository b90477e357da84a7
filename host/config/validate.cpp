// Checks a tree against a schema and gives the value with defaults. Continues after every problem.
#include <utility>

#include "host/config/scalar.hpp"
#include "host/config/schema.hpp"
#include "host/config/text.hpp"
#include "summa/text.hpp"

namespace summa::host {
namespace {

class Validator {
 public:
  explicit Validator(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  // `parent` is where a missing key is reported.
  Value Check(const Schema& schema, const Node* node, const std::string& path,
              const Location& parent) {
    Value value;
    value.type = schema.type;
    value.secret = schema.secret || (node != nullptr && node->secret);
    if (node == nullptr) return Absent(schema, path, parent, std::move(value));
    value.where = node->where;
    if (node->unusable) return Unusable(std::move(value));
    if (IsNull(schema, *node)) return CheckNull(schema, *node, path, std::move(value));
    switch (schema.type) {
      case Schema::Type::kMap:
        return CheckMap(schema, *node, path, std::move(value));
      case Schema::Type::kList:
        return CheckList(schema, *node, path, std::move(value));
      default:
        return CheckScalar(schema, *node, path, std::move(value));
    }
  }

 private:
  void Report(std::string code, const Location& where, const std::string& path, std::string problem,
              std::string fix) {
    diagnostics_.push_back({std::move(code), where, path, std::move(problem), std::move(fix)});
  }

  static Value Unusable(Value value) {
    value.unusable = true;
    return value;
  }

  // A variable that is empty (${VAR:-}) means "not given" where that is allowed.
  static bool IsNull(const Schema& schema, const Node& node) {
    return node.kind == Node::Kind::kNull ||
           (node.interpolated && node.text.empty() && schema.nullable);
  }

  Value Absent(const Schema& schema, const std::string& path, const Location& parent, Value value) {
    value.from_default = true;
    if (schema.required) {
      std::string fix = "Add it";
      if (!schema.examples.empty()) {
        fix += ", for example " + schema.examples.front();
      } else {
        fix += ": " + Expected(schema);
      }
      Report("SH-0207", parent, path, "the key is missing", std::move(fix));
      return Unusable(std::move(value));
    }
    if (schema.type == Schema::Type::kMap && !schema.nullable) {
      value.null = false;
      for (const auto& [name, member] : schema.keys) {
        value.members.emplace_back(name, Check(member, nullptr, MemberPath(path, name), parent));
      }
    } else if (schema.type == Schema::Type::kList && !schema.nullable) {
      value.null = false;
      for (const std::string& text : schema.default_items) {
        value.items.push_back(Default(*schema.items, text));
      }
    } else if (schema.default_text) {
      const bool secret = value.secret;
      value = Default(schema, *schema.default_text);
      value.secret = secret;
    }
    return value;
  }

  static Value Default(const Schema& schema, const std::string& text) {
    Value value;
    value.type = schema.type;
    value.from_default = true;
    value.null = false;
    value.written = text;
    ConvertScalar(schema, text, text, value.text);  // checked when the schema was read
    return value;
  }

  Value CheckNull(const Schema& schema, const Node& node, const std::string& path, Value value) {
    if (schema.nullable) return value;
    // `log:` with every member commented out, or `outbox:` with nothing.
    if (schema.type == Schema::Type::kMap) {
      Node empty;
      empty.kind = Node::Kind::kMap;
      empty.where = node.where;
      return CheckMap(schema, empty, path, std::move(value));
    }
    Report("SH-0205", node.where, path,
           "null (or nothing) where " + Expected(schema) + " is expected",
           schema.default_text ? "Remove the key to get the default " + *schema.default_text
                               : "Write a value");
    return Unusable(std::move(value));
  }

  Value CheckMap(const Schema& schema, const Node& node, const std::string& path, Value value) {
    if (node.kind != Node::Kind::kMap) return WrongKind(schema, node, path, std::move(value));
    value.null = false;
    const std::string prefix = path.empty() ? "" : path + ".";
    for (const auto& [name, member] : schema.keys) {
      const Node* given = node.Find(name);
      value.members.emplace_back(name, Check(member, given, prefix + name, node.where));
    }
    for (const Node::Member& member : node.members) {
      const Schema* known = schema.Find(member.name);
      if (known != nullptr) {
        if (known->deprecated) ReportDeprecated(*known, member, prefix);
      } else if (schema.any_key) {
        value.members.emplace_back(
            member.name, Check(*schema.any_key, &member.value, prefix + member.name, member.where));
      } else {
        ReportUnknown(schema, member, prefix);
      }
    }
    return value;
  }

  void ReportDeprecated(const Schema& schema, const Node::Member& member,
                        const std::string& prefix) {
    diagnostics_.push_back(
        {"SH-0220", member.where, prefix + member.name, "the key is deprecated and will be removed",
         schema.replaced_by.empty() ? "Remove it" : "Use " + schema.replaced_by + " instead",
         true});
  }

  void ReportUnknown(const Schema& schema, const Node::Member& member, const std::string& prefix) {
    for (const auto& [name, now] : schema.moved) {
      if (name != member.name) continue;
      Report("SH-0201", member.where, prefix + name, "the key has moved to " + now,
             "Write " + now + " instead, with the same value");
      return;
    }
    std::vector<std::string> names;
    std::string fix;
    for (const auto& [name, known] : schema.keys) {
      if (!known.deprecated) names.push_back(name);
      if (fix.empty() && known.Find(member.name) != nullptr) {
        fix.append("It belongs under ").append(prefix).append(name);
      }
    }
    if (const auto near = Suggest(member.name, names)) fix = "Did you mean " + *near + "?";
    if (fix.empty()) {
      fix = names.empty() ? "No keys are allowed here" : "Known keys here: " + Join(names);
    }
    Report("SH-0201", member.where, prefix + member.name, "unknown key", std::move(fix));
  }

  Value CheckList(const Schema& schema, const Node& node, const std::string& path, Value value) {
    if (schema.single && node.kind == Node::Kind::kScalar) {
      value.null = false;
      value.items.push_back(Check(*schema.items, &node, path, node.where));
      return value;
    }
    if (node.kind != Node::Kind::kList) return WrongKind(schema, node, path, std::move(value));
    value.null = false;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      value.items.push_back(
          Check(*schema.items, &node.items[i], MemberPath(path, std::to_string(i)), node.where));
    }
    const std::size_t count = node.items.size();
    const std::string shown = "the list has " + std::to_string(count) + " items, which";
    if (const auto problem = CheckLength(schema, count, shown)) {
      Report(problem->code, node.where, path, problem->problem, problem->fix);
    }
    return value;
  }

  Value WrongKind(const Schema& schema, const Node& node, const std::string& path, Value value) {
    std::string found = "a list";
    if (node.kind == Node::Kind::kMap) found = "a map";
    if (node.kind == Node::Kind::kScalar) found = Shown(schema, node);
    std::string fix = "Write " + Expected(schema);
    if (schema.type == Schema::Type::kMap) fix = "Write its keys below it, or { key: value }";
    if (schema.type == Schema::Type::kList) fix = "Write [a, b], or one `- item` per line";
    // "a:1" is a text, not a key: the space after the colon is missing.
    if (schema.type == Schema::Type::kMap && node.kind == Node::Kind::kScalar && !node.quoted &&
        !node.interpolated && node.text.find(':') != std::string::npos) {
      fix = "A space is missing after the colon";
    }
    Report("SH-0205", node.where, path, found + " where " + Expected(schema) + " is expected",
           std::move(fix));
    return Unusable(std::move(value));
  }

  Value CheckScalar(const Schema& schema, const Node& node, const std::string& path, Value value) {
    if (node.kind != Node::Kind::kScalar) return WrongKind(schema, node, path, std::move(value));
    value.written = node.text;
    // "8" in quotes is a text; only a filled-in value may need its quotes (inside { }).
    const bool needs_plain = schema.type == Schema::Type::kInteger ||
                             schema.type == Schema::Type::kNumber ||
                             schema.type == Schema::Type::kBoolean;
    if (needs_plain && node.quoted && !node.interpolated) {
      Report("SH-0205", node.where, path,
             "a quoted string where " + std::string(TypeName(schema.type)) + " is expected",
             "Remove the quotes");
      return Unusable(std::move(value));
    }
    if (auto problem = ConvertScalar(schema, node.text, Shown(schema, node), value.text)) {
      // A fix that repeats the value would reveal it.
      const bool repeats = problem->code == "SH-0205" || problem->code == "SH-0206";
      if (repeats && IsHidden(schema, node)) problem->fix = "Give it " + Expected(schema);
      Report(problem->code, node.where, path, problem->problem, problem->fix);
      return Unusable(std::move(value));
    }
    value.null = false;
    return value;
  }

  static std::string Expected(const Schema& schema) {
    if (schema.type == Schema::Type::kEnum) return "one of " + Join(schema.values);
    return std::string(TypeName(schema.type));
  }

  static bool IsHidden(const Schema& schema, const Node& node) {
    return schema.secret || node.secret || node.interpolated;
  }

  // How a value may appear in a message.
  static std::string Shown(const Schema& schema, const Node& node) {
    constexpr std::size_t kMaxShown = 80;
    if (IsHidden(schema, node)) return "the value (not shown)";
    std::string text = RedactUrl(node.text);
    if (text.size() > kMaxShown) text = std::string(Beginning(text, kMaxShown)) + "...";
    for (char& c : text) {
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    }
    return "\"" + text + "\"";
  }

  Diagnostics& diagnostics_;
};

}  // namespace

Value Validate(const Schema& schema, const Node* node, const std::string& path,
               Diagnostics& diagnostics) {
  return Validator(diagnostics)
      .Check(schema, node, path, node == nullptr ? Location{} : node->where);
}

}  // namespace summa::host
