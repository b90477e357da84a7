// Every field of /status, on a host that runs.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <cstdint>
#include <regex>
#include <string_view>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using simdjson::dom::element;

bool IsTime(const element& value) {
  static const std::regex form(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)");
  std::string_view text;
  return !value.get(text) && std::regex_match(std::string(text), form);
}

std::string Text(const element& value) {
  std::string_view text;
  return value.get(text) ? std::string() : std::string(text);
}

std::vector<std::string> Keys(const element& value) {
  std::vector<std::string> keys;
  for (const auto field : simdjson::dom::object(value)) keys.emplace_back(field.key);
  return keys;
}

TEST(Status, EveryFieldOfTheContractIsTrueOfARunningHost) {
  PostgresServer server;
  RedisServer redis;
  const std::string url = InstallLedger(server, "ledger");
  EnsureAccounts(url, 2);
  const TemporaryFile file(
      "summa.yaml", "database: { ledger: { url: \"" + url +
                        "\" }, migrate: auto }\nhost: { name: one, listen: \"127.0.0.1:0\" }\n"
                        "plugins:\n  bus-redis: { url: \"" +
                        redis.Url() + "\" }\n  outbox: { use: { bus: bus-redis } }\n");
  RunningHost host({"-c", file.Path()});
  host.StatusWhen("running");
  simdjson::dom::parser parser;
  element status, processor, cleanup;
  WaitUntil(
      [&] {
        const simdjson::padded_string json(HttpGet(host.Port(), "/status").body);
        if (parser.parse(json).get(status)) return false;
        for (const element worker : status["workers"].get_array()) {
          if (Text(worker["id"]) == "outbox-cleanup") cleanup = worker;
          if (Text(worker["id"]) == "outbox-processor") processor = worker;
        }
        return IsTime(processor["lastSuccessAt"]) && IsTime(cleanup["nextDueAt"]);
      },
      kTimeout, "a run of both workers");

  EXPECT_EQ(Keys(status), (std::vector<std::string>{"host", "version", "state", "plugins",
                                                    "workers", "operations"}));
  EXPECT_EQ(Text(status["host"]), "one");
  EXPECT_FALSE(Text(status["version"]).empty());
  EXPECT_EQ(Text(status["state"]), "running");
  std::size_t plugins = 0;
  for (const element plugin : status["plugins"].get_array()) {
    EXPECT_EQ(Text(plugin["state"]), "started");
    EXPECT_FALSE(Text(plugin["version"]).empty());
    EXPECT_TRUE(plugin["error"].is_null());
    ++plugins;
  }
  EXPECT_EQ(plugins, 2u);

  EXPECT_EQ(Keys(processor), (std::vector<std::string>{"id", "kind", "state", "holder", "fence",
                                                       "leaseUntil", "lastRunAt", "lastSuccessAt",
                                                       "nextDueAt", "paused", "lastError"}));
  EXPECT_EQ(Text(processor["id"]), "outbox-processor");
  EXPECT_EQ(Text(processor["kind"]), "continuous");
  EXPECT_EQ(Text(processor["state"]), "running");
  EXPECT_EQ(Text(processor["holder"]),
            Db(url).Value("SELECT lease_holder FROM worker_lease WHERE worker_id = "
                          "'outbox-processor'"));
  std::int64_t fence = 0;
  EXPECT_FALSE(processor["fence"].get(fence));
  EXPECT_EQ(fence, 1);
  EXPECT_TRUE(IsTime(processor["leaseUntil"]));
  EXPECT_TRUE(IsTime(processor["lastRunAt"]));
  EXPECT_TRUE(processor["nextDueAt"].is_null());
  bool paused = true;
  EXPECT_FALSE(processor["paused"].get(paused));
  EXPECT_FALSE(paused);
  EXPECT_TRUE(processor["lastError"].is_null());
  EXPECT_EQ(Text(cleanup["kind"]), "periodic");
  EXPECT_EQ(Text(cleanup["state"]), "waiting");
}

}  // namespace
}  // namespace summa::test
