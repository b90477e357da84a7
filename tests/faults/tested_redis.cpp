#include "tests/faults/scenario.hpp"
#include "tests/services/redis_client.hpp"

namespace summa::test {
namespace {

std::vector<DeliveredMessage> Messages(const World& world) {
  return ReadRedisStreams(world.redis_url, world.key_prefix);
}

std::map<std::string, std::string> DeadLetters(const World& world) {
  std::map<std::string, std::string> letters;
  RedisClient client(world.redis_url);
  for (const StreamMessage& letter : client.StreamMessages(world.key_prefix + ":dlq:ledger")) {
    const auto id = letter.fields.find("id");
    if (id == letter.fields.end()) continue;
    const auto error = letter.fields.find("error");
    letters[id->second] = error == letter.fields.end() ? "no error" : error->second;
  }
  return letters;
}

}  // namespace

TestedBus OnRedis() {
  const char* verb = "a verb of the command line, which runs in a process of its own";
  TestedBus bus;
  bus.name = "redis";
  bus.plugin = "bus-redis";
  bus.points = "redis.";
  bus.unreached = {{"redis.redrive", verb}, {"redis.redriven", verb}};
  bus.trims = true;
  bus.plugin_yaml = [](const World& world) {
    return "bus-redis: { url: \"" + world.redis_url + "\", key_prefix: " + world.key_prefix +
           ", command_timeout: 1s, claim_after: 5s }";
  };
  bus.messages = Messages;
  bus.dead_letters = DeadLetters;
  bus.count_dead_letters = [](const World& world) {
    return static_cast<long long>(DeadLetters(world).size());
  };
  return bus;
}

}  // namespace summa::test
