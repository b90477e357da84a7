#include "engine/health.hpp"

#include <summa/json.hpp>

namespace summa::projections {

void Health::Builds(std::span<const Build> builds) {
  const MutexLock lock(mutex_);
  std::map<std::string, Known> known;
  for (const Build& build : builds) {
    const auto before = known_.find(build.Name());
    known[build.Name()] = {build, before == known_.end() ? Lag() : before->second.lag};
  }
  known_ = std::move(known);
}

void Health::Observed(std::span<const Build> builds, std::span<const Lag> lags) {
  for (std::size_t i = 0; i < builds.size(); ++i) {
    const Build& build = builds[i];
    const Lag& lag = lags[i];
    if (build.role == "live") {
      const Host::Labels labels = {{"projection", build.projection}};
      host_.Gauge("summa_projection_position", "", labels)
          .Set(static_cast<double>(build.checkpoint.position));
      host_.Gauge("summa_projection_lag_events", "", labels).Set(static_cast<double>(lag.events));
      host_.Gauge("summa_projection_lag_seconds", "", labels).Set(lag.seconds);
      host_.Gauge("summa_projection_paused_keys", "", labels)
          .Set(static_cast<double>(build.paused_keys.size()));
    }
    const MutexLock lock(mutex_);
    known_[build.Name()] = {build, lag};
  }
}

void Health::AppliedTo(const Build& build, const Applied& applied) {
  const auto count = [&](const char* outcome, double events) {
    if (events == 0) return;
    host_
        .Counter("summa_projection_events_total", "",
                 {{"projection", build.projection}, {"outcome", outcome}})
        .Add(events);
  };
  count("applied", static_cast<double>(applied.events));
  count("waiting", static_cast<double>(applied.waiting));
  count("refused", static_cast<double>(applied.refused.size()));
  for (const Refused& refused : applied.refused) {
    host_.Log(SUMMA_LOG_ERROR, "SH-0553", "an event cannot be applied",
              {{"projection", build.Name()},
               {"position", std::to_string(refused.position)},
               {"event_type", refused.event_type},
               {"key", ToText(refused.key)},
               {"error", refused.error}});
  }
}

void Health::Unknown(const std::string& event_type) {
  {
    const MutexLock lock(mutex_);
    if (!unknown_types_.insert(event_type).second) return;
  }
  host_.Warn("SH-0554", "events of a type that projections do not know",
             {{"event_type", event_type}});
}

std::vector<Finding> Health::Failing() const {
  std::vector<Finding> failing;
  const MutexLock lock(mutex_);
  for (const auto& [name, known] : known_) {
    const Build& build = known.build;
    if (build.role == "old") continue;
    if (build.state == "failed") {
      failing.push_back(
          {Severity::kError, name, "SH-0551 it has stopped: " + build.error, "",
           "repair the cause, then run: summa-host projections resume " + build.projection});
    }
    if (!build.paused_keys.empty()) {
      failing.push_back({Severity::kError, name,
                         "SH-0553 " + std::to_string(build.paused_keys.size()) +
                             " keys wait behind an event that cannot be applied",
                         "",
                         "summa-host projections status " + build.projection +
                             " names them; repair the cause, then run: summa-host projections "
                             "resume " +
                             build.projection});
    }
    if (build.role == "live" && build.running() &&
        known.lag.seconds * 1e6 > static_cast<double>(lag_alert_.count())) {
      failing.push_back({Severity::kWarning, name,
                         "SH-0555 it is " +
                             std::to_string(static_cast<long long>(known.lag.seconds)) + " s and " +
                             std::to_string(known.lag.events) + " events behind",
                         "",
                         "nothing is lost; if it does not catch up, look at the load of the "
                         "database, and at transactions that are open for long"});
    }
  }
  return failing;
}

std::string Health::Json() const {
  JsonWriter json;
  json.BeginObject().Key("projections").BeginArray();
  const MutexLock lock(mutex_);
  for (const auto& [name, known] : known_) {
    json.BeginObject()
        .Member("id", known.build.projection)
        .Member("build", known.build.number)
        .Member("role", known.build.role)
        .Member("state", known.build.state)
        .Member("position", known.build.checkpoint.position)
        .Member("lagEvents", known.lag.events)
        .Member("lagSeconds", known.lag.seconds)
        .Member("pausedKeys", known.build.paused_keys.size())
        .EndObject();
  }
  return json.EndArray().EndObject().Take();
}

}  // namespace summa::projections
