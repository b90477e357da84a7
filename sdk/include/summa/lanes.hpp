// Which of the items that wait may be worked on now. A lane is what order is kept within (a stream
// and a key): its items are taken one at a time, in the order they were added, and an item that
// failed holds its own lane until it is due again, and no other.
//
// Plain state for one thread (or under the caller's lock); times are given by the caller. A
// consumer keeps its messages in a LaneSet; the outbox, whose rows wait in a table and not in
// memory, shares the names of lanes.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <summa/assert.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

namespace summa {

// The name of the lane of a stream and a key.
inline void WriteLaneName(std::string_view stream, std::string_view key, std::string& name) {
  name.clear();
  name.reserve(stream.size() + 1 + key.size());
  name += stream;
  name += '\x1f';
  name += key;
}
inline std::string LaneName(std::string_view stream, std::string_view key) {
  std::string name;
  WriteLaneName(stream, key, name);
  return name;
}

class LaneSet {
 public:
  using Time = std::chrono::microseconds;  // of any steady clock
  using Ticket = std::size_t;              // of an item; used again after Done()

  // So many items and bytes are held at most, see HasRoom(); beyond it Add() still works.
  LaneSet(std::size_t max_items, std::size_t max_bytes)
      : max_items_(max_items), max_bytes_(max_bytes) {
    spare_.reserve(kSpareLanes);
  }

  bool HasRoom() const { return items_ < max_items_ && (bytes_ < max_bytes_ || items_ == 0); }
  std::size_t items() const { return items_; }
  std::size_t bytes() const { return bytes_; }
  std::size_t tickets() const { return items_of_.size(); }  // that were ever given
  std::size_t running() const { return running_; }
  // Not running, and not waiting for a time: a Take() would find one.
  bool HasReady() const { return !ready_.empty(); }

  // alone: is taken only when nothing else runs, and nothing else is taken while it runs.
  // group: what PauseGroup() stops.
  Ticket Add(std::string_view lane_name, std::size_t group, std::size_t bytes, bool alone) {
    const Ticket ticket = NewTicket();
    auto found = lanes_.find(lane_name);
    const bool fresh = found == lanes_.end();
    if (fresh) found = NewLane(lane_name);
    Lane& lane = found->second;
    if (fresh) lane.group = group;
    items_of_[ticket] = {&*found, bytes, kNone, alone, false};
    if (fresh) {
      lane.first = ticket;
    } else {
      items_of_[lane.last].next = ticket;
    }
    lane.last = ticket;
    ++items_;
    bytes_ += bytes;
    return ticket;
  }

  // The next item that may be worked on.
  std::optional<Ticket> Take(Time now) {
    Release(now);
    if (alone_running_ || ready_.empty()) return std::nullopt;
    Entry* entry = ready_.front();
    const Ticket ticket = entry->second.first;
    const bool alone = items_of_[ticket].alone;
    if (alone && running_ > 0) return std::nullopt;
    ready_.pop_front();
    alone_running_ = alone;
    ++running_;
    SUMMA_ASSERT(running_ <= items_ && (!alone || running_ == 1));
    items_of_[ticket].running = true;
    return ticket;
  }

  // The item is settled: the next of its lane may be taken.
  void Done(Ticket ticket) {
    Entry* entry = items_of_[ticket].lane;
    Stopped(ticket);
    Lane& lane = entry->second;
    lane.first = items_of_[ticket].next;
    lane.attempts = 0;
    SUMMA_ASSERT(items_ > 0 && bytes_ >= items_of_[ticket].bytes);
    --items_;
    bytes_ -= items_of_[ticket].bytes;
    items_of_[ticket] = {};
    free_.push_back(ticket);
    if (lane.first == kNone) {
      EndLane(entry);
    } else {
      MakeReady(entry);
    }
    SUMMA_ASSERT(items_ > 0 || (bytes_ == 0 && running_ == 0 && lanes_.empty()));
  }

  // It failed: its lane waits until `due`, and begins with it again.
  void Retry(Ticket ticket, Time due) {
    Stopped(ticket);
    due_.emplace(due, items_of_[ticket].lane);
  }
  // Failures of the lane's first item in a row, this one included.
  std::int64_t CountFailure(Ticket ticket) { return ++items_of_[ticket].lane->second.attempts; }

