// Reads a stream as one consumer of a group: first what this consumer was given before and did not
// acknowledge, then what is new.
//
// The group is created at the beginning of the stream (and the stream with it), so nothing
// published earlier is missed; when the stream or the group was deleted it is created again. After
// a lost connection the consumer's pending entries are read again from the first: an answer that
// was lost on the way is delivered again, never forgotten.
//
// One thread at a time, with a connection of its own: a blocked read would hold up everything else.
// Throws summa::Error as Connection does, and SUMMA_E_CONFIG SH-0604 for a key that is no stream.
#pragma once

#include <summa/abi/bus.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/bus-redis/connection.hpp"
#include "plugins/bus-redis/message_fields.hpp"

namespace summa::bus_redis {

// One poll never takes more, however much is asked for: its reply is held in memory.
inline constexpr std::size_t kMaximumPoll = 10'000;

struct GroupReaderOptions {
  std::string key_prefix;
  std::string stream, group, consumer;
  // One XREADGROUP waits in the server at most this long, so that a lost server is noticed.
  std::chrono::microseconds block_time{1'000'000};
};

struct PollSummary {
  std::size_t delivered = 0;
  std::size_t redelivered = 0;  // of delivered: given to this consumer before
  std::vector<std::string>
      lost_ids;  // pending, but deleted from the stream before they were handled
};

class GroupReader {
 public:
  GroupReader(ConnectionOptions connection, GroupReaderOptions options);

  // Connects and creates the group when it is not there.
  void Open();
  // Up to `max` deliveries, borrowed until the next call; waits up to `wait` for the first one.
  std::span<const summa_bus_delivery> Poll(std::size_t max, std::chrono::microseconds wait);
  const PollSummary& summary() const { return summary_; }  // of the last Poll
  void Ack(std::span<const summa_str> delivery_ids);

 private:
  void EnsureGroup();
  void CreateGroup();
  bool ReadPending(std::size_t max);
  bool ReadNew(std::size_t max, std::chrono::microseconds wait);
  // Entries of the reply to XREADGROUP, or null when there are none (the group was created again).
  const redisReply* Entries(const redisReply& reply);
  void TakePending(const redisReply& entries);
  void CountDeliveries();
  void AcknowledgeLost();
  [[noreturn]] void ThrowStreamFault(std::string_view server_text);

  Connection connection_;
  const GroupReaderOptions options_;
  const std::string key_;
  std::uint64_t generation_ = 0;  // of the connection that the group was ensured on
  bool reading_pending_ = true;
  std::string pending_cursor_;
  Reply reply_;  // what deliveries_ points into
  std::vector<summa_bus_delivery> deliveries_;
  PollSummary summary_;
};

}  // namespace summa::bus_redis
