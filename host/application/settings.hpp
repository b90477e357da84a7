// The configuration as the host uses it: found, read, checked against the manifests of the
// installed plugins, and its own part as plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/database/session.hpp"
#include "host/error.hpp"
#include "host/observe/log.hpp"
#include "host/plugin/discovery.hpp"
#include "host/plugin/graph.hpp"
#include "host/schedule/runner.hpp"
#include "host/settings/configuration.hpp"

namespace summa::host {

// More than one thing is wrong; what() tells of the first.
class Failures : public Failure {
 public:
  explicit Failures(std::vector<Error> all) : Failure(all.at(0)), all_(std::move(all)) {}
  const std::vector<Error>& all() const { return all_; }

 private:
  std::vector<Error> all_;
};

struct LoadedConfiguration {
  Configuration configuration;
  Settings settings;
  std::vector<Error> warnings;
  std::string text = {};  // of the file, as it was read
};

// `file` empty: looked for. `text`: what the file contained, instead of reading it. Throws Failures
// with everything that is wrong.
LoadedConfiguration ReadConfiguration(const std::string& file, const Discovery& plugins,
                                      const std::string* text = nullptr);

// Which of the enabled plugins run, in which order. With plugins.lock: their files are read once
// more, sealed, and refused unless they are the locked ones. Throws Failures when the lock file
// cannot be used.
Plan PlanPlugins(const LoadedConfiguration& loaded, const Discovery& plugins);

// The lock file that a configuration names, whatever else is wrong with it.
struct LockSettings {
  std::string file;
  bool required = false;
};
// `file` empty: looked for. nullopt: there is no configuration.
std::optional<LockSettings> FindLock(const std::string& file, const Discovery& plugins);

// How plugins share the pool of a running host. Sure are two sessions for each continuous worker of
// the host's own plugins, one for each of the others, as far as the pool goes; one at least belongs
// to nobody.
SessionShares SharesOfPlugins(const LoadedConfiguration& loaded,
                              const std::vector<Manifest>& manifests);

// The worker as configured; without the plugin's function. nullopt: not configured, or disabled.
std::optional<WorkerPlan> PlanWorker(const Configuration& configuration, const std::string& worker);

// Of the installed plugins, also of those that will be refused: their configuration is checked too.
std::vector<Manifest> Manifests(const Discovery& plugins);

}  // namespace summa::host
