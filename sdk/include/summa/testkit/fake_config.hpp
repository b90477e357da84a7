// A configuration for tests, from the text of the plugin's part of a summa.yaml:
//
//   const summa::testkit::FakeConfig config("look_back: 7d\nretry: { max: 3 }", manifest);
//   plugin.Configure(config.config());
//
// With the text of plugin.yaml, values have the types of its `config:`: durations and sizes become
// numbers, and defaults are filled in. Without it every value is given as it is written. Bounds and
// patterns are the host's to check (`summa-host config check`). Link Summa::testkit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <summa/config.hpp>
#include <vector>

namespace summa::testkit {

namespace yaml {
struct YamlNode;
}

// Must outlive what was read from it. Throws std::runtime_error with the line of what it cannot
// read: it knows maps, lists and scalars, in block form and in brackets, and no other YAML.
class FakeConfig {
 public:
  explicit FakeConfig(std::string_view text = {}, std::string_view manifest = {});
  ~FakeConfig();
  FakeConfig(const FakeConfig&) = delete;
  FakeConfig& operator=(const FakeConfig&) = delete;

  summa::Config config() const { return summa::Config(&table_); }
  const summa_config* abi() const { return &table_; }

 private:
  static std::int32_t Get(void* self, summa_str path, summa_str* value);
  static std::size_t Keys(void* self, summa_str path, const summa_str** names);
  void Add(const std::string& path, const yaml::YamlNode& value, const yaml::YamlNode* schema);
  void AddMap(const std::string& path, const yaml::YamlNode& value, const yaml::YamlNode* schema);

  std::map<std::string, std::string, std::less<>> values_;             // by dotted path
  std::map<std::string, std::vector<std::string>, std::less<>> keys_;  // members of maps and lists
  std::map<std::string, std::vector<summa_str>, std::less<>> names_;   // the same for the ABI
  summa_config table_{};
};

}  // namespace summa::testkit
