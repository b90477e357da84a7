// One reader of a group of a topic.
//
// A thread of its own serves the group and takes messages into a queue that is bounded in bytes, so
// that the group sees a live reader however long the owner works on what it has. When nobody takes
// messages for a while, the partitions are paused. Places are stored by Settle() only; librdkafka
// commits them in the background, when a partition is taken away, and when the reader ends.
//
// After a fatal error of the client, and when a partition has no place any more, all partitions are
// lost and a new client begins. Poll() and
// Revoked() belong to one thread, Settle() to any. Poll() throws summa::Error (client.hpp) when the
// servers cannot be reached and there is nothing to deliver, SUMMA_E_UNAVAILABLE SH-0653 when it
// cannot say whether there is something, and SUMMA_E_FENCED SH-0652 when another reader has taken
// the place of this static member.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <summa/bus.hpp>
#include <summa/mutex.hpp>
#include <thread>
#include <vector>

#include "plugins/bus-kafka/client.hpp"
#include "plugins/bus-kafka/record.hpp"

namespace summa::bus_kafka {

struct ReaderOptions {
  std::string stream, topic;
  std::string group, group_id;  // as the host and as Kafka know it
  std::string consumer;
  bool static_member = false;
  std::size_t max_prefetch_bytes = 16 << 20;
  std::chrono::milliseconds session_timeout{10'000};
  std::chrono::milliseconds commit_interval{1000};
};

// Called in the threads of the reader.
class ReaderEvents {
 public:
  virtual ~ReaderEvents() = default;
  virtual void Reached(const ReaderOptions& /*reader*/) {}
  virtual void NotReached(const ReaderOptions& /*reader*/, const std::string& /*reason*/) {}
  // Retention removed so many messages behind the place of the group; [first, last] are places.
  virtual void Lost(const ReaderOptions& /*reader*/, std::size_t /*messages*/,
                    const std::string& /*first*/, const std::string& /*last*/) {}
  // The brokers have lost messages that the group had: it begins again at the oldest offset, `low`.
  virtual void BehindEnd(const ReaderOptions& /*reader*/, const std::string& /*place*/,
                         std::int64_t /*end*/, std::int64_t /*low*/) {}
  virtual void Polled(const ReaderOptions& /*reader*/, std::size_t /*delivered*/) {}
  // Messages behind the places of this reader's partitions, from time to time.
  virtual void Lag(const ReaderOptions& /*reader*/, std::int64_t /*messages*/) {}
  virtual void Rebalanced(const ReaderOptions& /*reader*/) {}
};

class GroupReader final : public Subscription, private ClientEvents {
 public:
  // `events` is borrowed.
  GroupReader(ClientOptions client, ReaderOptions options, ReaderEvents* events);
  ~GroupReader() override;
  GroupReader(const GroupReader&) = delete;
  GroupReader& operator=(const GroupReader&) = delete;

  std::span<const summa_bus_delivery> Poll(std::size_t max,
                                           std::chrono::microseconds wait) override;
  std::span<const std::uint32_t> Revoked() override;
  void Settle(summa_str delivery_id) override;

 private:
  // A partition that this reader has.
  struct Partition {
    std::int64_t next = 0;        // behind what the owner got, and what was skipped after it
    std::int64_t delivered = -1;  // the last offset that the owner got
    std::int64_t settled = 0;     // what is stored
    bool at_end = false;
    // Since when librdkafka fetches no more of it.
    std::optional<std::chrono::steady_clock::time_point> stopped;
  };

  void Serve();
  void ServeClient();
  void LeaveGroup();
  void CloseClient();
  void TakeMessages();
  void Keep(const rd_kafka_message_t& message);
  void KeepFetching(std::size_t waited);
  void Hold();
  void TakeError(const rd_kafka_message_t& message);
  void Probe();
  void ReportLag();
  void Recover();
  void WaitForRoom();
  void SetPaused(bool paused);

  // ClientEvents
  void Rebalance(rd_kafka_resp_err_t kind, rd_kafka_topic_partition_list_t* partitions) override;
  void Failed(rd_kafka_resp_err_t error) override;
  void Assign(rd_kafka_topic_partition_list_t* partitions);
  void Revoke(const rd_kafka_topic_partition_list_t* partitions);
  void FindPlaces(rd_kafka_topic_partition_list_t* partitions);
  std::int64_t PlaceWithin(const rd_kafka_topic_partition_t& place, std::int64_t low,
                           std::int64_t high);
  void Stopped(std::int32_t partition);
  bool MustBeginAgain();
  void ReportLost(std::int32_t partition, std::int64_t place, std::int64_t low);

  void DropAll() SUMMA_REQUIRES(mutex_);
  void Drop(std::int32_t partition) SUMMA_REQUIRES(mutex_);
  void Take(std::size_t max) SUMMA_REQUIRES(mutex_);
  void Skip(Partition& partition, const StoredRecord& record) SUMMA_REQUIRES(mutex_);
  void Store(std::int32_t partition, std::int64_t offset) SUMMA_REQUIRES(mutex_);
  bool CaughtUp() const SUMMA_REQUIRES(mutex_);
  [[noreturn]] void ThrowNoAnswer() const SUMMA_REQUIRES(mutex_);

  const ClientOptions client_options_;
  const ReaderOptions options_;
  ReaderEvents* const events_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> fenced_{false};

  Mutex mutex_;
  ConditionVariable arrived_, room_;
  std::unique_ptr<Client> client_;  // made and ended by the thread, under the mutex
  std::map<std::int32_t, Partition> partitions_ SUMMA_GUARDED_BY(mutex_);
  std::set<std::uint32_t> lost_ SUMMA_GUARDED_BY(mutex_);  // Revoked() names them
  std::deque<StoredRecord> queue_ SUMMA_GUARDED_BY(mutex_);
  std::size_t queue_bytes_ SUMMA_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> spare_ SUMMA_GUARDED_BY(mutex_);  // texts of records that were delivered
  bool joined_ SUMMA_GUARDED_BY(mutex_) = false;
  std::optional<Error> failure_ SUMMA_GUARDED_BY(mutex_);

  // Of the thread.
  std::vector<StoredRecord> taken_;  // from librdkafka, and not in the queue yet
  std::size_t taken_bytes_ = 0;
  std::vector<std::string> texts_;  // to be used again
  Queue fetched_;                   // of librdkafka
  std::size_t most_fetched_ = 0;    // messages that were in it, and of which half are still there
  std::size_t average_bytes_ = 1024;
  bool paused_ = false;
  std::chrono::steady_clock::time_point next_probe_, next_lag_;

  // Of the thread that polls: what it got last.
  std::vector<StoredRecord> given_;
  std::vector<std::string> returned_;  // texts of what was given before
  RecordDecoder decoder_;
  std::vector<summa_bus_delivery> deliveries_;
  std::vector<std::uint32_t> revoked_;

  std::thread thread_;  // last
};

}  // namespace summa::bus_kafka
