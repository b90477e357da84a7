// Finds the plugins that are installed, without running any of their code.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/plugin/plugin_file.hpp"

namespace summa::host {

struct PluginDirectory {
  std::string path;
  bool named = false;  // by --plugin-dir or SUMMA_PLUGIN_PATH: its absence is a problem
};

// In order of precedence: `named` (--plugin-dir), SUMMA_PLUGIN_PATH (split at ':'),
// <directory of the executable>/../lib/summa/plugins, /usr/lib/summa/plugins.
std::vector<PluginDirectory> PluginDirectories(const std::vector<std::string>& named);

struct Discovery {
  std::vector<std::string> directories;  // that were looked into, in order of precedence
  std::vector<PluginFile> files;         // by directory, then by name
  std::vector<Error> problems;           // of directories

  // The file that stands for the id: by its manifest, else by its name. Never a shadowed one. A
  // refused one is given too. nullptr: not installed.
  const PluginFile* Find(const std::string& id) const;
  // SH-0101 for an id that Find() does not know.
  Error NotFound(const std::string& id) const;
};

// An id that is found in two directories belongs to the earlier one; the later file is listed with
// `shadowed_by`. Two files of one id in one directory are both refused (SH-0116): nothing says
// which one is meant.
Discovery DiscoverPlugins(const std::vector<PluginDirectory>& directories,
                          const TrustPolicy& trust);

}  // namespace summa::host
