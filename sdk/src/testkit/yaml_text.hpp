// The little of YAML in which configurations and manifests are written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace summa::testkit::yaml {

struct YamlMember;

struct YamlNode {
  enum class Kind { kNull, kScalar, kMap, kList };
  Kind kind = Kind::kNull;
  std::string text;  // of a scalar
  std::vector<YamlMember> members;
  std::vector<YamlNode> items;

  const YamlNode* Find(std::string_view name) const;
  std::string Text(std::string_view name) const;  // of a member; empty: there is none
};

struct YamlMember {
  std::string name;
  YamlNode value;
};

// Throws std::runtime_error.
YamlNode ReadYaml(std::string_view text);

}  // namespace summa::testkit::yaml
