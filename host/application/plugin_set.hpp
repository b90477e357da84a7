// The plugins of this process: loaded, created and configured in the order of the plan, started in
// the same order, stopped in the reverse one. A plugin that fails takes down only those that need
// it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "host/abi/host_table.hpp"
#include "host/application/settings.hpp"
#include "host/application/status.hpp"
#include "host/observe/finding.hpp"
#include "host/plugin/config_view.hpp"
#include "host/plugin/endpoint.hpp"
#include "host/plugin/graph.hpp"
#include "host/plugin/instance.hpp"
#include "host/plugin/probe.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

// [main] unless said otherwise.
class PluginSet {
 public:
  // Loads, creates and configures. Failures are logged and kept. `table`: what every plugin gets;
  // its resolver is set here. The configuration must outlive this.
  PluginSet(const Configuration& configuration, const Plan& plan, HostTableSettings table,
            const CallLimits& limits);
  ~PluginSet();  // End()
  PluginSet(const PluginSet&) = delete;
  PluginSet& operator=(const PluginSet&) = delete;

  // Before Start(): it stays as it is, and so do those that need it. Said in the log.
  void Refuse(const std::string& id, Error error);
  // As far as the host is not told to stop. again(id, error): whether a start() that failed is to
  // be tried again now; empty: it never is.
  using Again = std::function<bool(const std::string& id, const Error& error)>;
  void Start(const Again& again = {});
  // What started plugins do by themselves (summa.activity/1). False: some of it could not begin
  // yet; to be called again. only: of this one; empty: of all.
  bool Activate(const std::string& only = {});
  void Deactivate() noexcept;
  // Gives a plugin that is configured its part of a configuration that was read again.
  struct Reloaded {
    std::vector<std::string> taken;  // keys below the plugin's, in force from now on
    bool refused = false;            // it took nothing; said in the log why
  };
  Reloaded Reload(const PluginSettings& now);
  // Deactivates, stops and destroys in reverse order, but for plugins that one uses which does not
  // return. Why plugins were lost, also earlier: the process must then end without destructors.
  std::vector<Error> End() noexcept;

  // nullptr: not part of the plan. Any thread.
  PluginInstance* Find(std::string_view id) const;
  // The routes of a plugin; nullptr: not part of the plan. Any thread.
  PluginEndpoint* Endpoint(std::string_view id) const;
  // In start order; refused ones last, without what plugins say of themselves. Any thread.
  std::vector<PluginReport> Report() const;
  // Asks every plugin that has started, all at once, and waits at most `timeout` for their
  // answers.
  struct ProbeResult {
    std::vector<PluginReport> reports;
    std::vector<PluginFinding> failing;  // what they say does not work (summa.health/1)
  };
  ProbeResult Probe(Microseconds timeout) const;  // any thread
  // Why plugins do not run. Any thread.
  std::vector<Error> Errors() const;

 private:
  struct Member {
    PlannedPlugin plan;
    std::string where;  // its key in the configuration
    const PluginSettings* settings;
    // Destroyed in reverse order: the instance first, then what it was given.
    std::unique_ptr<ConfigView> config;
    std::unique_ptr<HostTable> table;
    std::map<const void*, std::unique_ptr<BusGate>> gates;  // by the bus behind
    bool active = false;
    std::unique_ptr<PluginInstance> instance;
    std::unique_ptr<PluginProbe> probe;
    std::unique_ptr<PluginEndpoint> endpoint;
  };

  const Member* FindMember(std::string_view id) const;
  // Refuses the plugin when one that it needs is not in order.
  bool CheckProviders(Member& member);
  void LoadOne(Member& member, const HostTableSettings& table);
  static void LogUnlessLost(const Member& member, LogLevel level, const Error& error);
  void StartOne(Member& member, const Again& again);
  void EndOne(Member& member) noexcept;
  std::vector<FoundService> Resolve(std::string_view plugin, std::string_view service,
                                    std::string_view alias);

  const void* Guarded(Member& member, const Binding& binding, const void* service);

  const Consuming consuming_;
  Mutex gates_mutex_;  // guards the gates of all members
  std::function<bool()> stopping_;
  std::set<std::string> in_use_;  // by plugins that were lost
  std::deque<Member> members_;    // in start order
  std::vector<RefusedPlugin> refused_;
};

// start_timeout and drain_timeout of the settings. `stopping` may be empty.
CallLimits LimitsOf(const Settings& settings, std::function<bool()> stopping);

// The part of the plan that `ids` need: they themselves and whoever serves them.
Plan Restrict(const Plan& plan, const std::vector<std::string>& ids);

}  // namespace summa::host
