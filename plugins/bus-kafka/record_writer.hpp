// Publishes batches in order and without a hole.
//
// The producer is idempotent and never goes on behind a message that it gave up. After any failure
// it is discarded with everything that it still has; the next batch begins with a new one. So what
// is not confirmed is UNSENT, and sending it again keeps the order of its key.
// Not thread-safe. Throws SUMMA_E_UNAVAILABLE (client.hpp) after all receipts are filled.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "plugins/bus-kafka/client.hpp"
#include "plugins/bus-kafka/place.hpp"
#include "plugins/bus-kafka/record.hpp"
#include "plugins/bus-kafka/topic_admin.hpp"

namespace summa::bus_kafka {

struct WriterOptions {
  std::size_t max_message_bytes = 960 << 10;
  std::size_t max_buffer_bytes = 32 << 20;
  std::chrono::milliseconds publish_timeout{30'000};
  std::string compression = "lz4";
};

class RecordWriter final : private ClientEvents {
 public:
  // `admin` and `names` are borrowed.
  RecordWriter(ClientOptions client, WriterOptions options, const Naming& names, TopicAdmin& admin);
  ~RecordWriter() override;
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

  void Publish(std::span<const summa_bus_message> messages, std::span<summa_bus_receipt> receipts);

  // Between two batches: takes what the producer has to tell.
  void Serve();

  // [any thread] Ends the wait of Publish(), now and later, with SUMMA_E_CANCELLED.
  void Stop() { stop_ = true; }
  // After Stop(), between two batches: no thread of the producer is left. What it still had is lost,
  // and was never confirmed.
  void Close() { Discard(); }

  // The clock of the servers minus that of this host, as the latest confirmations show it; any
  // thread.
  std::int64_t AheadMilliseconds() const { return ahead_milliseconds_; }

 private:
  struct TopicState {
    Topic handle;
    int partitions = 0;
    bool ordered = true;
  };
  // What became of one message that was given to the producer.
  struct Outcome {
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__IN_PROGRESS;
    bool given = false;
  };
  struct Fault {
    summa_bus_outcome outcome;
    std::string text;
  };

  void Delivered(const rd_kafka_message_t& message) override;
  void Open();
  void Discard();
  TopicState& StateOf(const std::string& topic);
  bool Prepare(const summa_bus_message& message, summa_bus_receipt& receipt);
  void Send(std::span<const summa_bus_message> messages, std::span<summa_bus_receipt> receipts);
  void SendOneByOne(std::span<const summa_bus_message> messages,
                    std::span<summa_bus_receipt> receipts);
  rd_kafka_resp_err_t Produce(const summa_bus_message& message, TopicState& topic,
                              Outcome& outcome);
  bool OutOfTime() const { return stop_ || std::chrono::steady_clock::now() >= deadline_; }
  void Finish();
  bool Judge(std::span<const summa_bus_message> messages, std::span<summa_bus_receipt> receipts);
  void FaultStreams(std::span<const summa_bus_message> messages,
                    std::span<summa_bus_receipt> receipts);
  Fault FaultOf(rd_kafka_resp_err_t error, const summa_bus_message& message) const;

  const ClientOptions client_options_;
  const WriterOptions options_;
  const Naming& names_;
  TopicAdmin& admin_;
  RecordEncoder encoder_;
  std::string value_;  // of the message that is being sent
  std::chrono::steady_clock::time_point deadline_;
  std::vector<Outcome> outcomes_;
  std::size_t open_ = 0;  // given to the producer, and not yet reported
  std::atomic<std::int64_t> ahead_milliseconds_{0};
  std::atomic<bool> stop_{false};
  std::unique_ptr<Client> client_;
  std::map<std::string, TopicState> topics_;  // before the client they end
  // The number that each topic had first: it stays the same however many producers come and go.
  std::map<std::string, int> partitions_;
};

}  // namespace summa::bus_kafka
