// A validated configuration in the shape that crosses the plugin boundary (summa_config).
#pragma once

#include <summa/abi/plugin.h>

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/schema.hpp"

namespace summa::host {

// Paths are dotted; the items of a list are its members "0", "1", ... A member whose own name has
// dots is found too. What get() and keys() hand out lives as long as this. One thread at a time.
class ConfigView {
 public:
  explicit ConfigView(Value root);
  ConfigView(const ConfigView&) = delete;
  ConfigView& operator=(const ConfigView&) = delete;

  const summa_config* abi() const { return &table_; }
  // nullptr: absent or null.
  const Value* Find(std::string_view path) const;

 private:
  static std::int32_t Get(void* self, summa_str path, summa_str* value);
  static std::size_t Keys(void* self, summa_str path, const summa_str** names);

  // Its own: a call that was given up may still read it when the configuration of the host is gone.
  const Value root_;
  summa_config table_{};
  std::map<std::string, std::vector<summa_str>> keys_;  // by path: pointers to them stay valid
  std::deque<std::string> numbers_;                     // "0", "1", ...
};

}  // namespace summa::host
