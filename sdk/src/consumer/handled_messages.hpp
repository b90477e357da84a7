// The messages of one reader that are handled and that the bus does not know of yet. Where a bus
// has claims, each is acknowledged by itself. Elsewhere a place of each partition is settled,
// before which everything is handled: a message that takes long holds those behind it back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory_resource>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace summa::detail {

// All under the lock of the consumer.
class HandledMessages {
 public:
  // What the bus is told.
  struct Place {
    std::uint32_t partition = 0;
    std::string delivery_id;
    std::size_t messages = 1;      // that are handled with it
    std::uint64_t generation = 0;  // of the partition
  };

  explicit HandledMessages(bool claims) : claims_(claims) {}

  // A message that was fetched, in the order of the bus. Its number is what Add() wants.
  std::uint64_t Given(std::uint32_t partition, std::string_view delivery_id) {
    if (claims_) return 0;
    Partition& of = Of(partition);
    of.window.push_back({std::string(delivery_id), false});
    try {
      of.known.insert(of.window.back().delivery_id);
    } catch (...) {
      of.window.pop_back();
      throw;
    }
    ++open_;
    return of.first + of.window.size() - 1;
  }

  // Without claims: whether it was given, and nothing up to it is handled altogether.
  bool Knows(std::uint32_t partition, std::string_view delivery_id) const {
    const auto found = partitions_.find(partition);
    return found != partitions_.end() && found->second.known.contains(delivery_id);
  }

  // It is handled, or given up for good.
  void Add(std::uint32_t partition, std::uint64_t number, std::string_view delivery_id) {
    if (claims_) {
      ready_.push_back({partition, std::string(delivery_id)});
      ++ready_messages_;
      return;
    }
    Partition& of = Of(partition);
    if (number < of.first) return;  // of a partition that was lost
    of.window[number - of.first].handled = true;
    Place place{partition, {}, 0, of.generation};
    while (!of.window.empty() && of.window.front().handled) {
      of.known.erase(of.window.front().delivery_id);
      place.delivery_id = std::move(of.window.front().delivery_id);
      ++place.messages;
      of.window.pop_front();
      ++of.first;
    }
    open_ -= place.messages;
    if (place.messages > 0) Merge(std::move(place));
  }

  // Calls the function with partition and delivery id of what is handled but cannot be settled
  // yet.
  template <typename Function>
  void VisitBlocked(Function&& function) const {
    for (const auto& [number, partition] : partitions_) {
      for (const Entry& entry : partition.window) {
        if (entry.handled) function(number, entry.delivery_id);
      }
    }
  }

  bool empty() const { return ready_.empty(); }
  // Messages that Take() is about.
  std::size_t messages() const { return ready_messages_; }
  // Messages that come again when the process dies now, though they may be handled.
  std::size_t open() const { return open_; }

  std::vector<Place> Take() {
    ready_messages_ = 0;
    return std::exchange(ready_, {});
  }
  // The bus did not take them. Returns how many messages of them are of no use any more, because
  // their partition was lost.
  std::size_t PutBack(std::vector<Place> places) {
    std::size_t lost = 0;
    for (Place& place : places) {
      if (claims_) {
        ++ready_messages_;
        ready_.push_back(std::move(place));
      } else if (place.generation != Of(place.partition).generation) {
        lost += place.messages;
      } else {
        MergeOlder(std::move(place));
      }
    }
    return lost;
  }

  // The reader lost the partition: nothing of it is told to the bus. Returns how many of its
  // messages were handled. Does not throw.
  std::size_t Forget(std::uint32_t partition) noexcept {
    const auto found = partitions_.find(partition);
    if (found == partitions_.end()) return 0;
    Partition& of = found->second;
    const auto handled = static_cast<std::size_t>(std::count_if(
        of.window.begin(), of.window.end(), [](const Entry& entry) { return entry.handled; }));
    open_ -= of.window.size();
    of.first += of.window.size();
    of.known.clear();
    of.window.clear();
    ++of.generation;
    std::size_t ready = 0;
    std::erase_if(ready_, [&](const Place& place) {
      if (place.partition != partition) return false;
      ready += place.messages;
      return true;
    });
    ready_messages_ -= ready;
    return handled + ready;
  }
  // Of every partition.
  std::size_t ForgetAll() noexcept {
    std::size_t handled = 0;
    for (const auto& [partition, of] : partitions_) handled += Forget(partition);
    return handled;
  }

 private:
  struct Entry {
    std::string delivery_id;
    bool handled = false;
  };
  struct Partition {
    std::uint64_t first = 0;       // number of the first in the window
    std::uint64_t generation = 0;  // how often the reader lost it
    std::deque<Entry> window;
    std::pmr::unordered_set<std::string_view> known;  // the delivery ids of the window

    explicit Partition(std::pmr::memory_resource* pool) : known(pool) {}
  };

  Partition& Of(std::uint32_t partition) {
    return partitions_.try_emplace(partition, &pool_).first->second;
  }

  Place* Known(std::uint32_t partition) {
    for (Place& known : ready_) {
      if (known.partition == partition) return &known;
    }
    return nullptr;
  }
  void Merge(Place place) {
    ready_messages_ += place.messages;
    if (Place* known = Known(place.partition)) {
      known->delivery_id = std::move(place.delivery_id);
      known->messages += place.messages;
    } else {
      ready_.push_back(std::move(place));
    }
  }
  void MergeOlder(Place place) {
    ready_messages_ += place.messages;
    if (Place* known = Known(place.partition)) {
      known->messages += place.messages;
    } else {
      ready_.push_back(std::move(place));
    }
  }

  const bool claims_;
  std::pmr::unsynchronized_pool_resource pool_;  // one allocation for many messages
  std::vector<Place> ready_;
  std::size_t ready_messages_ = 0;
  std::map<std::uint32_t, Partition> partitions_;
  std::size_t open_ = 0;
};

}  // namespace summa::detail
