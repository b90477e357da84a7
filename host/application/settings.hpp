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
};

// `file` empty: looked for. Throws Failures with everything that is wrong.
LoadedConfiguration ReadConfiguration(const std::string& file, const Discovery& plugins);

// Which of the enabled plugins run, in which order.
Plan PlanPlugins(const LoadedConfiguration& loaded, const Discovery& plugins);

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
