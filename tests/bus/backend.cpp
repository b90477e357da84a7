#include "tests/bus/backend.hpp"

#include <atomic>
#include <csignal>
#include <optional>
#include <summa/testkit/memory_bus.hpp>

#include "plugins/bus-redis/redis_bus.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/redis_cluster.hpp"
#include "tests/services/redis_server.hpp"

namespace summa::bus_test {
namespace {

class MemoryBackend final : public Backend {
 public:
  MemoryBackend(std::chrono::microseconds claim_after, std::uint32_t capabilities)
      : bus_(capabilities), table_(&bus_) {
    bus_.claim_after = claim_after;
  }
  Bus& bus() override { return bus_; }
  void RemoveOldest(const std::string& stream, std::size_t count) override {
    bus_.Remove([&](const testkit::StoredMessage& message) {
      return message.stream == stream && count > 0 && count-- > 0;
    });
  }
  void AddDeadLetter(const std::string& stream, const std::string& id,
                     const std::string& group) override {
    if (bus_.Capabilities() == testkit::MemoryBus::kCore) return WriteLetter(stream, id, group);
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
  // As a consumer does on a bus that keeps no dead letters.
  void WriteLetter(const std::string& stream, const std::string& id, const std::string& group) {
    summa_bus_message message{};
    message.stream = ToAbi(stream);
    message.id = ToAbi(id);
    message.position = SUMMA_BUS_NO_POSITION;
    DeadLetterStream(table_.table()).Add(message, "5-1", group, "no good", 3);
  }

  testkit::MemoryBus bus_;
  detail::BusTable table_;
};

class Events final : public bus_redis::BusEvents {
 public:
  void Polled(const bus_redis::GroupReaderOptions&,
              const bus_redis::PollSummary& summary) override {
    lost += summary.lost_ids.size();
  }
  std::atomic<std::size_t> lost{0};
};

// Redis, of whatever kind: what differs is how a command gets to its server.
class AnyRedisBackend : public Backend {
 public:
  Bus& bus() override { return *bus_; }
  void RemoveOldest(const std::string& stream, std::size_t count) override {
    const std::string key = names_->Stream(stream);
    const long long left = Command({"XLEN", key}).integer - static_cast<long long>(count);
    Command({"XTRIM", key, "MAXLEN", std::to_string(left)});
  }
  void AddDeadLetter(const std::string& stream, const std::string& id,
                     const std::string& group) override {
    Command({"XADD", names_->DeadLetter(stream), "*", "id", id, "type", "t", "payload", "{}", "key",
             "k", "error", "no good", "deliveries", "3", "group", group, "sourceId", "5-1"});
  }
  void BreakDeadLetters(const std::string& stream, bool broken) override {
    const std::string key = names_->DeadLetter(stream);
    Command({"DEL", key});
    if (broken) Command({"SET", key, "of another type"});
  }
  std::size_t Lost() override { return events_.lost; }

 protected:
  void Open(const std::string& url, std::chrono::microseconds claim_after, bool tagged) {
    std::signal(SIGPIPE, SIG_IGN);  // as the host does
    bus_redis::RedisBusOptions options;
    options.url = bus_redis::ParseRedisUrl(url);
    options.writer.key_prefix = "summa";
    options.writer.tagged_keys = tagged;
    options.claim_after = claim_after;
    names_.emplace("summa", tagged);
    bus_ = std::make_unique<bus_redis::RedisBus>(std::move(options), &events_);
  }
  void Close() { bus_.reset(); }
  virtual test::RedisReply Command(const std::vector<std::string>& words) = 0;

 private:
  Events events_;
  std::optional<bus_redis::KeyNaming> names_;
  std::unique_ptr<bus_redis::RedisBus> bus_;
};

class RedisBackend final : public AnyRedisBackend {
 public:
  explicit RedisBackend(std::chrono::microseconds claim_after)
      : server_({.append_only = true, .tcp = false, .max_memory = {}, .extra_arguments = {}}) {
    Open(server_.Url(), claim_after, false);
  }
  void SetFull(bool full) override { Command({"CONFIG", "SET", "maxmemory", full ? "1" : "0"}); }
  bool RestartServer() override {
    server_.Restart();
    return true;
  }

 private:
  test::RedisReply Command(const std::vector<std::string>& words) override {
    return test::RedisClient(server_.Url()).Command(words);
  }
  test::RedisServer server_;
};

// Three masters, made once: a cluster takes seconds until it serves.
class RedisClusterBackend final : public AnyRedisBackend {
 public:
  explicit RedisClusterBackend(std::chrono::microseconds claim_after) {
    cluster().OnMasters({"FLUSHALL"});
    Open(cluster().Url(), claim_after, true);
  }
  ~RedisClusterBackend() override {
    Close();
    SetFull(false);
  }
  RedisClusterBackend(const RedisClusterBackend&) = delete;
  RedisClusterBackend& operator=(const RedisClusterBackend&) = delete;
  void SetFull(bool full) override {
    cluster().OnMasters({"CONFIG", "SET", "maxmemory", full ? "1" : "0"});
  }
  bool RestartServer() override {
    cluster().Restart();
    return true;
  }

 private:
  static test::RedisCluster& cluster() {
    static test::RedisCluster cluster;
    return cluster;
  }
  test::RedisReply Command(const std::vector<std::string>& words) override {
    return cluster().Command(words);
  }
};

}  // namespace

const std::vector<BackendKind>& BackendKinds() {
  static const std::vector<BackendKind> kinds = {
      {"Memory",
       [](auto claim_after) {
         return std::make_unique<MemoryBackend>(claim_after, testkit::MemoryBus::kAll);
       }},
      {"MemoryCore",
       [](auto claim_after) {
         return std::make_unique<MemoryBackend>(claim_after, testkit::MemoryBus::kCore);
       }},
      {"Redis", [](auto claim_after) { return std::make_unique<RedisBackend>(claim_after); }},
      {"RedisCluster",
       [](auto claim_after) { return std::make_unique<RedisClusterBackend>(claim_after); }}};
  return kinds;
}

}  // namespace summa::bus_test
