// summa.bus/1 on Redis streams. Connects when it is first used, so it can be made while Redis is
// down.
//
// Thread-safe; publishing, pinging, every read and every subscription have a connection of their
// own, so none of them waits for another. Subscriptions must end before the bus does. Throws
// summa::Error as the parts do (servers.hpp, group_reader.hpp, stream_reader.hpp), and
// SUMMA_E_USAGE SH-0605 for names that the bus does not take.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <summa/bus.hpp>
#include <summa/mutex.hpp>
#include <summa/stop_signal.hpp>
#include <vector>

#include "plugins/bus-redis/connection.hpp"
#include "plugins/bus-redis/dead_letters.hpp"
#include "plugins/bus-redis/group_reader.hpp"
#include "plugins/bus-redis/sentinels.hpp"
#include "plugins/bus-redis/servers.hpp"
#include "plugins/bus-redis/stream_admin.hpp"
#include "plugins/bus-redis/stream_reader.hpp"
#include "plugins/bus-redis/stream_writer.hpp"

namespace summa::bus_redis {

// What happens on the bus, for metrics and log. Called in the thread that does it, at once from
// several.
class BusEvents {
 public:
  virtual ~BusEvents() = default;
  // purpose: "publish", "ping", "read" or "subscribe"; address: of one server of a cluster, else of
  // the bus.
  virtual void ConnectionChanged(std::string_view /*purpose*/, const std::string& /*address*/,
                                 ConnectionEvent /*event*/, const std::string& /*reason*/) {}
  virtual void Published(std::span<const summa_bus_message> /*messages*/,
                         std::span<const summa_bus_receipt> /*receipts*/,
                         std::chrono::duration<double> /*took*/) {}
  virtual void DeadLettered(const GroupReaderOptions& /*reader*/) {}
  // what: "reading" or "settling"; empty error: it works.
  virtual void ReaderChanged(const GroupReaderOptions& /*reader*/, std::string_view /*what*/,
                             const std::string& /*error*/) {}
  virtual void Polled(const GroupReaderOptions& /*reader*/, const PollSummary& /*summary*/) {}
};

struct RedisBusOptions {
  RedisUrl url;
  TlsOptions tls;        // for rediss://
  Login sentinel_login;  // of the Sentinels themselves, where they have one
  std::string client_name;
  std::chrono::microseconds connect_timeout{2'000'000};
  std::chrono::microseconds command_timeout{5'000'000};
  std::chrono::microseconds block_time{1'000'000};
  std::chrono::microseconds claim_after{30'000'000};
  std::chrono::microseconds retention{std::chrono::hours(48)};  // what Trim() keeps
  StreamWriterOptions writer;  // key_prefix of the whole bus stands here
};

class RedisBus final : public Bus {
 public:
  // `events` is borrowed and must outlive the bus. Throws SUMMA_E_CONFIG SH-0625 for names that a
  // cluster cannot keep together.
  RedisBus(RedisBusOptions options, BusEvents* events);

  std::uint32_t Capabilities() const override {
    return SUMMA_BUS_CLAIMS | SUMMA_BUS_COUNTS | SUMMA_BUS_EXCLUSIVE_READERS |
           SUMMA_BUS_DEAD_LETTERS | SUMMA_BUS_TRIM;
  }
  std::uint64_t MaxMessageBytes() const override { return options_.writer.max_message_bytes; }
  void Publish(std::span<const summa_bus_message> messages,
               std::span<summa_bus_receipt> receipts) override;
  std::unique_ptr<Subscription> Subscribe(std::string_view stream, std::string_view group,
                                          std::string_view consumer,
                                          std::uint32_t flags = 0) override;
  std::chrono::microseconds ClaimAfter() const override { return options_.claim_after; }
  void Ping() override;
  void Read(std::string_view stream, std::string_view after, std::size_t count,
            const OnDelivery& on_message) override;
  void Scan(const ScanOptions& options, const OnDelivery& on_message) override;
  summa_bus_horizon Horizon(std::string_view stream) override;
  void Streams(std::string_view stream, BusVisitor& visitor) override;
  void Groups(std::string_view stream, BusVisitor& visitor) override;
  void Trim(std::string_view stream, bool dry_run, BusVisitor& visitor) override;
  void Seek(std::string_view stream, std::string_view group, std::string_view place) override;
  void CreateGroup(std::string_view stream, std::string_view group,
                   std::string_view place) override;
  void DeleteGroup(std::string_view stream, std::string_view group) override;
  void DeadLetters(std::string_view stream, std::string_view after,
                   const OnDeadLetter& on_letter) override;
  void Redrive(std::string_view stream, std::span<const summa_str> dead_letter_ids,
               std::uint64_t& done) override;
  void Discard(std::string_view stream, std::span<const summa_str> dead_letter_ids,
               std::uint64_t& done) override;

  // A reader with a connection of its own, for commands. It must end before the bus does.
  StreamReader MakeReader();
  StreamAdmin MakeAdmin();  // likewise
  // The same without any use of streams.
  Servers MakeServers(const std::string& purpose);
  // For every connection that is made from now on; those that are there stay.
  void RenewLogin(Login redis, Login sentinels);
  const KeyNaming& names() const { return names_; }
  // Ends every wait for Redis, now and later, with SUMMA_E_CANCELLED.
  void Stop() { stop_.Raise(); }

 private:
  bus_redis::DeadLetters MakeDeadLetters();
  ConnectionOptions LoginOptions(const std::string& purpose) const;  // without where to go
  ConnectionOptions MakeConnectionOptions(const std::string& purpose) const;

  const RedisBusOptions options_;
  const std::shared_ptr<RenewableLogin> login_, sentinel_login_;
  BusEvents* const events_;
  StopSignal stop_;

  const KeyNaming names_;
  const std::shared_ptr<ClusterMap> cluster_;   // of a cluster, else null
  const std::shared_ptr<Sentinels> sentinels_;  // likewise

  Mutex publish_mutex_;
  StreamWriter writer_ SUMMA_GUARDED_BY(publish_mutex_);

  Mutex ping_mutex_;
  Servers ping_servers_ SUMMA_GUARDED_BY(ping_mutex_);
};

}  // namespace summa::bus_redis
