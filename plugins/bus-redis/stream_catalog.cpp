#include "plugins/bus-redis/stream_catalog.hpp"

#include <set>
#include <summa/error.hpp>

#include "plugins/bus-redis/message_fields.hpp"
#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

// Keys examined by one SCAN: well below a millisecond of a server that does nothing else then.
constexpr std::int64_t kStepKeys = 1000;

// A prefix with * or [ in it must match itself.
std::string EscapeGlob(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// The keys of one step, and where the next one begins.
struct Step {
  Reply reply;
  std::string_view cursor() const { return Text(*reply->element[0]); }
  std::size_t size() const { return reply->element[1]->elements; }
  std::string_view key(std::size_t i) const { return Text(*reply->element[1]->element[i]); }
};

Step NextStep(Connection& connection, const std::string& cursor, const std::string& pattern) {
  Step step{
      connection.Command({"SCAN", cursor, "MATCH", pattern, "COUNT", std::to_string(kStepKeys)})};
  const redisReply& reply = *step.reply;
  if (IsError(reply)) ThrowRefused({"SCAN"}, "the keys", Text(reply));
  if (IsArray(reply) && reply.elements == 2 && IsArray(*reply.element[1])) return step;
  throw Error(SUMMA_E_CONFIG, "SH-0615", "the answer to SCAN is not a list of keys",
              "connect to Redis itself, not to a proxy");
}

}  // namespace

Catalog StreamCatalog::Streams(const OnStep& on_step) {
  return Scan(names_.StreamStart(), on_step);
}

Catalog StreamCatalog::DeadLetters(const OnStep& on_step) {
  return Scan(names_.DeadLetterStart(), on_step);
}

Catalog StreamCatalog::Scan(const std::string& start, const OnStep& on_step) {
  const std::string_view end = names_.End();
  const std::string pattern = EscapeGlob(start) + "*" + std::string(end);
  std::set<std::string> names, foreign;  // SCAN may give a key twice
  std::int64_t keys = 0;
  servers_.ForEach([&](Connection& connection) {
    std::string cursor = "0";
    do {
      const Step step = NextStep(connection, cursor, pattern);
      for (std::size_t i = 0; i < step.size(); ++i) {
        const std::string_view key = step.key(i);
        const std::string_view name =
            key.substr(start.size(), key.size() - start.size() - end.size());
        if (IsStreamName(name)) {
          names.emplace(name);
        } else {
          foreign.emplace(key);
        }
      }
      cursor = step.cursor();
      keys += kStepKeys;
      if (!on_step(keys)) {
        throw Error(SUMMA_E_CANCELLED, "SH-0904", "told to stop before all keys were examined");
      }
    } while (cursor != "0");
  });
  return {{names.begin(), names.end()}, {foreign.begin(), foreign.end()}};
}

}  // namespace summa::bus_redis
