// What a consumer knows of messages that it has not settled when it ends, for the consumer that
// follows it in the same process: how often their handlers failed, on a bus that does not count
// deliveries, and which of them are handled, on a bus that settles places only. Use it for
// consumers of one group that follow each other under one lease; clear it when the lease was lost,
// because another reader may have had the messages meanwhile.
#pragma once

#include <summa/mutex.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace summa {

// Any thread.
class DeliveryMemory {
 public:
  struct Entry {
    std::int64_t attempts = 0;  // that failed
    bool handled = false;
  };

  // Beyond kMost, nothing is kept: the message is handled as if it came for the first time.
  void Keep(std::string_view topic, std::uint32_t partition, std::string_view delivery_id,
            Entry entry) {
    const MutexLock lock(mutex_);
    if (entries_.size() >= kMost) return;
    entries_.insert_or_assign(Key(topic, partition, delivery_id), entry);
  }
  // Removes what is known of the delivery, and returns it.
  Entry Take(std::string_view topic, std::uint32_t partition, std::string_view delivery_id) {
    const MutexLock lock(mutex_);
    if (entries_.empty()) return {};
    const auto found = entries_.find(Key(topic, partition, delivery_id));
    if (found == entries_.end()) return {};
    const Entry entry = found->second;
    entries_.erase(found);
    return entry;
  }
  void Clear() {
    const MutexLock lock(mutex_);
    entries_.clear();
  }

 private:
  // Far above what consumers hold (SubscribeOptions::max_messages).
  static constexpr std::size_t kMost = 100'000;
  using Key = std::tuple<std::string, std::uint32_t, std::string>;

  Mutex mutex_;
  std::map<Key, Entry> entries_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa
