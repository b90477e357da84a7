// What the tests of bus-redis share: a private Redis, batches that own their texts, and looks at
// streams.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <summa/error.hpp>
#include <utility>
#include <vector>

#include "plugins/bus-redis/redis_bus.hpp"
#include "plugins/bus-redis/rights.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::bus_redis {

// Messages and receipts of one publish; owns the texts.
class Batch {
 public:
  summa_bus_message& Add(const std::string& stream, const std::string& id,
                         const std::string& payload = R"({"amount":1})") {
    summa_bus_message message{};
    message.stream = Keep(stream);
    message.id = Keep(id);
    message.type = Keep("type-of-" + stream);
    message.key = Keep("key-of-" + id);
    message.payload = Keep(payload);
    message.timestamp = Keep("2026-01-31T12:00:00.123456Z");
    message.position = SUMMA_BUS_NO_POSITION;
    messages.push_back(message);
    return messages.back();
  }
  summa_str Keep(std::string text) { return ToAbi(texts_.emplace_back(std::move(text))); }

  // The error of the bus when it was away, else nothing.
  std::optional<Error> Publish(Bus& bus) {
    receipts.assign(messages.size(), {-1, {}});
    try {
      bus.Publish(messages, receipts);
    } catch (const Error& error) {
      return error;
    }
    return std::nullopt;
  }
  std::vector<int> Outcomes() const {
    std::vector<int> outcomes;
    for (const auto& receipt : receipts) outcomes.push_back(receipt.outcome);
    return outcomes;
  }
  std::size_t Count(int outcome) const {
    const auto outcomes = Outcomes();
    return static_cast<std::size_t>(std::count(outcomes.begin(), outcomes.end(), outcome));
  }
  // Keeps what has to be sent again, in its order, as an outbox does.
  void KeepUnconfirmed() {
    std::vector<summa_bus_message> rest;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (receipts[i].outcome != SUMMA_BUS_CONFIRMED) rest.push_back(messages[i]);
    }
    messages = std::move(rest);
  }

  std::vector<summa_bus_message> messages;
  std::vector<summa_bus_receipt> receipts;

 private:
  std::deque<std::string> texts_;
};

class BusRedis : public ::testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // as the host does
    // The plugin logs in with exactly the rights that it says it needs.
    test::RedisOptions server;
    server.extra_arguments = {"--enable-debug-command",    "local", "--user", kUser, "on",
                              ">" + std::string(kPassword)};
    std::istringstream rules(AclRules("summa"));
    for (std::string rule; rules >> rule;) server.extra_arguments.push_back(rule);
    server_ = std::make_unique<test::RedisServer>(std::move(server));
    redis_ = std::make_unique<test::RedisClient>(server_->Url());
  }

  static constexpr const char* kUser = "summa-host";
  static constexpr const char* kPassword = "with-exact-rights";

  RedisBusOptions Options() const {
    RedisBusOptions options;
    options.url = ParseRedisUrl(server_->Url());
    options.url.user = kUser;
    options.url.password = kPassword;
    options.client_name = "test";
    options.writer.key_prefix = "summa";
    return options;
  }
  std::unique_ptr<RedisBus> MakeBus() { return MakeBus(Options()); }
  std::unique_ptr<RedisBus> MakeBus(RedisBusOptions options) {
    return std::make_unique<RedisBus>(std::move(options), &events_);
  }

  // Ids in the stream, each at its first occurrence.
  std::vector<std::string> Ids(const std::string& stream) {
    std::vector<std::string> ids;
    std::set<std::string> seen;
    for (const auto& message : redis_->StreamMessages("summa:stream:" + stream)) {
      const std::string& id = message.fields.at("id");
      if (seen.insert(id).second) ids.push_back(id);
    }
    return ids;
  }

  std::unique_ptr<test::RedisServer> server_;
  std::unique_ptr<test::RedisClient> redis_;
  BusEvents events_;
};

inline std::vector<std::string> Numbers(std::size_t count) {
  std::vector<std::string> numbers;
  for (std::size_t i = 0; i < count; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

// Publishes what is left again and again, as an outbox does.
inline void PublishUntilConfirmed(Batch& batch, Bus& bus, std::size_t* failures = nullptr) {
  const bool done = test::BecomesTrue([&] {
    if (batch.Publish(bus) && failures != nullptr) ++*failures;
    batch.KeepUnconfirmed();
    return batch.messages.empty();
  });
  EXPECT_TRUE(done) << batch.messages.size() << " messages were not confirmed";
}

// The error that `action` ends with; a test failure when it ends without.
template <typename Action>
Error ErrorOf(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return Error(SUMMA_OK, "", "");
}

}  // namespace summa::bus_redis
