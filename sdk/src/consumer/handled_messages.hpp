// The messages of one reader that are handled and that the bus does not know of yet. Where a bus
// has claims, each is acknowledged by itself. Elsewhere a place of each partition is settled,
// before which everything is handled: a message that takes long holds those behind it back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
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
    std::size_t messages = 1;  // that are handled with it
  };

  explicit HandledMessages(bool claims) : claims_(claims) {}

  // A message that was fetched, in the order of the bus. Its number is what Add() wants.
  std::uint64_t Given(std::uint32_t partition) {
    if (claims_) return 0;
    Partition& of = partitions_[partition];
    of.window.emplace_back();
    ++open_;
    return of.first + of.window.size() - 1;
  }

  // It is handled, or given up for good.
  void Add(std::uint32_t partition, std::uint64_t number, std::string_view delivery_id) {
    if (claims_) {
      ready_.push_back({partition, std::string(delivery_id)});
      ++ready_messages_;
      return;
    }
    Partition& of = partitions_[partition];
    of.window[number - of.first] = delivery_id;
    Place place{partition, {}, 0};
    while (!of.window.empty() && !of.window.front().empty()) {
      place.delivery_id = std::move(of.window.front());
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
      for (const std::string& delivery_id : partition.window) {
        if (!delivery_id.empty()) function(number, delivery_id);
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
  // The bus did not take them.
  void PutBack(std::vector<Place> places) {
    for (Place& place : places) {
      if (claims_) {
        ++ready_messages_;
        ready_.push_back(std::move(place));
      } else {
        MergeOlder(std::move(place));
      }
    }
  }

 private:
  struct Partition {
    std::uint64_t first = 0;         // number of the first in the window
    std::deque<std::string> window;  // delivery ids of what is handled; empty: not yet
  };

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
  std::vector<Place> ready_;
  std::size_t ready_messages_ = 0;
  std::map<std::uint32_t, Partition> partitions_;
  std::size_t open_ = 0;
};

}  // namespace summa::detail
