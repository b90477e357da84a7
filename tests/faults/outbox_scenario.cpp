#include "tests/faults/crash_points.hpp"
#include "tests/faults/scenario.hpp"
#include "tests/services/db.hpp"

namespace summa::test {

Scenario OutboxTo(const TestedBus& bus) {
  Scenario scenario;
  scenario.name = "outbox_to_" + bus.name;
  scenario.bus = bus;
  scenario.plugins = {"outbox", bus.plugin};
  // The host does on every bus what it does on Redis.
  if (bus.kafka) scenario.killed_at = {"outbox.", bus.points};
  // Small batches: what waits at the start is a backlog of several pages.
  scenario.plugins_yaml = [bus](const World& world) {
    return "{ " + bus.plugin_yaml(world) + ", outbox: { use: { bus: " + bus.plugin +
           " }, batch_size: 20, retry_cap: 200ms } }";
  };
  scenario.schedules_yaml =
      "{ outbox-processor: { lease_ttl: 500ms, idle_poll: 20ms }, "
      "outbox-cleanup: { lease_ttl: 500ms, interval: 1s }, " +
      std::string(bus.trims ? "stream-trim: { lease_ttl: 500ms }, " : "") +
      "inbox-cleanup: { lease_ttl: 500ms } }";
  scenario.worker = "outbox-processor";
  scenario.guarded_tables = {"outbox", "summa_host.outbox_state"};
  scenario.progress = [](const World& world) {
    return Db(world.ledger_url).Count("SELECT count(*) FROM outbox WHERE status = 'processed'");
  };
  scenario.drained = [](const World& world) {
    return Db(world.ledger_url).Count("SELECT count(*) FROM outbox WHERE status = 'pending'") == 0;
  };
  const char* verb = "a verb of the command line, which runs in a process of its own";
  scenario.unreached = bus.unreached;
  scenario.unreached.insert({{"outbox.redrive", verb},
                             {"outbox.discard", verb},
                             {"outbox.handed_over", "comes once after a time in mode observe"}});
  for (const std::string& point : CrashPointsInSources({"host/operation"})) {
    scenario.unreached[point] =
        "no plugin here has operations: faults_operation_test is killed there";
  }
  return scenario;
}

std::vector<Scenario> AllScenarios(const TestedBus& bus) {
  return {OutboxTo(bus), OutboxToConsumer(bus)};
}

std::map<std::string, std::string> PluginEnvironment(const Scenario& scenario,
                                                     const std::string& build) {
  if (scenario.plugin_directory.empty()) return {};
  return {{"SUMMA_PLUGIN_PATH", build + "/" + scenario.plugin_directory}};
}

}  // namespace summa::test
