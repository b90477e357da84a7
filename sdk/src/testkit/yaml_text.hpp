// The little of YAML in which configurations and manifests are written.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace summa::testkit::yaml {

struct YamlNode {
  enum class Kind { kNull, kScalar, kMap, kList };
  Kind kind = Kind::kNull;
  std::string text;  // of a scalar
  std::vector<std::pair<std::string, YamlNode>> members;
  std::vector<YamlNode> items;

  const YamlNode* Find(std::string_view name) const;
  std::string Text(std::string_view name) const;  // of a member; empty: there is none
};

// Throws std::runtime_error.
YamlNode ReadYaml(std::string_view text);

}  // namespace summa::testkit::yaml
