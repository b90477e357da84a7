// A consumer with effects in the database, behind the outbox and a bus. Whatever is killed, each
// message has its effect once, in the order of its key, and what cannot be handled is a dead
// letter.
#include <algorithm>
#include <map>
#include <set>

#include "tests/faults/scenario.hpp"
#include "tests/services/db.hpp"

namespace summa::test {
namespace {

constexpr char kGood[] = "FROM outbox WHERE right(id::text, 1) <> '7'";
constexpr char kPoison[] = "FROM outbox WHERE right(id::text, 1) = '7'";

void MakeTable(const World& world) {
  Db(world.ledger_url)
      .Execute(
          "CREATE SCHEMA IF NOT EXISTS follower; CREATE TABLE IF NOT EXISTS follower.effect "
          "(number "
          "bigserial, message_id text NOT NULL, key text NOT NULL, position bigint, deliveries "
          "bigint NOT NULL)");
}

std::set<std::string> Set(std::vector<std::string> ids) {
  return {std::make_move_iterator(ids.begin()), std::make_move_iterator(ids.end())};
}

// Each round trims, too: a run that began after the first message was in a stream.
bool HasTrimmed(Db& db) {
  return db.Count(
             "SELECT count(*) FROM summa_host.worker_state WHERE worker_id = 'stream-trim' AND "
             "last_success_at > (SELECT min(processed_at) FROM outbox) + interval '0.5 s'") == 1;
}

bool Drained(const TestedBus& bus, const World& world) {
  Db db(world.ledger_url);
  return (!bus.trims || HasTrimmed(db)) &&
         db.Count("SELECT count(*) FROM outbox WHERE status = 'pending'") == 0 &&
         db.Count("SELECT count(DISTINCT message_id) FROM follower.effect") >=
             db.Count(std::string("SELECT count(*) ") + kGood) &&
         bus.dead_letters(world).size() >=
             static_cast<std::size_t>(db.Count(std::string("SELECT count(*) ") + kPoison));
}

std::vector<std::string> Check(const TestedBus& bus, const World& world) {
  Db db(world.ledger_url);
  std::vector<std::string> lines;
  for (const Row& row : db.Query("SELECT message_id, count(*) FROM follower.effect GROUP BY 1 "
                                 "HAVING count(*) > 1 LIMIT 10")) {
    lines.push_back("message " + row[0] + " had its effect " + row[1] + " times");
  }
  for (const std::string& id :
       db.Column(std::string("SELECT id::text ") + kGood +
                 " AND id::text NOT IN (SELECT message_id FROM follower.effect) LIMIT 10")) {
    lines.push_back("message " + id + " had no effect");
  }
  for (const Row& row : db.Query(
           "SELECT key, message_id FROM (SELECT *, max(position) OVER (PARTITION BY key ORDER BY "
           "number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM "
           "follower.effect) effects WHERE position < before LIMIT 10")) {
    lines.push_back("key " + row[0] + ": message " + row[1] + " came behind a later one");
  }
  const std::map<std::string, std::string> dead = bus.dead_letters(world);
  const std::set<std::string> poison = Set(db.Column(std::string("SELECT id::text ") + kPoison));
  for (const std::string& id : poison) {
    if (!dead.contains(id)) lines.push_back("poison " + id + " is no dead letter");
  }
  for (const auto& [id, error] : dead) {
    if (!poison.contains(id)) lines.push_back("message " + id + " was given up: " + error);
  }
  return lines;
}

}  // namespace

Scenario OutboxToConsumer(const TestedBus& bus) {
  Scenario scenario = OutboxTo(bus);
  scenario.name = bus.kafka ? "kafka_to_consumer" : "outbox_to_consumer";
  scenario.plugin_directory = "tests/faults/plugins";
  scenario.sources = {"sdk/src/consumer", "tests/faults/plugins/ledger-follower"};
  scenario.killed_at = {"consumer.", "follower.", bus.points};
  scenario.plugins_yaml = [bus](const World& world) {
    return "{ " + bus.plugin_yaml(world) + ", outbox: { use: { bus: " + bus.plugin +
           " }, batch_size: 20, retry_cap: 200ms, route: ledger }, ledger-follower: { use: { "
           "bus: " +
           bus.plugin + " } } }";
  };
  scenario.schedules_yaml =
      "{ outbox-processor: { lease_ttl: 500ms, idle_poll: 20ms }, outbox-cleanup: { lease_ttl: "
      "500ms }, " +
      std::string(bus.trims ? "stream-trim: { lease_ttl: 500ms, interval: 1s }, " : "") +
      "inbox-cleanup: { lease_ttl: 500ms, interval: 1s }, "
      "ledger-follower: { lease_ttl: 500ms, idle_poll: 20ms } }";
  scenario.more_traffic = MakeTable;
  scenario.progress = [bus](const World& world) {
    return Db(world.ledger_url).Count("SELECT count(*) FROM follower.effect") +
           bus.count_dead_letters(world);
  };
  scenario.drained = [bus](const World& world) { return Drained(bus, world); };
  scenario.check = [bus](const World& world) { return Check(bus, world); };
  scenario.unreached = {};
  return scenario;
}

}  // namespace summa::test
