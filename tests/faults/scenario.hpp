// What a host does while it is killed: a configuration, traffic, and what must hold afterwards. A
// plugin joins the kill tests by a scenario of its own; see README.md.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/e2e/summa_host.hpp"
#include "tests/faults/observation.hpp"

namespace summa::test {

// The servers as one round of a scenario sees them: a database and a key prefix of its own.
struct World {
  std::string ledger_url, redis_url, key_prefix;
  std::string kafka_brokers = {};  // of a scenario on Kafka
  bool kafka_is_mock = false;
};

// The bus of a scenario: how hosts use it, and how a test sees what it holds.
struct TestedBus {
  std::string name, plugin;
  // The beginning of the names of its crash points, and those that no scenario comes to.
  std::string points;
  std::map<std::string, std::string> unreached = {};
  bool trims = false;  // it has the worker stream-trim
  bool kafka = false;  // it needs World::kafka_brokers
  // Its part of `plugins:`.
  std::function<std::string(const World&)> plugin_yaml;
  // Of every stream, in its order.
  std::function<std::vector<DeliveredMessage>(const World&)> messages;
  // Of the stream `ledger`: ids, each with the error it was given up with.
  std::function<std::map<std::string, std::string>(const World&)> dead_letters;
  // How many there are, those that are there twice counted twice.
  std::function<long long(const World&)> count_dead_letters;
  // Removes what a round left. May be empty.
  std::function<void(const World&)> clean_up = {};
};
TestedBus OnRedis();
TestedBus OnKafka();
// Of programs that have the same sources for every bus.
TestedBus BusOfThisProgram();

struct Scenario {
  std::string name;
  TestedBus bus = OnRedis();
  // Folders below plugins/ that the configuration loads: their crash points must be reached.
  std::vector<std::string> plugins;
  // More folders with crash points, of the source tree.
  std::vector<std::string> sources;
  // Whose programs migrate the database, and run in a round that names no other build.
  std::string build = BinaryDir();
  // Where plugins of the tests are found, of the build. May be empty.
  std::string plugin_directory;
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
  // Beginnings of the names of crash points that it is killed at; empty: at all of them. Those that
  // another scenario comes to in the same way need not be repeated.
  std::vector<std::string> killed_at;
  // Crash points that no scenario comes to, each with the reason.
  std::map<std::string, std::string> unreached;
};

// For a host of a scenario, of this build.
std::map<std::string, std::string> PluginEnvironment(const Scenario& scenario,
                                                     const std::string& build);

// Outbox rows to a bus.
Scenario OutboxTo(const TestedBus& bus);
// The same, and a consumer with effects in the database.
Scenario OutboxToConsumer(const TestedBus& bus = OnRedis());

// All of them.
std::vector<Scenario> AllScenarios(const TestedBus& bus = OnRedis());

}  // namespace summa::test
