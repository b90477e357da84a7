// Reads the configuration of a running host again. What can change in a running host does: the log,
// the secrets of the databases, for connections to come (their certificates are read anew with
// every connection anyhow), and what plugins take (summa.reload/1). Everything else that differs is
// named: it needs a restart. A configuration with an error changes nothing.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "host/application/plugin_set.hpp"
#include "host/application/settings.hpp"

namespace summa::host {

// [main]
class Reload {
 public:
  // concerns: whether a key is this process' to take; of others nothing is said. Empty: all are.
  Reload(const LoadedConfiguration& loaded, const Discovery& plugins,
         std::function<bool(const std::string& path)> concerns = {});
  // Says in the log what came of it. `text`: what the file contains, instead of reading it. False:
  // the old configuration stays in force. Throws nothing.
  bool Run(PluginSet& plugins, const std::string* text = nullptr) noexcept;
  // What was read last and could be used.
  const std::string& text() const { return text_; }

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
  const std::function<bool(const std::string&)> concerns_;
  Values values_;  // in effect
  std::string text_;
};

}  // namespace summa::host
