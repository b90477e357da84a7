// A bus in memory for tests: keeps every message, and fails when the test tells it to. With every
// capability, or with the core alone: then a stream has two partitions, which the readers of a
// group share.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <summa/bus.hpp>
#include <summa/error.hpp>
#include <summa/mutex.hpp>
#include <summa/text.hpp>
#include <utility>

namespace summa::testkit {

struct StoredMessage {
  std::string stream, id, type, key, payload, timestamp, correlation_id;
  std::int64_t position = SUMMA_BUS_NO_POSITION;
  std::string redriven, note;
  // Of the bus: counts up over all streams from 1, and never comes again.
  std::uint64_t entry = 0;
  BusTime entered_at;
};

struct StoredDeadLetter {
  StoredMessage message;
  std::string source_id, group, error;
  std::int64_t deliveries = 0;
  std::uint64_t entry = 0;
  BusTime died_at;
};

// Subscriptions must end before the bus does. Thread-safe.
class MemoryBus final : public Bus {
 public:
  static constexpr std::uint32_t kCore = 0;
  static constexpr std::uint32_t kAll =
      SUMMA_BUS_CLAIMS | SUMMA_BUS_COUNTS | SUMMA_BUS_EXCLUSIVE_READERS | SUMMA_BUS_DEAD_LETTERS;

  // kCore, kAll, or kAll without SUMMA_BUS_DEAD_LETTERS.
  explicit MemoryBus(std::uint32_t capabilities = kAll) : capabilities_(capabilities) {}

  std::uint32_t Capabilities() const override { return capabilities_; }
  std::uint64_t MaxMessageBytes() const override { return max_message_bytes; }

  void Publish(std::span<const summa_bus_message> messages,
               std::span<summa_bus_receipt> receipts) override {
    const MutexLock lock(mutex_);
    ++publish_calls_;
    std::set<std::string> failed_streams;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const summa_bus_message& message = messages[i];
      receipts[i] = {SUMMA_BUS_UNSENT, ""};
      const std::string stream(FromAbi(message.stream));
      const int outcome = failed_streams.contains(stream) ? SUMMA_BUS_UNSENT : Outcome(message);
      receipts[i].outcome = outcome;
      if (outcome == SUMMA_BUS_CONFIRMED) {
        for (int times = duplicates ? 2 : 1; times > 0; --times) Store(Copy(message));
        continue;
      }
      failed_streams.insert(stream);
      if (outcome != SUMMA_BUS_UNSENT) detail::CopyText(receipts[i].error, "told to fail");
    }
    if (on_published) on_published(messages, receipts);
    if (away) throw Error(SUMMA_E_UNAVAILABLE, "SH-0601", "the memory bus is unreachable");
  }

  std::unique_ptr<Subscription> Subscribe(std::string_view stream, std::string_view group,
                                          std::string_view consumer,
                                          std::uint32_t flags = 0) override {
    RequireHere();
    const MutexLock lock(mutex_);
    Group& state = groups_[{std::string(stream), std::string(group)}];
    if (!Has(SUMMA_BUS_CLAIMS)) {
      return std::make_unique<CoreReader>(*this, std::string(stream), std::string(group));
    }
    if ((flags & SUMMA_BUS_EXCLUSIVE) != 0) {
      for (auto& [entry, pending] : state.pending) pending.consumer = consumer;
    }
    return std::make_unique<Reader>(*this, std::string(stream), std::string(group),
                                    std::string(consumer), flags);
  }
  std::chrono::microseconds ClaimAfter() const override {
    return Has(SUMMA_BUS_CLAIMS) ? claim_after : std::chrono::microseconds(0);
  }
  void Ping() override { RequireHere(); }
  void Read(std::string_view stream, std::string_view after, std::size_t count,
            const OnDelivery& on_message) override {
    RequireHere();
    const std::uint64_t behind = after.empty() ? 0 : std::stoull(std::string(after));
    std::vector<StoredMessage> found = Stored();
    std::erase_if(found, [&](const StoredMessage& message) {
      return message.stream != stream || message.entry <= behind;
    });
    if (found.empty() && behind == 0) RequireStream(stream);
    const std::size_t first = !after.empty() || found.size() <= count ? 0 : found.size() - count;
    for (std::size_t i = first; i < std::min(found.size(), first + count); ++i) {
      const std::string id = std::to_string(found[i].entry);
      if (!on_message(Deliver(found[i], id))) return;
    }
  }

