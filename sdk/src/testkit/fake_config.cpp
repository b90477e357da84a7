#include <summa/testkit/fake_config.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "yaml_text.hpp"

namespace summa::testkit {
namespace {

using yaml::YamlNode;

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr std::array<Unit, 5> kDurations = {{{"ms", 1'000},
                                             {"s", 1'000'000},
                                             {"m", 60'000'000},
                                             {"h", 3'600'000'000},
                                             {"d", 86'400'000'000}}};
constexpr std::array<Unit, 10> kSizes = {{{"B", 1},
                                          {"KB", 1'000},
                                          {"kB", 1'000},
                                          {"MB", 1'000'000},
                                          {"GB", 1'000'000'000},
                                          {"TB", 1'000'000'000'000},
                                          {"KiB", 1LL << 10},
                                          {"MiB", 1LL << 20},
                                          {"GiB", 1LL << 30},
                                          {"TiB", 1LL << 40}}};

// A number with a unit, in the smallest one.
template <std::size_t kCount>
std::string InUnits(const std::string& path, const std::string& text,
                    const std::array<Unit, kCount>& units) {
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (name.starts_with(' ')) name.remove_prefix(1);
  for (const Unit& unit : units) {
    if (failure == std::errc{} && unit.name == name) {
      return std::to_string(std::llround(number * static_cast<double>(unit.factor)));
    }
  }
  throw std::runtime_error(path + ": \"" + text + "\" is no number with a unit");
}

std::string Normalised(const std::string& path, const std::string& text, const YamlNode* schema) {
  const std::string type = schema == nullptr ? "" : schema->Text("type");
  if (type == "duration") return InUnits(path, text, kDurations);
  if (type == "size") return InUnits(path, text, kSizes);
  return text;
}

std::string Joined(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

}  // namespace

FakeConfig::FakeConfig(std::string_view text, std::string_view manifest) {
  table_.struct_size = sizeof table_;
  table_.self = this;
  table_.get = &FakeConfig::Get;
  table_.keys = &FakeConfig::Keys;
  const YamlNode root = yaml::ReadYaml(text);
  if (manifest.empty()) {
    AddMap("", root, nullptr);
    return;
  }
  const YamlNode declared = yaml::ReadYaml(manifest);
  YamlNode keys;  // as a map that is declared: { keys: {...} }
  const YamlNode none;
  const YamlNode* config = declared.Find("config");
  keys.members.push_back({"keys", config == nullptr ? none : *config});
  AddMap("", root, &keys);
}

FakeConfig::~FakeConfig() = default;

// NOLINTNEXTLINE(misc-no-recursion): as deep as the text
void FakeConfig::Add(const std::string& path, const YamlNode& value, const YamlNode* schema) {
  switch (value.kind) {
    case YamlNode::Kind::kNull:
      return;
    case YamlNode::Kind::kScalar:
      values_[path] = Normalised(path, value.text, schema);
      return;
    case YamlNode::Kind::kMap:
      return AddMap(path, value, schema);
    case YamlNode::Kind::kList:
      break;
  }
  const YamlNode* items = schema == nullptr ? nullptr : schema->Find("items");
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    keys_[path].push_back(std::to_string(i));
    Add(Joined(path, std::to_string(i)), value.items[i], items);
  }
}

// schema: of the map; nullptr: anything goes.
// NOLINTNEXTLINE(misc-no-recursion): as deep as the text
void FakeConfig::AddMap(const std::string& path, const YamlNode& value, const YamlNode* schema) {
  const YamlNode* keys = schema == nullptr ? nullptr : schema->Find("keys");
  const YamlNode* any = schema == nullptr ? nullptr : schema->Find("any_key");
  for (const auto& [name, member] : value.members) {
    const YamlNode* declared = keys == nullptr ? nullptr : keys->Find(name);
    if (declared == nullptr) declared = any;
    if (schema != nullptr && declared == nullptr) {
      throw std::runtime_error("the manifest does not declare the key " + Joined(path, name));
    }
    keys_[path].push_back(name);
    Add(Joined(path, name), member, declared);
  }
  if (keys == nullptr) return;
  for (const auto& [name, declared] : keys->members) {
    if (value.Find(name) != nullptr) continue;
    const YamlNode* otherwise = declared.Find("default");
    const YamlNode empty;
    const bool map = declared.Find("keys") != nullptr;
    if (otherwise == nullptr && !map) continue;
    keys_[path].push_back(name);
    if (map) {
      AddMap(Joined(path, name), empty, &declared);
    } else {
      Add(Joined(path, name), *otherwise, &declared);
    }
  }
}

std::int32_t FakeConfig::Get(void* self, summa_str path, summa_str* value) {
  const auto& values = static_cast<FakeConfig*>(self)->values_;
  const auto found = values.find(FromAbi(path));
  if (found == values.end()) return 0;
  *value = ToAbi(found->second);
  return 1;
}

std::size_t FakeConfig::Keys(void* self, summa_str path, const summa_str** names) {
  auto* config = static_cast<FakeConfig*>(self);
  const auto found = config->keys_.find(FromAbi(path));
  *names = nullptr;
  if (found == config->keys_.end()) return 0;
  std::vector<summa_str>& abi = config->names_[found->first];
  if (abi.empty()) {
    for (const std::string& name : found->second) abi.push_back(ToAbi(name));
  }
  *names = abi.data();
  return abi.size();
}

}  // namespace summa::testkit
