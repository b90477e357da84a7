// What a host does while it is killed: a configuration, traffic, and what must hold afterwards. A
// plugin joins the kill tests by a scenario of its own; see README.md.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace summa::test {

// The servers as one round of a scenario sees them: a database and a key prefix of its own.
struct World {
  std::string ledger_url, redis_url, key_prefix;
};

struct Scenario {
  std::string name;
  // Folders below plugins/ that the configuration loads: their crash points must be reached.
  std::vector<std::string> plugins;
  // The texts of `plugins:` and `schedules:` in the configuration, as YAML flow maps.
  std::function<std::string(const World&)> plugins_yaml;
  std::string schedules_yaml;
  // Under whose lease alone these tables are written; see WatchFences.
  std::string worker;
  std::vector<std::string> guarded_tables;
  // Besides the appender's operations, done once at the start of a round. May be empty.
  std::function<void(const World&)> more_traffic;
  // How many units of work hosts have done so far: a host that moves it works.
  std::function<long long(const World&)> progress;
  // Whether nothing waits any more.
  std::function<bool(const World&)> drained;
  // Besides the checker's promises; one line per violation. May be empty.
  std::function<std::vector<std::string>(const World&)> check;
  // Crash points that its recording does not come to, each with the reason.
  std::map<std::string, std::string> unreached;
};

// Outbox rows to Redis streams.
Scenario OutboxToRedis();

// All of them.
std::vector<Scenario> AllScenarios();

}  // namespace summa::test