  void Scan(const ScanOptions& options, const OnDelivery& on_message) override {
    RequireHere();
    std::uint64_t left = options.limit == 0 ? UINT64_MAX : options.limit;
    std::uint64_t after = options.after.empty() ? 0 : std::stoull(options.after);
    if (options.inclusive && after > 0) --after;
    for (const StoredMessage& message : Stored()) {
      if (left == 0) return;
      if (message.stream != options.stream || message.entry <= after) continue;
      if (options.since && message.entered_at < *options.since) continue;
      --left;
      const std::string id = std::to_string(message.entry);
      if (!on_message(Deliver(message, id))) return;
    }
  }
  summa_bus_horizon Horizon(std::string_view stream) override {
    RequireHere();
    const MutexLock lock(mutex_);
    summa_bus_horizon horizon = EmptyHorizon();
    horizon.now_microseconds = ToMicroseconds(now());
    const auto removed = removed_.find(stream);
    if (removed != removed_.end()) horizon.removed = removed->second;
    for (const StoredMessage& message : stored_) {
      if (message.stream != stream) continue;
      horizon.newest_microseconds = ToMicroseconds(message.entered_at);
      if (horizon.held++ == 0) horizon.oldest_microseconds = horizon.newest_microseconds;
    }
    horizon.exists = horizon.held + horizon.removed > 0 ? 1 : 0;
    return horizon;
  }
  void Streams(std::string_view stream, BusVisitor& visitor) override {
    RequireHere();
    std::map<std::string, summa_bus_stream> streams;
    for (const StoredMessage& message : Stored()) {
      if (stream.empty() || message.stream == stream) ++streams[message.stream].messages;
    }
    if (!stream.empty() && streams.empty()) RequireStream(stream);
    for (const StoredDeadLetter& letter : StoredDeadLetters()) {
      const auto found = streams.find(letter.message.stream);
      if (found != streams.end()) ++found->second.dead_letters;
    }
    for (auto& [name, each] : streams) {
      each.name = ToAbi(name);
      each.groups = static_cast<std::int64_t>(GroupsOf(name).size());
      if (!visitor.Stream(each)) return;
    }
  }
  void Groups(std::string_view stream, BusVisitor& visitor) override {
    RequireHere();
    if (!stream.empty()) RequireStream(stream);
    for (const SeenGroup& group : GroupsOf(stream)) {
      const std::string position = std::to_string(group.position);
      const std::string lowest = group.pending == 0 ? "" : std::to_string(group.lowest);
      if (!visitor.Group({ToAbi(group.stream), ToAbi(group.name), -1, group.pending, group.lag, -1,
                          ToAbi(position), ToAbi(lowest)})) {
        return;
      }
    }
  }
  void Seek(std::string_view stream, std::string_view group, std::string_view place) override {
    RequireHere();
    const MutexLock lock(mutex_);
    Group& state = FindGroup(stream, group);
    state.last_delivered = place == "$" ? last_entry_ : std::stoull(std::string(place));
    state.settled.fill(state.last_delivered);
  }
  void CreateGroup(std::string_view stream, std::string_view group,
                   std::string_view place) override {
    {
      const MutexLock lock(mutex_);
      groups_.try_emplace({std::string(stream), std::string(group)});
    }
    Seek(stream, group, place);
  }
  void DeleteGroup(std::string_view stream, std::string_view group) override {
    RequireHere();
    const MutexLock lock(mutex_);
    FindGroup(stream, group);
    groups_.erase({std::string(stream), std::string(group)});
  }
  void DeadLetters(std::string_view stream, std::string_view after,
                   const OnDeadLetter& on_letter) override {
    if (!Has(SUMMA_BUS_DEAD_LETTERS)) ThrowNoCapability("dead_letters()");
    RequireHere();
    const std::uint64_t behind = after.empty() ? 0 : std::stoull(std::string(after));
    for (const StoredDeadLetter& letter : StoredDeadLetters()) {
      if (letter.entry <= behind || (!stream.empty() && letter.message.stream != stream)) continue;
      const std::string id = std::to_string(letter.entry);
      if (!on_letter({Deliver(letter.message, id).message, ToAbi(id), ToAbi(letter.source_id),
                      ToAbi(letter.group), ToAbi(letter.error), letter.deliveries,
                      ToMicroseconds(letter.died_at)})) {
        return;
      }
    }
  }
  void Redrive(std::string_view stream, std::span<const summa_str> dead_letter_ids,
               std::uint64_t& done) override {
    if (!Has(SUMMA_BUS_DEAD_LETTERS)) ThrowNoCapability("redrive()");
    RequireHere();
    const MutexLock lock(mutex_);
    for (const summa_str id : dead_letter_ids) {
      if (std::optional<StoredDeadLetter> letter = TakeLetter(stream, id)) {
        letter->message.redriven = letter->group.empty() ? SUMMA_BUS_EVERYBODY : letter->group;
        Store(std::move(letter->message));
        ++done;
      }
    }
  }
  void Discard(std::string_view stream, std::span<const summa_str> dead_letter_ids,
               std::uint64_t& done) override {
    if (!Has(SUMMA_BUS_DEAD_LETTERS)) ThrowNoCapability("discard()");
    RequireHere();
    const MutexLock lock(mutex_);
    for (const summa_str id : dead_letter_ids) done += TakeLetter(stream, id) ? 1 : 0;
  }