  // No item of the group is taken until then: what it needs is away, the items are not at fault.
  // Those that are ready come before an item that is retried at that time: one that fails again and
  // again does not keep the others from their turn.
  void PauseGroup(std::size_t group, Time until) {
    paused_[group] = until;
    HoldBackPaused();
  }

  // When Take() may find something that it does not find now; nothing when only Add() or Done()
  // can change that.
  std::optional<Time> NextDue() const {
    std::optional<Time> next;
    if (!due_.empty()) next = due_.begin()->first;
    for (const auto& [group, until] : paused_) next = next ? std::min(*next, until) : until;
    return next;
  }

 private:
  static constexpr Ticket kNone = std::numeric_limits<Ticket>::max();
  static constexpr std::size_t kSpareLanes = 1000, kSpareBytes = 256;

  struct Lane {
    std::size_t group = 0;
    std::int64_t attempts = 0;
    Ticket first = kNone, last = kNone;  // of those that wait; the first one may be running
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Lanes = std::unordered_map<std::string, Lane, Hash, std::equal_to<>>;
  using Entry = Lanes::value_type;  // its address stays while the lane lives
  struct Item {
    Entry* lane = nullptr;
    std::size_t bytes = 0;
    Ticket next = kNone;  // of its lane
    bool alone = false;
    bool running = false;
  };

  // A lane that is ready: its first item is added at once.
  Lanes::iterator NewLane(std::string_view name) {
    Lanes::iterator made;
    if (spare_.empty()) {
      made = lanes_.emplace(std::string(name), Lane{}).first;
    } else {
      spare_.back().key() = name;
      spare_.back().mapped() = {};
      made = lanes_.insert(std::move(spare_.back())).position;
      spare_.pop_back();
    }
    try {
      ready_.push_back(&*made);
    } catch (...) {
      lanes_.erase(made);
      throw;
    }
    return made;
  }
  // Most lanes have one item: what a lane needs in memory is used by the next one.
  void EndLane(const Entry* entry) {
    const auto ended = lanes_.find(entry->first);
    if (spare_.size() < kSpareLanes && entry->first.capacity() <= kSpareBytes) {
      spare_.push_back(lanes_.extract(ended));
    } else {
      lanes_.erase(ended);
    }
  }
  Ticket NewTicket() {
    if (free_.empty()) {
      items_of_.emplace_back();
      return items_of_.size() - 1;
    }
    const Ticket ticket = free_.back();
    free_.pop_back();
    return ticket;
  }
  void Stopped(Ticket ticket) {
    Item& item = items_of_[ticket];
    SUMMA_ASSERT(item.running && item.lane->second.first == ticket);
    item.running = false;
    --running_;
    if (item.alone) alone_running_ = false;
  }
  void MakeReady(Entry* entry) {
    const auto paused = paused_.find(entry->second.group);
    if (paused == paused_.end()) {
      ready_.push_back(entry);
    } else {
      due_.emplace(paused->second, entry);
    }
  }
  void Release(Time now) {
    std::erase_if(paused_, [now](const auto& pause) { return pause.second <= now; });
    while (!due_.empty() && due_.begin()->first <= now) {
      Entry* entry = due_.begin()->second;
      due_.erase(due_.begin());
      MakeReady(entry);
    }
    if (!paused_.empty()) HoldBackPaused();  // those that were added meanwhile
  }
  void HoldBackPaused() {
    for (std::size_t i = ready_.size(); i > 0; --i) {
      Entry* entry = ready_.front();
      ready_.pop_front();
      MakeReady(entry);
    }
  }

  const std::size_t max_items_, max_bytes_;
  Lanes lanes_;
  std::vector<Lanes::node_type> spare_;
  std::vector<Item> items_of_;  // by ticket
  std::vector<Ticket> free_;
  std::deque<Entry*> ready_;         // lanes whose first item may be taken, longest waiting first
  std::multimap<Time, Entry*> due_;  // lanes that wait for a time
  std::map<std::size_t, Time> paused_;  // groups
  std::size_t items_ = 0, bytes_ = 0, running_ = 0;
  bool alone_running_ = false;
};

}  // namespace summa
