// One client of librdkafka: its settings, its end, and what it last said of the servers.
//
// The only place, with the rooms beside it, that knows librdkafka. Errors become summa::Error here:
// the codes are those of plugin.yaml.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <summa/error.hpp>
#include <summa/mutex.hpp>
#include <utility>
#include <vector>

#include "plugins/bus-kafka/login.hpp"
#include "plugins/bus-kafka/statistics.hpp"

namespace summa::bus_kafka {

using Setting = std::pair<std::string, std::string>;
using Settings = std::vector<Setting>;

// How every client of the plugin reaches the servers.
struct ClientOptions {
  std::string brokers = "127.0.0.1:9092";  // host:port,host:port
  std::string client_id = "summa-host";
  Settings security;  // of librdkafka: security.protocol, ssl.*, sasl.mechanisms
  // Of all clients of a bus. nullptr: without a login, or statistics.
  std::shared_ptr<Login> login;
  std::shared_ptr<StatisticsBook> statistics;
  Settings options;  // what the operator passes on; RefuseForbidden() has seen them
  std::chrono::milliseconds request_timeout{5000};
};

// Throws SUMMA_E_CONFIG SH-0646 for a setting of librdkafka that would break a promise of the bus,
// or that librdkafka does not know.
void RefuseForbidden(const Settings& options);

template <auto kDestroy>
struct Destroy {
  template <typename T>
  void operator()(T* object) const {
    kDestroy(object);
  }
};
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                      Destroy<rd_kafka_topic_partition_list_destroy>>;
using KafkaError = std::unique_ptr<rd_kafka_error_t, Destroy<rd_kafka_error_destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Destroy<rd_kafka_queue_destroy>>;
using Event = std::unique_ptr<rd_kafka_event_t, Destroy<rd_kafka_event_destroy>>;
using Topic = std::unique_ptr<rd_kafka_topic_t, Destroy<rd_kafka_topic_destroy>>;
using Message = std::unique_ptr<rd_kafka_message_t, Destroy<rd_kafka_message_destroy>>;

PartitionList MakePartitionList(std::size_t size = 8);

// What a client does besides sending and receiving; called in the thread that polls it.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  virtual void Delivered(const rd_kafka_message_t& /*message*/) {}
  virtual void Rebalance(rd_kafka_resp_err_t /*kind*/,
                         rd_kafka_topic_partition_list_t* /*partitions*/) {}
  // Of the connection or the login.
  virtual void Failed(rd_kafka_resp_err_t /*error*/) {}
};

// Thread-safe, as far as the object of librdkafka is.
class Client {
 public:
  // `settings` win over `options`. `events` is borrowed and must outlive the client.
  Client(const ClientOptions& options, rd_kafka_type_t type, const Settings& settings,
         ClientEvents* events = nullptr);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  rd_kafka_t* get() const { return client_; }
  // A thread of librdkafka that waits looks now whether it has something to do.
  void WakeBrokers() const {
    if (login_) login_->WakeBrokers(client_);
  }
  // It ends without a word to its group: that was said, or takes too long.
  void DoNotClose() { destroy_flags_ = RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE; }
  // The latest failure of a connection or login; empty: none since the last Succeeded().
  std::string Failure() const;
  void Succeeded();
  // What this error means, with the latest failure where that says more.
  Error Meaning(rd_kafka_resp_err_t error, const std::string& what) const;
  [[noreturn]] void Throw(rd_kafka_resp_err_t error, const std::string& what) const;
  void Check(rd_kafka_resp_err_t error, const std::string& what) const;

 private:
  static void OnError(rd_kafka_t*, int error, const char* reason, void* self);
  static void OnLog(const rd_kafka_t*, int level, const char* facility, const char* text);
  static int OnCertificate(rd_kafka_t*, const char* broker, std::int32_t id, int* problem,
                           int depth, const char* certificate, std::size_t size, char* text,
                           std::size_t text_size, void* self);
  static int OnStatistics(rd_kafka_t*, char* json, std::size_t size, void* self);
  void Note(rd_kafka_resp_err_t error, const char* reason);

  ClientEvents* const events_;
  const std::shared_ptr<Login> login_;
  const std::shared_ptr<StatisticsBook> statistics_;
  const std::string_view purpose_;
  mutable Mutex mutex_;
  rd_kafka_resp_err_t failure_ SUMMA_GUARDED_BY(mutex_) = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string reason_ SUMMA_GUARDED_BY(mutex_);
  std::string certificate_ SUMMA_GUARDED_BY(mutex_);  // what is wrong with that of a broker
  int destroy_flags_ = 0;
  rd_kafka_t* client_ = nullptr;  // last: its threads use the above
};

// What an error of librdkafka or of a broker means for a caller: the Error to throw.
Error ErrorFor(rd_kafka_resp_err_t error, const std::string& text);

}  // namespace summa::bus_kafka
