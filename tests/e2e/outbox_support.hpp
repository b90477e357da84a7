// What the tests of the whole path share: a ledger, a Redis, and the real program between them.
#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <set>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/shared_data.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {

using std::chrono::seconds;

struct Received {
  std::string stream, id, key, position, correlation_id, payload, timestamp, type;
};

class Outbox : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new PostgresServer(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override { name_ = "outbox_" + std::to_string(++databases_); }

  void UseFixture(ConstraintNames names = ConstraintNames::kDrizzle, int operations = 300) {
    url_ = InstallLedger(*server_, name_, names);
    TrafficGenerator traffic(url_, {.connections = 4, .accounts = 25, .rate = 0});
    traffic.Start();
    WaitUntil([&] { return traffic.Committed() >= operations; }, seconds(60), "operations");
    traffic.Stop();
  }
  // A database made by Summa itself; false when it is not there.
  bool UseSummasOwn() {
    const auto shared = ForSharedData();
    if (!shared) return false;
    url_ = server_->CreateDatabase(name_);
    server_->RunSqlFile(name_, *shared + "/summa-db/small.sql.gz", true);
    return true;
  }

  std::string Configuration(const std::string& outbox = "", const std::string& rest = "") const {
    return "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
           "host: { name: tested, listen: \"127.0.0.1:0\" }\nplugins:\n" +
           "  bus-redis: { url: \"" + redis_.Url() + "\" }\n" +
           "  outbox: { use: { bus: bus-redis }" + outbox + " }\n" + rest;
  }
  RunResult Once(const std::string& configuration) {
    const TemporaryFile file("summa.yaml", configuration);
    return SummaHost({"run", "--once", "-c", file.Path(), "--output", "json"});
  }

  std::vector<Received> ReadStreams() {
    RedisClient client(redis_.Url());
    std::vector<Received> all;
    for (const std::string& stream : client.Keys("summa:stream:*")) {
      for (const StreamMessage& message : client.StreamMessages(stream)) {
        const auto field = [&](const std::string& name) {
          const auto found = message.fields.find(name);
          return found == message.fields.end() ? std::string() : found->second;
        };
        all.push_back({stream, field("id"), field("key"), field("position"), field("correlationId"),
                       field("payload"), field("timestamp"), field("type")});
      }
    }
    return all;
  }
  std::set<std::string> Pending() {
    const auto ids =
        Db(url_).Column("SELECT id FROM outbox WHERE status = 'pending' AND processed_at IS NULL");
    return {ids.begin(), ids.end()};
  }
  // Judged on the first occurrence of each id.
  static void ExpectOrder(const std::vector<Received>& received) {
    std::map<std::pair<std::string, std::string>, long long> last;
    std::set<std::string> seen;
    for (const Received& message : received) {
      if (!seen.insert(message.id).second) continue;
      const long long position = std::stoll(message.position);
      auto& before = last.try_emplace({message.stream, message.key}, -1).first->second;
      EXPECT_GE(position, before) << message.stream << " " << message.key;
      before = position;
    }
  }
  static std::set<std::string> Ids(const std::vector<Received>& received) {
    std::set<std::string> ids;
    for (const Received& message : received) ids.insert(message.id);
    return ids;
  }
  void ExpectMarkedAsTheContractSays(const std::set<std::string>& ids) {
    Db db(url_);
    for (const Row& row :
         db.Query("SELECT id, status, processed_at IS NULL, last_error IS NULL FROM outbox")) {
      if (!ids.contains(row[0])) continue;
      EXPECT_EQ(row[1], "processed");
      EXPECT_EQ(row[2], "f");
      EXPECT_EQ(row[3], "t");
    }
  }

  static inline PostgresServer* server_ = nullptr;
  static inline int databases_ = 0;
  RedisServer redis_;
  std::string name_, url_;
};

}  // namespace summa::test
