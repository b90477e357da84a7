#include "host/application/plugin_set.hpp"

#include <algorithm>
#include <set>

#include "host/application/crash_report.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

bool IsUsable(const PluginInstance& instance) {
  const PluginState state = instance.state();
  return state != PluginState::kRefused && state != PluginState::kFailed;
}

}  // namespace

PluginSet::PluginSet(const Configuration& configuration, const Plan& plan, HostTableSettings table,
                     const CallLimits& limits)
    : consuming_(table.consuming), stopping_(limits.stopping), refused_(plan.refused) {
  table.resolver = [this](std::string_view plugin, std::string_view service,
                          std::string_view alias) { return Resolve(plugin, service, alias); };
  for (const RefusedPlugin& refused : refused_) {
    for (const Error& error : refused.errors) {
      LogError(LogLevel::kError, error, {{"plugin", refused.id}});
    }
  }
  for (const PlannedPlugin& planned : plan.order) {
    Member& member = members_.emplace_back();
    member.plan = planned;
    member.settings = configuration.FindPlugin(planned.id);
    const Location& where = member.settings->where;
    member.where = where.file + ":" + std::to_string(where.line);
    member.instance = std::make_unique<PluginInstance>(*planned.file, limits);
    member.probe = std::make_unique<PluginProbe>(*member.instance);
    member.endpoint = std::make_unique<PluginEndpoint>(*member.instance);
    if (CheckProviders(member)) LoadOne(member, table);
  }
  WatchForExit();
}

PluginSet::~PluginSet() {
  End();
  while (!members_.empty()) members_.pop_back();
}

const PluginSet::Member* PluginSet::FindMember(std::string_view id) const {
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [&](const Member& member) { return member.plan.id == id; });
  return found == members_.end() ? nullptr : &*found;
}

PluginInstance* PluginSet::Find(std::string_view id) const {
  const Member* member = FindMember(id);
  return member == nullptr ? nullptr : member->instance.get();
}

PluginEndpoint* PluginSet::Endpoint(std::string_view id) const {
  const Member* member = FindMember(id);
  return member == nullptr ? nullptr : member->endpoint.get();
}

bool PluginSet::CheckProviders(Member& member) {
  for (const Binding& binding : member.plan.bindings) {
    const PluginInstance* provider = Find(binding.provider);
    if (binding.optional || (provider != nullptr && IsUsable(*provider))) continue;
    const std::optional<Error> reason = provider == nullptr ? std::nullopt : provider->error();
    Error error =
        NeedsRefused(member.plan.id, binding, reason ? reason->code : "SH-0101", member.where);
    LogError(LogLevel::kError, error, {{"plugin", member.plan.id}});
    member.instance->Refuse(std::move(error));
    return false;
  }
  return true;
}

// One that was given up was named then.
void PluginSet::LogUnlessLost(const Member& member, LogLevel level, const Error& error) {
  if (!member.instance->lost()) LogError(level, error, {{"plugin", member.plan.id}});
}

void PluginSet::LoadOne(Member& member, const HostTableSettings& table) {
  Log(LogLevel::kDebug, "", "loading plugin", {{"plugin", member.plan.id}});
  try {
    member.instance->Load();
    member.table =
        std::make_unique<HostTable>(member.plan.id, table, member.instance->manifest().metrics,
                                    member.instance->manifest().operations);
    member.instance->Create(member.table->table());
    member.config = std::make_unique<ConfigView>(member.settings->config);
    member.instance->Configure(member.config->abi());
  } catch (const Failure& failure) {
    LogUnlessLost(member, LogLevel::kError, failure.error());
  }
}

void PluginSet::Refuse(const std::string& id, Error error) {
  LogError(LogLevel::kError, error, {{"plugin", id}});
  Find(id)->Refuse(std::move(error));
}

void PluginSet::Start(const Again& again) {
  for (Member& member : members_) {
    if (stopping_ && stopping_()) return;
    if (!IsUsable(*member.instance) || !CheckProviders(member)) continue;
    Log(LogLevel::kDebug, "", "starting plugin", {{"plugin", member.plan.id}});
    StartOne(member, again);
  }
}

void PluginSet::StartOne(Member& member, const Again& again) {
  for (;;) {
    try {
      member.instance->Start();
      return;
    } catch (const Failure& failure) {
      if (again && !member.instance->lost() && again(member.plan.id, failure.error()) &&
          !(stopping_ && stopping_())) {
        continue;
      }
      LogUnlessLost(member, LogLevel::kError, failure.error());
      return;
    }
  }
}

bool PluginSet::Activate(const std::string& only) {
  bool all = true;
  for (Member& member : members_) {
    if (!only.empty() && member.plan.id != only) continue;
    if (member.active || member.instance->state() != PluginState::kStarted) continue;
    if (stopping_ && stopping_()) return true;
    try {
      member.active = member.instance->Activate();
      if (member.active) continue;
      all = false;
      LogError(LogLevel::kWarn, *member.instance->error(), {{"plugin", member.plan.id}});
    } catch (const Failure& failure) {
      LogUnlessLost(member, LogLevel::kError, failure.error());
    }
  }
  return all;
}

PluginSet::Reloaded PluginSet::Reload(const PluginSettings& now) {
  const Member* member = FindMember(now.id);
  if (member == nullptr || !now.enabled || member->instance->lost()) return {};
  try {
    return {member->instance->Reload(now.config), false};
  } catch (const Failure& failure) {
    LogUnlessLost(*member, LogLevel::kError, failure.error());
    return {{}, true};
  }
}

