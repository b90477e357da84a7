#include "tests/faults/crash_points.hpp"
#include "tests/faults/scenario.hpp"
#include "tests/services/db.hpp"

namespace summa::test {

Scenario OutboxToRedis() {
  Scenario scenario;
  scenario.name = "outbox_to_redis";
  scenario.plugins = {"outbox", "bus-redis"};
  // Small batches: what waits at the start is a backlog of several pages.
  scenario.plugins_yaml = [](const World& world) {
    return "{ bus-redis: { url: \"" + world.redis_url + "\", key_prefix: " + world.key_prefix +
           ", command_timeout: 1s }, outbox: { use: { bus: bus-redis }, batch_size: 20, retry_cap: "
           "200ms } }";
  };
  scenario.schedules_yaml =
      "{ outbox-processor: { lease_ttl: 500ms, idle_poll: 20ms }, "
      "outbox-cleanup: { lease_ttl: 500ms, interval: 1s }, "
      "stream-trim: { lease_ttl: 500ms }, inbox-cleanup: { lease_ttl: 500ms } }";
  scenario.worker = "outbox-processor";
  scenario.guarded_tables = {"outbox", "summa_host.outbox_state"};
  scenario.progress = [](const World& world) {
    return Db(world.ledger_url).Count("SELECT count(*) FROM outbox WHERE status = 'processed'");
  };
  scenario.drained = [](const World& world) {
    return Db(world.ledger_url).Count("SELECT count(*) FROM outbox WHERE status = 'pending'") == 0;
  };
  const char* verb = "a verb of the command line, which runs in a process of its own";
  scenario.unreached = {{"redis.redrive", verb},
                        {"redis.redriven", verb},
                        {"outbox.redrive", verb},
                        {"outbox.discard", verb},
                        {"outbox.handed_over", "comes once after a time in mode observe"}};
  for (const std::string& point : CrashPointsInSources({"host/operation"})) {
    scenario.unreached[point] =
        "no plugin here has operations: faults_operation_test is killed there";
  }
  return scenario;
}

std::vector<Scenario> AllScenarios() { return {OutboxToRedis(), OutboxToConsumer()}; }

std::map<std::string, std::string> PluginEnvironment(const Scenario& scenario,
                                                     const std::string& build) {
  if (scenario.plugin_directory.empty()) return {};
  return {{"SUMMA_PLUGIN_PATH", build + "/" + scenario.plugin_directory}};
}

}  // namespace summa::test
