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

}  // namespace

std::vector<std::string> NamesOfKeys(Connection& connection, const std::string& start,
                                     std::size_t limit) {
  const std::string pattern = EscapeGlob(start) + "*";
  std::set<std::string> names;
  std::string cursor = "0";
  for (int step = 0; step < kMaximumSteps && names.size() < limit; ++step) {
    const Reply reply = connection.Command({"SCAN", cursor, "MATCH", pattern, "COUNT", kStepKeys});
    if (!IsArray(*reply) || reply->elements != 2) break;
    const redisReply& keys = *reply->element[1];
    for (std::size_t i = 0; i < keys.elements; ++i) {
      names.emplace(Text(*keys.element[i]).substr(start.size()));
    }
    cursor = Text(*reply->element[0]);
    if (cursor == "0") break;
  }
  return {names.begin(), names.end()};
}

}  // namespace summa::bus_redis