void PluginSet::Deactivate() noexcept {
  for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
    try {
      member->instance->Deactivate();
    } catch (const Failure& failure) {
      LogUnlessLost(*member, LogLevel::kWarn, failure.error());
    }
  }
}

std::vector<Error> PluginSet::End() noexcept {
  Deactivate();
  std::vector<Error> lost;
  for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
    EndOne(*member);
    if (!member->instance->lost()) continue;
    if (const auto error = member->instance->error()) lost.push_back(*error);
  }
  return lost;
}

// All of one plugin before the next: what it uses ends after it.
void PluginSet::EndOne(Member& member) noexcept {
  constexpr Microseconds kLastAnswer = std::chrono::milliseconds(500);
  bool used = in_use_.count(member.plan.id) > 0;
  // No plugin is stopped below a request that it still handles.
  if (!member.endpoint->Close(member.instance->limits().end())) used = true;
  if (!used) {
    try {
      member.instance->Stop();
    } catch (const Failure& failure) {
      LogUnlessLost(member, LogLevel::kWarn, failure.error());
    }
    used = !member.probe->WaitUntilIdle(kLastAnswer);  // still in a status() that hangs
    if (!used) member.instance->Destroy();
  }
  if (!used && !member.instance->lost()) return;
  for (const Binding& binding : member.plan.bindings) in_use_.insert(binding.provider);
}

std::vector<FoundService> PluginSet::Resolve(std::string_view plugin, std::string_view service,
                                             std::string_view alias) {
  std::vector<FoundService> found;
  const auto member = std::find_if(members_.begin(), members_.end(),
                                   [&](const Member& each) { return each.plan.id == plugin; });
  if (member == members_.end()) return found;
  for (const Binding& binding : member->plan.bindings) {
    if (binding.service != service || binding.alias != alias) continue;
    const PluginInstance* provider = Find(binding.provider);
    if (provider == nullptr || provider->state() != PluginState::kStarted) continue;
    found.push_back(
        {Guarded(*member, binding, provider->Extension(binding.service)), binding.provider});
  }
  return found;
}

// A process that is not a running host provides a bus from which nothing can be consumed.
const void* PluginSet::Guarded(Member& member, const Binding& binding, const void* service) {
  if (consuming_ == Consuming::kAll || binding.service != SUMMA_BUS_V1) return service;
  const MutexLock lock(gates_mutex_);
  std::unique_ptr<BusGate>& gate = member.gates[service];
  if (gate == nullptr) {
    gate = std::make_unique<BusGate>(static_cast<const summa_bus_v1*>(service), binding.provider,
                                     member.plan.id, consuming_);
  }
  return gate->table();
}

std::vector<PluginReport> PluginSet::Report() const {
  std::vector<PluginReport> reports;
  for (const Member& member : members_) {
    const PluginInstance& instance = *member.instance;
    PluginReport report;
    report.id = member.plan.id;
    report.version = instance.manifest().version;
    report.state = ToText(instance.state());
    report.error = instance.error();
    reports.push_back(std::move(report));
  }
  for (const RefusedPlugin& refused : refused_) {
    PluginReport report;
    report.id = refused.id;
    if (refused.file != nullptr && refused.file->manifest) {
      report.version = refused.file->manifest->version;
    }
    report.state = ToText(PluginState::kRefused);
    report.error = refused.errors.front();
    reports.push_back(std::move(report));
  }
  return reports;
}

PluginSet::ProbeResult PluginSet::Probe(Microseconds timeout) const {
  for (const Member& member : members_) member.probe->Begin();
  const BootTime begin = SystemClock().BootNow();
  ProbeResult result{Report(), {}};
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Microseconds left = timeout - (SystemClock().BootNow() - begin);
    ProbeView view = members_[i].probe->Wait(std::max(left, Microseconds(0)));
    result.reports[i].details_json = std::move(view.status_json);
    result.reports[i].details_age = view.age;
    for (Finding& each : view.failing) {
      result.failing.push_back({members_[i].plan.id, std::move(each)});
    }
  }
  return result;
}

std::vector<Error> PluginSet::Errors() const {
  std::vector<Error> errors;
  for (const RefusedPlugin& refused : refused_) {
    errors.insert(errors.end(), refused.errors.begin(), refused.errors.end());
  }
  for (const Member& member : members_) {
    if (const auto error = member.instance->error()) errors.push_back(*error);
  }
  return errors;
}

CallLimits LimitsOf(const Settings& settings, std::function<bool()> stopping) {
  CallLimits limits;
  limits.start = settings.start_timeout;
  limits.stopping = std::move(stopping);
  limits.end = [time = settings.drain_timeout] { return time; };
  return limits;
}

Plan Restrict(const Plan& plan, const std::vector<std::string>& ids) {
  std::set<std::string> wanted(ids.begin(), ids.end());
  // Providers stand before those they serve, so one walk from the end finds them all.
  for (auto member = plan.order.rbegin(); member != plan.order.rend(); ++member) {
    if (wanted.count(member->id) == 0) continue;
    for (const Binding& binding : member->bindings) wanted.insert(binding.provider);
  }
  Plan restricted;
  restricted.locked = plan.locked;
  for (const PlannedPlugin& each : plan.order) {
    if (wanted.count(each.id) != 0) restricted.order.push_back(each);
  }
  for (const RefusedPlugin& each : plan.refused) {
    if (wanted.count(each.id) != 0) restricted.refused.push_back(each);
  }
  return restricted;
}

}  // namespace summa::host
