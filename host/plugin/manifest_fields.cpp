#include "host/plugin/manifest_fields.hpp"

#include <algorithm>

#include "host/config/pattern.hpp"
#include "host/config/schema.hpp"
#include "host/config/text.hpp"
#include "host/find.hpp"

namespace summa::host {

ManifestFields::ManifestFields(const Node& node, std::string path, Diagnostics& diagnostics)
    : node_(node), path_(std::move(path)), diagnostics_(diagnostics) {
  usable_ = node.kind == Node::Kind::kMap;
  if (!usable_) Report(&node, "", "must be a map", "Write it as `key: value` lines");
}

std::string ManifestFields::PathOf(std::string_view name) const {
  if (path_.empty() || name.empty()) return path_ + std::string(name);
  return path_ + "." + std::string(name);
}

void ManifestFields::Report(const Node* where, std::string_view name, std::string problem,
                            std::string fix) {
  diagnostics_.push_back({kManifestProblem, where != nullptr ? where->where : node_.where,
                          PathOf(name), std::move(problem), std::move(fix)});
}

const Node* ManifestFields::Find(std::string_view name) {
  known_.emplace_back(name);
  if (!usable_) return nullptr;
  const Node* value = node_.Find(name);
  return value == nullptr || value->kind == Node::Kind::kNull ? nullptr : value;
}

std::string ManifestFields::Check(const Node& value, std::string_view name, const TextForm& form) {
  if (value.kind != Node::Kind::kScalar) {
    Report(&value, name, "must be a string", std::string("Write ") + form.words);
    return {};
  }
  // The length first: the regular expressions of the standard library recurse per character.
  if (value.text.size() > form.max_bytes) {
    Report(&value, name,
           "has " + std::to_string(value.text.size()) + " bytes; at most " +
               std::to_string(form.max_bytes) + " are allowed",
           "Shorten it");
    return {};
  }
  if (!MatchesPattern(value.text, form.pattern)) {
    Report(&value, name, "\"" + value.text + "\" is not " + form.words,
           std::string("Write ") + form.words);
    return {};
  }
  return value.text;
}

std::string ManifestFields::Text(std::string_view name, bool required, const TextForm& form) {
  const Node* value = Find(name);
  if (value != nullptr) return Check(*value, name, form);
  if (required && usable_) {
    Report(nullptr, name, "is missing",
           "Add `" + std::string(name) + ":` with " + std::string(form.words));
  }
  return {};
}

std::optional<std::size_t> ManifestFields::Choice(std::string_view name, bool required,
                                                  const std::vector<std::string>& words) {
  const Node* value = Find(name);
  if (value == nullptr) {
    if (required && usable_) {
      Report(nullptr, name, "is missing", "Write one of: " + Join(words));
    }
    return std::nullopt;
  }
  const auto found = std::find(words.begin(), words.end(), value->text);
  if (value->kind == Node::Kind::kScalar && found != words.end()) {
    return static_cast<std::size_t>(found - words.begin());
  }
  Report(value, name, "\"" + value->text + "\" is not one of: " + Join(words),
         "Write one of: " + Join(words));
  return std::nullopt;
}

bool ManifestFields::Flag(std::string_view name) {
  return Choice(name, false, {"false", "true"}) == 1;
}

std::int64_t ManifestFields::Duration(std::string_view name, bool required) {
  constexpr const char* kFix = "Write a number and a unit: 20ms, 5s, 30m, 6h or 1d";
  const Node* value = Find(name);
  if (value == nullptr) {
    if (required && usable_) Report(nullptr, name, "is missing", kFix);
    return 0;
  }
  const auto microseconds =
      value->kind == Node::Kind::kScalar ? ParseDuration(value->text) : std::nullopt;
  if (!microseconds || *microseconds <= 0) {
    Report(value, name, "\"" + value->text + "\" is not a duration above zero", kFix);
    return 0;
  }
  return *microseconds;
}

std::vector<const Node*> ManifestFields::Items(std::string_view name, std::size_t max_items) {
  std::vector<const Node*> items;
  const Node* value = Find(name);
  if (value == nullptr) return items;
  if (value->kind != Node::Kind::kList) {
    Report(value, name, "must be a list", "Write one `- ...` line per item, or [a, b]");
    return items;
  }
  if (value->items.size() > max_items) {
    Report(value, name,
           "has " + std::to_string(value->items.size()) + " items; at most " +
               std::to_string(max_items) + " are allowed",
           "Split the plugin, or remove what is not used");
    return items;
  }
  for (const Node& item : value->items) items.push_back(&item);
  return items;
}

std::vector<std::string> ManifestFields::Texts(std::string_view name, std::size_t max_items,
                                               const TextForm& form) {
  std::vector<std::string> texts;
  for (const Node* item : Items(name, max_items)) {
    std::string text = Check(*item, name, form);
    if (text.empty()) continue;
    if (Contains(texts, text)) {
      Report(item, name, "\"" + text + "\" is given twice", "Remove one of them");
      continue;
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

void ManifestFields::Finish() {
  if (!usable_) return;
  for (const Node::Member& member : node_.members) {
    if (Contains(known_, member.name)) continue;
    const auto near = Suggest(member.name, known_);
    diagnostics_.push_back(
        {kManifestProblem, member.where, PathOf(member.name), "unknown key",
         near ? "Did you mean " + *near + "?" : "Known keys here: " + Join(known_)});
  }
}

}  // namespace summa::host
