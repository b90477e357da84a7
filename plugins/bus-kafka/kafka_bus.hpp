// summa.bus/1 on Kafka: docs/decisions/0052. Connects when it is first used, so it can be made
// while Kafka is down.
//
// Thread-safe. Subscriptions must end before the bus does. Throws summa::Error as the parts do
// (client.hpp), and SUMMA_E_USAGE SH-0605 for names that the bus does not take.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <summa/bus.hpp>
#include <summa/mutex.hpp>
#include <thread>

#include "plugins/bus-kafka/client.hpp"
#include "plugins/bus-kafka/group_reader.hpp"
#include "plugins/bus-kafka/place.hpp"
#include "plugins/bus-kafka/record_writer.hpp"
#include "plugins/bus-kafka/topic_admin.hpp"
#include "plugins/bus-kafka/topic_reader.hpp"

namespace summa::bus_kafka {

// What happens on the bus, for metrics and log. Called in the thread that does it.
class BusEvents : public ReaderEvents {
 public:
  virtual void Published(std::span<const summa_bus_message> /*messages*/,
                         std::span<const summa_bus_receipt> /*receipts*/,
                         std::chrono::duration<double> /*took*/) {}
  // purpose: "publish", "read" or "ping"; empty error: it works.
  virtual void Used(std::string_view /*purpose*/, const std::string& /*error*/) {}
  // As StatisticsBook tells it. Also called while a subscription ends.
  virtual void Counted(std::string_view /*purpose*/, const ClientStatistics& /*statistics*/) {}
};

struct KafkaBusOptions {
  ClientOptions client;
  TopicOptions topics;
  WriterOptions writer;
  std::string topic_prefix, group_prefix;
  bool static_members = false;
  std::size_t max_prefetch_bytes = 16 << 20;
  std::chrono::milliseconds session_timeout{10'000};
  std::chrono::milliseconds commit_interval{1000};
};

class KafkaBus final : public Bus {
 public:
  // `events` is borrowed.
  KafkaBus(KafkaBusOptions options, BusEvents* events);
  ~KafkaBus() override;
  KafkaBus(const KafkaBus&) = delete;
  KafkaBus& operator=(const KafkaBus&) = delete;

  std::uint32_t Capabilities() const override { return 0; }
  std::uint64_t MaxMessageBytes() const override { return options_.writer.max_message_bytes; }
  void Publish(std::span<const summa_bus_message> messages,
               std::span<summa_bus_receipt> receipts) override;
  std::unique_ptr<Subscription> Subscribe(std::string_view stream, std::string_view group,
                                          std::string_view consumer,
                                          std::uint32_t flags = 0) override;
  void Ping() override;
  void Read(std::string_view stream, std::string_view after, std::size_t count,
            const OnDelivery& on_message) override;
  void Scan(const ScanOptions& options, const OnDelivery& on_message) override;
  summa_bus_horizon Horizon(std::string_view stream) override;
  void Streams(std::string_view stream, BusVisitor& visitor) override;
  void Groups(std::string_view stream, BusVisitor& visitor) override;
  void Seek(std::string_view stream, std::string_view group, std::string_view place) override;
  void CreateGroup(std::string_view stream, std::string_view group,
                   std::string_view place) override;
  void DeleteGroup(std::string_view stream, std::string_view group) override;

  // For connections to come.
  void RenewLogin(std::string user, std::string password) {
    options_.client.login->Replace(std::move(user), std::move(password));
  }

  // Ends the wait for confirmations, now and later, with SUMMA_E_CANCELLED, and the threads of
  // librdkafka that are not those of a subscription.
  void Stop();

  TopicAdmin& admin() { return admin_; }
  const Naming& names() const { return names_; }

 private:
  template <typename Use>
  void Observe(std::string_view purpose, Use&& use);
  void ServeIdleWriter();
  int RequireStream(std::string_view stream, const std::string& topic);
  // All; with a stream, its topic alone.
  std::map<std::string, TopicShape> TopicsOf(std::string_view stream);
  // Ends the wait only; any thread.
  void StopWriter() SUMMA_NO_THREAD_SAFETY_CHECK { writer_.Stop(); }
  bool ShowGroup(const std::string& id, const Naming::GroupName& name, int partitions,
                 BusVisitor& visitor);

  const KafkaBusOptions options_;
  BusEvents* const events_;
  const Naming names_;
  TopicAdmin admin_;
  TopicReader reader_;
  Mutex publish_mutex_;
  RecordWriter writer_ SUMMA_GUARDED_BY(publish_mutex_);
  bool ending_ SUMMA_GUARDED_BY(publish_mutex_) = false;
  ConditionVariable ends_;
  std::thread idle_;  // from the first batch on
};

}  // namespace summa::bus_kafka
