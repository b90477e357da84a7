// The steps of plugins of this project, as they stand in their files.
#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/application/schemas.hpp"
#include "host/error.hpp"
#include "host/plugin/file_trust.hpp"

namespace summa::test {

// Those of the host, and of these plugins behind them; `read`: the read models have a database of
// their own.
inline host::Schemas SchemasWith(const std::vector<std::string>& plugins, bool read = false) {
  const char* directory = std::getenv("SUMMA_BINARY_DIR");
  if (directory == nullptr) throw std::runtime_error("SUMMA_BINARY_DIR is not set: run by ctest");
  const host::Discovery found = host::DiscoverPlugins(
      {{std::string(directory) + "/lib/summa/plugins", true}}, host::CurrentTrust());
  host::Plan plan;
  for (const std::string& id : plugins) {
    const host::PluginFile* file = found.Find(id);
    if (file == nullptr) throw std::runtime_error("no plugin " + id);
    if (!file->refusals.empty()) {
      throw std::runtime_error("plugin " + id + ": " + host::ToText(file->refusals.front()));
    }
    plan.order.push_back({id, file, {}});
  }
  host::Settings settings;
  if (read) settings.read.emplace();
  return host::SchemasOf(settings, plan);
}

// With everything in one database.
inline std::vector<host::SchemaStep> StepsWith(const std::vector<std::string>& plugins) {
  return SchemasWith(plugins).ledger;
}

}  // namespace summa::test
