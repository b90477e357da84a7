#include "tests/bus/backend.hpp"

#include <atomic>
#include <csignal>
#include <summa/testkit/memory_bus.hpp>

#include "plugins/bus-redis/redis_bus.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/redis_server.hpp"

namespace summa::bus_test {
namespace {

class MemoryBackend final : public Backend {
 public:
  explicit MemoryBackend(std::chrono::microseconds claim_after) { bus_.claim_after = claim_after; }
  Bus& bus() override { return bus_; }
  void RemoveOldest(const std::string& stream, std::size_t count) override {
    bus_.Remove([&](const testkit::StoredMessage& message) {
      return message.stream == stream && count > 0 && count-- > 0;
    });
  }
  void AddDeadLetter(const std::string& stream, const std::string& id,
                     const std::string& group) override {
    testkit::StoredDeadLetter letter;
    letter.message.stream = stream;
    letter.message.id = id;
    letter.source_id = "5-1";
    letter.group = group;
    letter.error = "no good";
    letter.deliveries = 3;
    bus_.AddDeadLetter(std::move(letter));
  }
  std::size_t Lost() override { return bus_.lost(); }
  void SetFull(bool full) override {
    bus_.decide = [full](const summa_bus_message&) {
      return full ? SUMMA_BUS_STREAM_FAULT : SUMMA_BUS_CONFIRMED;
    };
  }
  void BreakDeadLetters(const std::string&, bool broken) override {
    bus_.refuse_dead_letters = broken;
  }
  bool RestartServer() override { return false; }

 private:
  testkit::MemoryBus bus_;
};

class RedisBackend final : public Backend {
 public:
  explicit RedisBackend(std::chrono::microseconds claim_after)
      : server_({.append_only = true, .tcp = false, .max_memory = {}, .extra_arguments = {}}) {
    std::signal(SIGPIPE, SIG_IGN);  // as the host does
    bus_redis::RedisBusOptions options;
    options.url = bus_redis::ParseRedisUrl(server_.Url());
    options.writer.key_prefix = "summa";
    options.claim_after = claim_after;
    bus_ = std::make_unique<bus_redis::RedisBus>(std::move(options), &events_);
  }
  Bus& bus() override { return *bus_; }
  void RemoveOldest(const std::string& stream, std::size_t count) override {
    test::RedisClient client(server_.Url());
    const std::string key = "summa:stream:" + stream;
    const long long left = client.StreamLength(key) - static_cast<long long>(count);
    client.Command({"XTRIM", key, "MAXLEN", std::to_string(left)});
  }
  void AddDeadLetter(const std::string& stream, const std::string& id,
                     const std::string& group) override {
    test::RedisClient(server_.Url())
        .Command({"XADD", "summa:dlq:" + stream, "*", "id", id, "type", "t", "payload", "{}", "key",
                  "k", "error", "no good", "deliveries", "3", "group", group, "sourceId", "5-1"});
  }
  std::size_t Lost() override { return events_.lost; }
  void SetFull(bool full) override {
    test::RedisClient(server_.Url()).Command({"CONFIG", "SET", "maxmemory", full ? "1" : "0"});
  }
  void BreakDeadLetters(const std::string& stream, bool broken) override {
    test::RedisClient client(server_.Url());
    const std::string key = "summa:dlq:" + stream;
    client.Command({"DEL", key});
    if (broken) client.Command({"SET", key, "of another type"});
  }
  bool RestartServer() override {
    server_.Restart();
    return true;
  }

 private:
  class Events final : public bus_redis::BusEvents {
   public:
    void Polled(const bus_redis::GroupReaderOptions&,
                const bus_redis::PollSummary& summary) override {
      lost += summary.lost_ids.size();
    }
    std::atomic<std::size_t> lost{0};
  };

  test::RedisServer server_;
  Events events_;
  std::unique_ptr<bus_redis::RedisBus> bus_;
};

}  // namespace

const std::vector<BackendKind>& BackendKinds() {
  static const std::vector<BackendKind> kinds = {
      {"Memory", [](auto claim_after) { return std::make_unique<MemoryBackend>(claim_after); }},
      {"Redis", [](auto claim_after) { return std::make_unique<RedisBackend>(claim_after); }}};
  return kinds;
}

Messages& Messages::Add(const std::string& stream, const std::string& id, const std::string& key,
                        const std::string& payload) {
  summa_bus_message message{};
  message.stream = Keep(stream);
  message.id = Keep(id);
  message.type = Keep("type-of-" + stream);
  message.key = Keep(key);
  message.payload = Keep(payload);
  message.timestamp = Keep("2026-01-31T12:00:00.123456Z");
  message.position = SUMMA_BUS_NO_POSITION;
  messages_.push_back(message);
  return *this;
}

std::vector<int> Messages::Try(Bus& bus) {
  std::vector<summa_bus_receipt> receipts(messages_.size());
  bus.Publish(messages_, receipts);
  std::vector<int> outcomes;
  outcomes.reserve(receipts.size());
  for (const summa_bus_receipt& receipt : receipts) outcomes.push_back(receipt.outcome);
  return outcomes;
}

void Messages::Publish(Bus& bus) {
  std::vector<summa_bus_receipt> receipts(messages_.size());
  bus.Publish(messages_, receipts);
  for (const summa_bus_receipt& receipt : receipts) {
    ASSERT_EQ(receipt.outcome, SUMMA_BUS_CONFIRMED) << receipt.error;
  }
}

void BusContract::PublishNumbers(const std::string& stream, std::size_t from, std::size_t to) {
  Messages messages;
  for (const std::string& number : Numbers(from, to)) messages.Add(stream, number);
  messages.Publish(bus());
}

std::vector<std::string> Numbers(std::size_t from, std::size_t to) {
  std::vector<std::string> numbers;
  numbers.reserve(to - from);
  for (std::size_t i = from; i < to; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

}  // namespace summa::bus_test
