// Reads a stream as one consumer of a group: first what was left pending, then what is new.
//
// The group is created at the beginning of the stream (and the stream with it), so nothing
// published earlier is missed; when the stream or the group was deleted it is created again. After
// a lost connection the consumer's pending entries are looked through again: an answer that was
// lost on the way is delivered again, never forgotten. Entries of other consumers that nobody
// renewed for claim_after are taken over, by a walk over all pending entries twice in that time; an
// exclusive reader takes everything over when it opens.
//
// Poll() belongs to one thread and has a connection of its own: a blocked read would hold up
// everything else. Settling may be done by any thread, on a second connection.
// Throws summa::Error as Connection does, and what ThrowRefused() says for what Redis refuses.
// Needs Redis 6.2.
#pragma once

#include <summa/abi/bus.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory_resource>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <summa/mutex.hpp>
#include <vector>

#include "plugins/bus-redis/key_naming.hpp"
#include "plugins/bus-redis/message_fields.hpp"
#include "plugins/bus-redis/servers.hpp"

namespace summa::bus_redis {

// One poll never takes more, however much is asked for: its reply is held in memory.
inline constexpr std::size_t kMaximumPoll = 10'000;

struct GroupReaderOptions {
  KeyNaming names{""};
  std::string stream, group, consumer;
  // One XREADGROUP waits in the server at most this long, so that a lost server is noticed.
  std::chrono::microseconds block_time{1'000'000};
  std::chrono::microseconds claim_after{30'000'000};
  std::uint32_t flags = 0;  // SUMMA_BUS_EXCLUSIVE | ...
};

struct PollSummary {
  std::size_t delivered = 0;
  std::size_t redelivered = 0;  // of delivered: delivered before
  std::vector<std::string>
      lost_ids;  // pending, but deleted from the stream before they were handled
};

// Ids of entries as numbers, in the order of Redis.
struct EntryId {
  std::uint64_t milliseconds = 0, sequence = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): <=> is taken for a comparison with 0
  auto operator<=>(const EntryId&) const = default;
};

class GroupReader {
 public:
  using Clock = Connection::Clock;

  GroupReader(ConnectionOptions connection, GroupReaderOptions options);

  // Connects and creates the group when it is not there.
  void Open();
  // Up to `max` deliveries, borrowed until the next call; waits up to `wait` for the first one.
  std::span<const summa_bus_delivery> Poll(std::size_t max, std::chrono::microseconds wait);
  const PollSummary& summary() const { return summary_; }  // of the last Poll

  // As summa.bus/1 says of them.
  void Ack(std::span<const summa_str> delivery_ids);
  void Settle(std::string_view delivery_id);
  void Renew(std::span<const summa_str> delivery_ids, summa_bus_start start,
             std::span<std::uint8_t> held);
  void Nack(std::span<const summa_str> delivery_ids, std::chrono::microseconds delay);
  // True: it was moved. False: this reader no longer had it, or it was deleted.
  bool DeadLetter(std::string_view delivery_id, std::string_view reason);

 private:
  // A walk over pending entries that is under way.
  struct Walk {
    bool active = false;
    bool everybody = false;  // of all consumers, else of this one
    std::chrono::milliseconds minimum_idle{0};
    std::string cursor;
  };
  struct Pending {
    std::string id;
    std::int64_t deliveries = 0;
  };

  void EnsureGroup();
  void CreateGroup();
  bool GroupExists();
  // To the server of the stream.
  Reply Command(std::initializer_list<std::string_view> words);
  Reply Command(Servers::Words words);
  Reply SettleCommand(std::initializer_list<std::string_view> words) SUMMA_REQUIRES(settle_mutex_);
  Reply SettleCommand(Servers::Words words) SUMMA_REQUIRES(settle_mutex_);
  void BeginWalk(bool everybody, std::chrono::milliseconds minimum_idle);
  bool ReadWalk(std::size_t max);
  bool ReadReturned(std::size_t max);
  bool ReadNew(std::size_t max, std::chrono::microseconds wait);
  std::vector<Pending> PendingRows(const redisReply& rows, bool returned);
  bool Claim(const std::vector<Pending>& rows, std::chrono::milliseconds minimum_idle);
  void FindLost(const std::vector<Pending>& rows);
  void Deliver(const redisReply& entry, std::int64_t count, bool recovered);
  void FinishDeliveries();
  // Entries of the reply to XREADGROUP, or null when there are none (the group was created again).
  const redisReply* Entries(const redisReply& reply);
  void Acknowledge(const std::vector<std::string>& ids);
  struct Held {
    std::string consumer, idle_milliseconds;
    std::int64_t deliveries = 0;
  };
  // Nothing: it is not pending.
  std::optional<Held> HolderOf(std::string_view id) SUMMA_REQUIRES(settle_mutex_);
  // How often an entry that is pending for this consumer was begun; nothing: it is not ours.
  std::optional<std::int64_t> DeliveriesOf(std::string_view id) SUMMA_REQUIRES(settle_mutex_);
  void SetDeliveries(std::string_view id, const Held& held, std::int64_t deliveries)
      SUMMA_REQUIRES(settle_mutex_);
  void Settled(std::span<const summa_str> delivery_ids);
  [[noreturn]] void ThrowStreamFault(std::initializer_list<std::string_view> command,
                                     std::string_view server_text);

  Servers servers_;
  const GroupReaderOptions options_;
  const std::string key_, dead_letter_key_;
  std::uint64_t generation_ = 0;  // of the connection that the group was ensured on
  Walk walk_;
  Clock::time_point next_walk_;
  std::vector<Reply> replies_;  // what deliveries_ points into
  std::vector<summa_bus_delivery> deliveries_;
  std::vector<std::string> skipped_;  // redriven for another group
  PollSummary summary_;

  Mutex settle_mutex_;
  Servers settle_servers_ SUMMA_GUARDED_BY(settle_mutex_);

  Mutex mutex_;
  std::pmr::unsynchronized_pool_resource outstanding_memory_ SUMMA_GUARDED_BY(mutex_);
  // Delivered and not settled: not delivered again meanwhile.
  std::pmr::set<EntryId> outstanding_ SUMMA_GUARDED_BY(mutex_){&outstanding_memory_};
  // Given back, by when they are due.
  std::multimap<Clock::time_point, std::string> returned_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::bus_redis
