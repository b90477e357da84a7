// One round of a scenario: a fresh ledger with traffic, hosts that come and go, then the proof.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/faults/appender.hpp"
#include "tests/faults/crash_points.hpp"
#include "tests/faults/scenario.hpp"
#include "tests/services/any_kafka.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/process.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/server_directory.hpp"

namespace summa::test {

// The lease time that scenarios should configure: the shortest that is allowed.
inline constexpr std::chrono::milliseconds kFaultLeaseTtl{500};
// A host that nothing disturbs any more has moved nothing for so long: it does not recover. How
// long all of the work takes says more of the machine, and of the traffic that came meanwhile.
inline constexpr std::chrono::milliseconds kStandstillLimit{180'000};

// Shared by the rounds of a program. Main thread only.
struct FaultServers {
  FaultServers(PostgresOptions postgres_options, RedisOptions redis_options);
  // A migrated ledger with accounts, undelivered rows and watched fences, to copy rounds from.
  const std::string& Template(const Scenario& scenario);

  PostgresServer postgres;
  RedisServer redis;
  // Started with the first scenario that is on it.
  AnyKafka& kafka();
  std::map<std::string, std::string> templates;  // by scenario

 private:
  friend class Round;
  // A world of this name.
  World MakeWorld(const Scenario& scenario, std::string ledger_url, std::string name);

  std::unique_ptr<AnyKafka> kafka_;
};

// How the host of a round reaches the servers; the default is directly.
struct Route {
  std::string ledger_url, redis_url;
};

// A host that runs; killed with the object.
class FaultHost {
 public:
  // `program`: summa-host of some build.
  FaultHost(const std::string& program, const std::string& configuration, const std::string& name,
            std::map<std::string, std::string> environment,
            const std::vector<std::string>& options = {});
  ~FaultHost();
  Process& process() { return *process_; }
  // Returns, too, when it has ended.
  void WaitUntilItRuns();
  const std::string& name() const { return name_; }
  std::string Log() const;

 private:
  ServerDirectory directory_;
  std::string name_;
  std::unique_ptr<Process> process_;
};

class Round {
 public:
  Round(FaultServers& servers, const Scenario& scenario);
  ~Round();
  Round(const Round&) = delete;
  Round& operator=(const Round&) = delete;

  const World& world() const { return world_; }
  const std::string& database() const { return database_; }
  Appender& appender() { return *appender_; }
  FaultHost& host() { return *hosts_.back(); }  // the latest
  // Hosts and verbs that are started from now on are of this build.
  void UseBuild(const std::string& build) { build_ = build; }
  void RouteHostsBy(Route route) { route_ = std::move(route); }

  // Everybody, traffic and checks too, finds the ledger there. Before StartTraffic.
  void LedgerIsAt(const std::string& url);

  // Each host of a round has a name of its own. Traffic goes on meanwhile, and the hosts before it
  // are killed. Options of the verb `run`.
  FaultHost& StartHost(std::map<std::string, std::string> environment = {},
                       const std::vector<std::string>& options = {});
  // The same, beside the hosts that are there.
  FaultHost& AddHost(std::map<std::string, std::string> environment = {},
                     const std::vector<std::string>& options = {});
  // Tells it to stop. Lines when it did not end well.
  static std::vector<std::string> StopHost(FaultHost& host);
  // Runs a verb with the configuration of the hosts, to its end. The result is JSON.
  RunResult RunVerb(std::vector<std::string> words,
                    std::map<std::string, std::string> environment = {}) const;
  void StartTraffic();
  // Waits until the hosts have moved the scenario's progress. Throws when they do not, or all have
  // ended.
  void WaitForProgress(long long units = 1);
  // Waits until it has caught up and goes on: all retries and pauses of the last fault are over.
  void WaitUntilSettled();

  // Runs a host until it is killed there. A line when it ended otherwise.
  std::vector<std::string> KillAt(const CrashAt& at);
  // Ends traffic, lets the running hosts (or a new one) finish, stops them, and checks everything.
  std::vector<std::string> Finish();

 private:
  std::string Configuration(const std::string& host_name) const;
  std::unique_ptr<FaultHost> MakeHost(std::map<std::string, std::string> environment,
                                      const std::vector<std::string>& options);
  bool AnyHostRuns() const;
  std::string Logs() const;
  // False: all hosts have ended, or they move nothing.
  bool Progresses(long long units = 1);
  // Waits until nothing waits any more. False: something does, and nothing moves.
  bool Drains() const;

  FaultServers& servers_;
  const Scenario& scenario_;
  std::string database_;
  World world_;
  Route route_;
  std::unique_ptr<Appender> appender_;
  std::string build_;
  std::vector<std::unique_ptr<FaultHost>> hosts_;
  int started_ = 0;
};

// Kill after kill with a restart each, then the proof.
std::vector<std::string> RunKills(FaultServers& servers, const Scenario& scenario,
                                  const std::vector<CrashAt>& kills);

// An undisturbed run that notes every crash point. Throws when it does not end well.
Recording RecordRun(FaultServers& servers, const Scenario& scenario);

}  // namespace summa::test
