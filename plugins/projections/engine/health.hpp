// What the worker knows of its projections, for metrics, /status and /readyz. One thread writes, any
// thread reads.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <summa/health.hpp>
#include <summa/host.hpp>
#include <summa/mutex.hpp>
#include <vector>

#include "engine/applier.hpp"
#include "engine/build.hpp"
#include "engine/lag.hpp"

namespace summa::projections {

class Health {
 public:
  Health(Host host, std::chrono::microseconds lag_alert) : host_(host), lag_alert_(lag_alert) {}

  void Builds(std::span<const Build> builds);
  void Observed(std::span<const Build> builds, std::span<const Lag> lags);
  void AppliedTo(const Build& build, const Applied& applied);
  void Unknown(const std::string& event_type);

  std::vector<Finding> Failing() const;
  std::string Json() const;  // for /status

 private:
  struct Known {
    Build build;
    Lag lag;
  };
  Host host_;
  const std::chrono::microseconds lag_alert_;
  mutable Mutex mutex_;
  std::map<std::string, Known> known_ SUMMA_GUARDED_BY(mutex_);  // by Build::Name()
  std::set<std::string> unknown_types_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::projections
