// Reads the configuration of a running host again. What can change in a running host does: the log,
// the secrets of the databases, for connections to come (their certificates are read anew with
// every connection anyhow), and what plugins take (summa.reload/1). Everything else that differs is
// named: it needs a restart. A configuration with an error changes nothing.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/application/plugin_set.hpp"
#include "host/application/settings.hpp"

namespace summa::host {

// [main]
class Reload {
 public:
  Reload(const LoadedConfiguration& loaded, const Discovery& plugins);
  // Says in the log what came of it. Throws nothing.
  void Run(PluginSet& plugins) noexcept;

 private:
  using Values = std::map<std::string, std::string>;  // by path

  struct Changes {
    std::vector<std::string> taken, restart;
  };

  void Take(const LoadedConfiguration& now, PluginSet& plugins);
  Changes Compare(const Values& values, const LoadedConfiguration& now) const;
  bool Takes(const std::string& path, const LoadedConfiguration& now) const;
  static void OfferToPlugins(const LoadedConfiguration& now, PluginSet& plugins, Changes& changes);

  const LoadedConfiguration& loaded_;
  const Discovery& plugins_;
  Values values_;  // in effect
};

}  // namespace summa::host
