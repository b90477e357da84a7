#include "plugins/bus-redis/key_names.hpp"

#include <set>

namespace summa::bus_redis {
namespace {

constexpr const char* kStepKeys = "1000";  // looked at by one SCAN: well below a millisecond
constexpr int kMaximumSteps = 1000;

// A prefix with * or [ in it must match itself.
std::string EscapeGlob(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// Adds what stands between `start` and `end` in the keys of this server.
void AddTopics(Connection& connection, const std::string& start, std::string_view end,
               std::size_t limit, std::set<std::string>& topics) {
  const std::string pattern = EscapeGlob(start) + "*" + std::string(end);
  std::string cursor = "0";
  for (int step = 0; step < kMaximumSteps && topics.size() < limit; ++step) {
    const Reply reply = connection.Command({"SCAN", cursor, "MATCH", pattern, "COUNT", kStepKeys});
    if (!IsArray(*reply) || reply->elements != 2) break;
    const redisReply& keys = *reply->element[1];
    for (std::size_t i = 0; i < keys.elements; ++i) {
      const std::string_view key = Text(*keys.element[i]);
      topics.emplace(key.substr(start.size(), key.size() - start.size() - end.size()));
    }
    cursor = Text(*reply->element[0]);
    if (cursor == "0") break;
  }
}

std::vector<std::string> Topics(Servers& servers, const std::string& start, std::string_view end,
                                std::size_t limit) {
  std::set<std::string> topics;
  servers.ForEach(
      [&](Connection& connection) { AddTopics(connection, start, end, limit, topics); });
  return {topics.begin(), topics.end()};
}

}  // namespace

std::vector<std::string> StreamTopics(Servers& servers, const KeyNaming& names, std::size_t limit) {
  return Topics(servers, names.StreamStart(), names.End(), limit);
}

std::vector<std::string> DeadLetterTopics(Servers& servers, const KeyNaming& names,
                                          std::size_t limit) {
  return Topics(servers, names.DeadLetterStart(), names.End(), limit);
}

}  // namespace summa::bus_redis