  // What trimming or a foreign program does: removes messages, whoever still needs them.
  std::size_t Remove(const std::function<bool(const StoredMessage&)>& which) {
    const MutexLock lock(mutex_);
    return std::erase_if(stored_, [&](const StoredMessage& message) SUMMA_REQUIRES(mutex_) {
      if (!which(message)) return false;
      ++removed_[message.stream];
      return true;
    });
  }
  // What a consumer does that gives a message up.
  void AddDeadLetter(StoredDeadLetter letter) {
    const MutexLock lock(mutex_);
    letter.entry = ++last_entry_;
    letter.died_at = now();
    dead_letters_.push_back(std::move(letter));
  }
  std::vector<StoredDeadLetter> StoredDeadLetters() const {
    const MutexLock lock(mutex_);
    return dead_letters_;
  }

  std::vector<StoredMessage> Stored() const {
    const MutexLock lock(mutex_);
    return stored_;
  }
  // Messages that were removed while a consumer still had to handle them.
  std::size_t lost() const {
    const MutexLock lock(mutex_);
    return lost_;
  }
  std::size_t publish_calls() const {
    const MutexLock lock(mutex_);
    return publish_calls_;
  }

  // Set before publishing, or between ticks of the same thread.
  std::uint64_t max_message_bytes = 1 << 20;
  bool away = false;
  // Each message is there twice, with one id: what a publisher makes of a batch without an answer.
  std::atomic<bool> duplicates{false};
  std::atomic<bool> refuse_dead_letters{false};
  // Decides the outcome of a message; CONFIRMED when empty.
  std::function<int(const summa_bus_message&)> decide;
  // Told of every batch, under the lock; may be empty.
  std::function<void(std::span<const summa_bus_message>, std::span<const summa_bus_receipt>)>
      on_published;
  // See summa.bus/1; set before subscribing.
  std::chrono::microseconds claim_after{30'000'000};
  // The clock of the bus. Called under the lock.
  std::function<BusTime()> now = [] {
    return ToBus(std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()));
  };

 private:
  void RequireHere() const {
    if (away) throw Error(SUMMA_E_UNAVAILABLE, "SH-0601", "the memory bus is unreachable");
  }
  static StoredMessage Copy(const summa_bus_message& message) {
    const auto text = [](summa_str value) { return std::string(FromAbi(value)); };
    StoredMessage copy;
    copy.stream = text(message.stream);
    copy.id = text(message.id);
    copy.type = text(message.type);
    copy.key = text(message.key);
    copy.payload = text(message.payload);
    copy.timestamp = text(message.timestamp);
    copy.correlation_id = text(message.correlation_id);
    copy.position = message.position;
    copy.redriven = text(message.redriven);
    copy.note = text(message.note);
    return copy;
  }
  // Borrows from both.
  static summa_bus_delivery Deliver(const StoredMessage& message, const std::string& id) {
    return {{ToAbi(message.stream), ToAbi(message.id), ToAbi(message.type), ToAbi(message.key),
             ToAbi(message.payload), ToAbi(message.timestamp), ToAbi(message.correlation_id),
             message.position, ToAbi(message.redriven), ToAbi(message.note)},
            ToAbi(id),
            1,
            ToMicroseconds(message.entered_at),
            0,
            0};
  }
  bool Has(summa_bus_capability capability) const { return (capabilities_ & capability) != 0; }
  void RequireStream(std::string_view stream) const {
    const std::vector<StoredMessage> all = Stored();
    if (std::any_of(all.begin(), all.end(),
                    [&](const StoredMessage& message) { return message.stream == stream; })) {
      return;
    }
    throw Error(SUMMA_E_NOT_FOUND, "SH-0607", "there is no stream " + std::string(stream));
  }
  void Store(StoredMessage message) SUMMA_REQUIRES(mutex_) {
    message.entry = ++last_entry_;
    message.entered_at = now();
    stored_.push_back(std::move(message));
    arrived_.notify_all();
  }
  const StoredMessage* Find(std::uint64_t entry) const SUMMA_REQUIRES(mutex_) {
    const auto found = std::lower_bound(
        stored_.begin(), stored_.end(), entry,
        [](const StoredMessage& message, std::uint64_t wanted) { return message.entry < wanted; });
    return found == stored_.end() || found->entry != entry ? nullptr : &*found;
  }
  std::optional<StoredDeadLetter> TakeLetter(std::string_view stream, summa_str id)
      SUMMA_REQUIRES(mutex_) {
    for (auto letter = dead_letters_.begin(); letter != dead_letters_.end(); ++letter) {
      if (letter->message.stream != stream || std::to_string(letter->entry) != FromAbi(id))
        continue;
      StoredDeadLetter taken = std::move(*letter);
      dead_letters_.erase(letter);
      return taken;
    }
    return std::nullopt;
  }
  int Outcome(const summa_bus_message& message) const {
    if (away) return SUMMA_BUS_UNSENT;
    if (message.payload.size > max_message_bytes) return SUMMA_BUS_REFUSED;
    if (refuse_dead_letters && FromAbi(message.stream).ends_with(DeadLetterStream::kSuffix)) {
      return SUMMA_BUS_STREAM_FAULT;
    }
    return decide ? decide(message) : SUMMA_BUS_CONFIRMED;
  }
  struct Pending {
    std::string consumer;
    std::int64_t deliveries = 1;
    BusTime since;
  };
  static constexpr std::size_t kPartitions = 2;  // without SUMMA_BUS_CLAIMS
  struct Group {
    std::uint64_t last_delivered = 0;
    std::map<std::uint64_t, Pending> pending;
    // Without SUMMA_BUS_CLAIMS: up to which entry each partition is settled, who reads, which
    // reader has a partition, and how often that changed.
    std::array<std::uint64_t, kPartitions> settled{};
    std::vector<std::uint64_t> readers;
    std::array<std::uint64_t, kPartitions> owners{}, changes{};
  };
  // Its partitions among its readers.
  void Share(Group& group) SUMMA_REQUIRES(mutex_) {
    for (std::size_t i = 0; i < kPartitions; ++i) {
      const std::uint64_t owner =
          group.readers.empty() ? 0 : group.readers[i % group.readers.size()];
      if (owner == group.owners[i]) continue;
      group.owners[i] = owner;
      ++group.changes[i];
    }
    arrived_.notify_all();
  }
  static std::size_t PartitionOf(const StoredMessage& message) {
    return std::hash<std::string>()(message.key) % kPartitions;
  }
  static bool IsFor(const StoredMessage& message, const std::string& group) {
    return message.redriven.empty() || message.redriven == SUMMA_BUS_EVERYBODY ||
           message.redriven == group;
  }
  Group& FindGroup(std::string_view stream, std::string_view group) SUMMA_REQUIRES(mutex_) {
    const auto found = groups_.find({std::string(stream), std::string(group)});
    if (found != groups_.end()) return found->second;
    throw Error(SUMMA_E_NOT_FOUND, "SH-0607",
                "the stream " + std::string(stream) + " has no group " + std::string(group));
  }
  struct SeenGroup {
    std::string stream, name;
    std::int64_t pending = 0, lag = 0;
    std::uint64_t position = 0, lowest = 0;
  };
  // Of one stream, or with an empty name of all.
  std::vector<SeenGroup> GroupsOf(std::string_view stream) const {
    const MutexLock lock(mutex_);
    std::vector<SeenGroup> seen;
    for (const auto& [name, state] : groups_) {
      if (!stream.empty() && name.first != stream) continue;
      const std::uint64_t position =
          Has(SUMMA_BUS_CLAIMS) ? state.last_delivered
                                : *std::max_element(state.settled.begin(), state.settled.end());
      SeenGroup group{name.first, name.second, 0, 0, position, 0};
      for (const StoredMessage& message : stored_) {
        if (message.stream != name.first || !IsFor(message, name.second)) continue;
        const std::uint64_t reached =
            Has(SUMMA_BUS_CLAIMS) ? state.last_delivered : state.settled[PartitionOf(message)];
        if (message.entry > reached) ++group.lag;
      }
      group.pending = static_cast<std::int64_t>(state.pending.size());
      if (!state.pending.empty()) group.lowest = state.pending.begin()->first;
      seen.push_back(std::move(group));
    }
    return seen;
  }

  // One reader of a group.
  class Reader final : public Subscription {
   public:
    Reader(MemoryBus& bus, std::string stream, std::string group, std::string consumer,
           std::uint32_t flags)
        : bus_(bus),
          stream_(std::move(stream)),
          group_(std::move(group)),
          consumer_(std::move(consumer)),
          flags_(flags) {}

    std::span<const summa_bus_delivery> Poll(std::size_t max,
                                             std::chrono::microseconds wait) override {
      bus_.RequireHere();
      MutexLock lock(bus_.mutex_);
      given_.clear();
      const auto deadline = std::chrono::steady_clock::now() + wait;
      for (;;) {
        TakePending(max);
        TakeNew(max);
        if (!given_.empty() || std::chrono::steady_clock::now() >= deadline) break;
        // Looks by itself as well: for what is due, or may be taken over.
        constexpr std::chrono::milliseconds kPollInterval{5};
        bus_.arrived_.wait_until(
            lock, std::min(deadline, std::chrono::steady_clock::now() + kPollInterval));
      }
      deliveries_.clear();
      for (const Given& given : given_) {
        summa_bus_delivery delivery = Deliver(given.message, given.id);
        delivery.delivery_count = given.deliveries;
        delivery.recovered = given.recovered ? 1 : 0;
        deliveries_.push_back(delivery);
      }
      return deliveries_;
    }
    void Ack(std::span<const summa_str> delivery_ids) override {
      bus_.RequireHere();
      const MutexLock lock(bus_.mutex_);
      for (const summa_str id : delivery_ids) Forget(Entry(id));
    }
    void Settle(summa_str delivery_id) override {
      bus_.RequireHere();
      const MutexLock lock(bus_.mutex_);
      const std::uint64_t last = Entry(delivery_id);
      while (!outstanding_.empty() && *outstanding_.begin() <= last) {
        Forget(*outstanding_.begin());
      }
    }
    void Renew(std::span<const summa_str> delivery_ids, summa_bus_start start,
               std::span<std::uint8_t> held) override {
      bus_.RequireHere();
      const MutexLock lock(bus_.mutex_);
      for (std::size_t i = 0; i < delivery_ids.size(); ++i) {
        const auto pending = State().pending.find(Entry(delivery_ids[i]));
        held[i] = pending != State().pending.end() && pending->second.consumer == consumer_ ? 1 : 0;
        if (pending == State().pending.end()) continue;
        if (held[i] != 0) pending->second.since = bus_.now();
        if (held[i] == 0 && start != SUMMA_BUS_START_ENDED) continue;
        std::int64_t& deliveries = pending->second.deliveries;
        deliveries = std::max<std::int64_t>(0, deliveries + start);
      }
    }
    void Nack(std::span<const summa_str> delivery_ids, std::chrono::microseconds delay) override {
      const MutexLock lock(bus_.mutex_);
      for (const summa_str id : delivery_ids) returned_[Entry(id)] = bus_.now() + delay;
    }
    void DeadLetter(summa_str delivery_id, std::string_view reason) override {
      bus_.RequireHere();
      if (bus_.refuse_dead_letters) {
        throw Error(SUMMA_E_UNAVAILABLE, "SH-0601", "the dead letters cannot be written");
      }
      const MutexLock lock(bus_.mutex_);
      const std::uint64_t entry = Entry(delivery_id);
      const auto pending = State().pending.find(entry);
      const StoredMessage* message = bus_.Find(entry);
      const bool mine = pending != State().pending.end() && pending->second.consumer == consumer_;
      if (mine && message != nullptr) {
        StoredDeadLetter letter;
        letter.message = *message;
        letter.message.redriven.clear();
        letter.source_id = std::to_string(entry);
        letter.group = group_;
        letter.error = Beginning(reason, DeadLetterStream::kMaximumError);
        letter.deliveries = pending->second.deliveries;
        letter.entry = ++bus_.last_entry_;
        letter.died_at = bus_.now();
        bus_.dead_letters_.push_back(std::move(letter));
      }
      if (mine) Forget(entry);
    }

   private:
    struct Given {
      StoredMessage message;
      std::string id;
      std::int64_t deliveries;
      bool recovered;
    };
    static std::uint64_t Entry(summa_str id) { return std::stoull(std::string(FromAbi(id))); }
    Group& State() SUMMA_REQUIRES(bus_.mutex_) { return bus_.groups_[{stream_, group_}]; }
    void Forget(std::uint64_t entry) SUMMA_REQUIRES(bus_.mutex_) {
      State().pending.erase(entry);
      outstanding_.erase(entry);
      returned_.erase(entry);
    }

    bool Due(std::uint64_t entry, const Pending& pending) const SUMMA_REQUIRES(bus_.mutex_) {
      const BusTime current = bus_.now();
      if (current - pending.since >= bus_.claim_after) return true;
      if (pending.consumer != consumer_) return false;
      const auto returned = returned_.find(entry);
      if (returned != returned_.end()) return returned->second <= current;
      return !outstanding_.contains(entry);
    }
    void TakePending(std::size_t max) SUMMA_REQUIRES(bus_.mutex_) {
      Group& state = State();
      for (auto next = state.pending.begin(); next != state.pending.end() && given_.size() < max;) {
        auto pending = next++;
        if (!Due(pending->first, pending->second)) continue;
        const StoredMessage* message = bus_.Find(pending->first);
        if (message == nullptr) {
          ++bus_.lost_;
          state.pending.erase(pending);
          continue;
        }
        pending->second.consumer = consumer_;
        pending->second.since = bus_.now();
        if ((flags_ & SUMMA_BUS_COUNT_STARTS) == 0) ++pending->second.deliveries;
        returned_.erase(pending->first);
        Give(*message, pending->second.deliveries, true);
      }
    }
    void TakeNew(std::size_t max) SUMMA_REQUIRES(bus_.mutex_) {
      Group& state = State();
      auto message = std::upper_bound(
          bus_.stored_.begin(), bus_.stored_.end(), state.last_delivered,
          [](std::uint64_t last, const StoredMessage& stored) { return last < stored.entry; });
      for (; message != bus_.stored_.end() && given_.size() < max; ++message) {
        state.last_delivered = message->entry;
        if (message->stream != stream_) continue;
        if (!IsFor(*message, group_)) continue;
        state.pending[message->entry] = {consumer_, 1, bus_.now()};
        Give(*message, 1, false);
      }
    }
    void Give(const StoredMessage& message, std::int64_t deliveries, bool recovered)
        SUMMA_REQUIRES(bus_.mutex_) {
      outstanding_.insert(message.entry);
      given_.push_back({message, std::to_string(message.entry), deliveries, recovered});
    }

    MemoryBus& bus_;
    const std::string stream_, group_, consumer_;
    const std::uint32_t flags_;
    std::vector<Given> given_ SUMMA_GUARDED_BY(bus_.mutex_);
    std::vector<summa_bus_delivery> deliveries_;  // of the thread that polls
    // Given and not settled; given back, and when they are due.
    std::set<std::uint64_t> outstanding_ SUMMA_GUARDED_BY(bus_.mutex_);
    std::map<std::uint64_t, BusTime> returned_ SUMMA_GUARDED_BY(bus_.mutex_);
  };

  // A reader of a group on a bus that has no claims: in each partition that it has, it begins
  // behind what is settled.
  class CoreReader final : public Subscription {
   public:
    // Under the lock of the bus.
    CoreReader(MemoryBus& bus, std::string stream, std::string group)
        : bus_(bus), stream_(std::move(stream)), group_(std::move(group)), id_(++bus.readers_) {
      State().readers.push_back(id_);
      bus_.Share(State());
    }
    ~CoreReader() override {
      const MutexLock lock(bus_.mutex_);
      const auto found = bus_.groups_.find({stream_, group_});
      if (found == bus_.groups_.end()) return;
      std::erase(found->second.readers, id_);
      bus_.Share(found->second);
    }
    CoreReader(const CoreReader&) = delete;
    CoreReader& operator=(const CoreReader&) = delete;
    std::span<const summa_bus_delivery> Poll(std::size_t max,
                                             std::chrono::microseconds wait) override {
      bus_.RequireHere();
      MutexLock lock(bus_.mutex_);
      messages_.clear();
      const auto deadline = std::chrono::steady_clock::now() + wait;
      for (;;) {
        NoticeChanges();
        Take(max);
        const bool lost = std::find(lost_.begin(), lost_.end(), true) != lost_.end();
        if (!messages_.empty() || lost || std::chrono::steady_clock::now() >= deadline) break;
        bus_.arrived_.wait_until(lock, deadline);
      }
      deliveries_.clear();
      ids_.clear();
      ids_.reserve(messages_.size());
      for (const StoredMessage& message : messages_) {
        summa_bus_delivery delivery =
            Deliver(message, ids_.emplace_back(std::to_string(message.entry)));
        delivery.partition = static_cast<std::uint32_t>(PartitionOf(message));
        deliveries_.push_back(delivery);
      }
      return deliveries_;
    }
    void Settle(summa_str delivery_id) override {
      bus_.RequireHere();
      const MutexLock lock(bus_.mutex_);
      const std::uint64_t entry = std::stoull(std::string(FromAbi(delivery_id)));
      const StoredMessage* message = bus_.Find(entry);
      if (message == nullptr) return;
      NoticeChanges();
      const std::size_t partition = PartitionOf(*message);
      if (!Reads(partition)) return;
      std::uint64_t& settled = State().settled[partition];
      settled = std::max(settled, entry);
    }
    std::span<const std::uint32_t> Revoked() override {
      const MutexLock lock(bus_.mutex_);
      NoticeChanges();
      revoked_.clear();
      for (std::uint32_t i = 0; i < kPartitions; ++i) {
        if (std::exchange(lost_[i], false)) revoked_.push_back(i);
      }
      return revoked_;
    }

   private:
    Group& State() SUMMA_REQUIRES(bus_.mutex_) { return bus_.groups_[{stream_, group_}]; }
    void NoticeChanges() SUMMA_REQUIRES(bus_.mutex_) {
      const Group& state = State();
      for (std::size_t i = 0; i < kPartitions; ++i) {
        if (std::exchange(noticed_[i], state.changes[i]) == state.changes[i]) continue;
        lost_[i] = lost_[i] || has_[i];
        has_[i] = state.owners[i] == id_;
        given_[i] = state.settled[i];
      }
    }
    bool Reads(std::size_t partition) const SUMMA_REQUIRES(bus_.mutex_) {
      return has_[partition] && !lost_[partition];
    }
    void Take(std::size_t max) SUMMA_REQUIRES(bus_.mutex_) {
      for (const StoredMessage& message : bus_.stored_) {
        if (messages_.size() >= max) return;
        const std::size_t partition = PartitionOf(message);
        std::uint64_t& given = given_[partition];
        if (!Reads(partition) || message.stream != stream_ || message.entry <= given) continue;
        given = message.entry;
        if (IsFor(message, group_)) messages_.push_back(message);
      }
    }

    MemoryBus& bus_;
    const std::string stream_, group_;
    const std::uint64_t id_;
    std::array<std::uint64_t, kPartitions> given_ SUMMA_GUARDED_BY(bus_.mutex_){};
    std::array<std::uint64_t, kPartitions> noticed_ SUMMA_GUARDED_BY(bus_.mutex_){};
    std::array<bool, kPartitions> has_ SUMMA_GUARDED_BY(bus_.mutex_){};
    std::array<bool, kPartitions> lost_ SUMMA_GUARDED_BY(bus_.mutex_){};  // revoked() names them
    // Of the thread that polls.
    std::vector<StoredMessage> messages_;
    std::vector<std::string> ids_;
    std::vector<summa_bus_delivery> deliveries_;
    std::vector<std::uint32_t> revoked_;
  };

  const std::uint32_t capabilities_;
  mutable Mutex mutex_;
  ConditionVariable arrived_;
  std::uint64_t readers_ SUMMA_GUARDED_BY(mutex_) = 0;
  // By stream and group.
  std::map<std::pair<std::string, std::string>, Group> groups_ SUMMA_GUARDED_BY(mutex_);
  std::size_t lost_ SUMMA_GUARDED_BY(mutex_) = 0;
  std::vector<StoredMessage> stored_ SUMMA_GUARDED_BY(mutex_);
  std::vector<StoredDeadLetter> dead_letters_ SUMMA_GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t, std::less<>> removed_ SUMMA_GUARDED_BY(mutex_);
  std::uint64_t last_entry_ SUMMA_GUARDED_BY(mutex_) = 0;
  std::size_t publish_calls_ SUMMA_GUARDED_BY(mutex_) = 0;
};

}  // namespace summa::testkit
