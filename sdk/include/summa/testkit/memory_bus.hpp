// A bus in memory for tests: keeps every message, and fails as it is told.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <summa/bus.hpp>
#include <summa/error.hpp>

namespace summa::testkit {

struct StoredMessage {
  std::string stream, id, type, key, payload, timestamp, correlation_id;
  std::int64_t position = SUMMA_BUS_NO_POSITION;
  std::string redriven;
  // Of the bus: counts up over all streams from 1, and never comes again.
  std::uint64_t entry = 0;
  std::int64_t entered_at_microseconds = 0;
};

struct StoredDeadLetter {
  StoredMessage message;
  std::string source_id, group, error;
  std::int64_t deliveries = 0;
  std::uint64_t entry = 0;
  std::int64_t died_at_microseconds = 0;
};

// Publishing and reading; no consumer groups. Thread-safe.
class MemoryBus final : public Bus {
 public:
  std::uint64_t MaxMessageBytes() const override { return max_message_bytes; }

  void Publish(std::span<const summa_bus_message> messages,
               std::span<summa_bus_receipt> receipts) override {
    const std::lock_guard lock(mutex_);
    ++publish_calls_;
    std::set<std::string> failed_streams;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const summa_bus_message& message = messages[i];
      receipts[i] = {SUMMA_BUS_UNSENT, ""};
      const std::string stream(FromAbi(message.stream));
      const int outcome = failed_streams.contains(stream) ? SUMMA_BUS_UNSENT : Outcome(message);
      receipts[i].outcome = outcome;
      if (outcome == SUMMA_BUS_CONFIRMED) {
        Store(Copy(message));
        continue;
      }
      failed_streams.insert(stream);
      if (outcome != SUMMA_BUS_UNSENT) detail::CopyText(receipts[i].error, "told to fail");
    }
    if (away) throw Error(SUMMA_E_UNAVAILABLE, "SH-0601", "the memory bus is away");
  }

  std::unique_ptr<Subscription> Subscribe(std::string_view, std::string_view,
                                          std::string_view) override {
    throw Error(SUMMA_E_NOT_FOUND, "", "the memory bus has no consumer groups");
  }
  void Ping() override { RequireHere(); }
  void Read(std::string_view, std::string_view, std::size_t, const OnDelivery&) override {}

  void Scan(const ScanOptions& options, const OnDelivery& on_message) override {
    RequireHere();
    std::uint64_t left = options.limit == 0 ? UINT64_MAX : options.limit;
    const std::uint64_t after = options.after.empty() ? 0 : std::stoull(options.after);
    for (const StoredMessage& message : Stored()) {
      if (left == 0) return;
      if (message.stream != options.stream || message.entry <= after) continue;
      if (message.entered_at_microseconds < options.since_microseconds) continue;
      --left;
      const std::string id = std::to_string(message.entry);
      if (!on_message(Deliver(message, id))) return;
    }
  }
  summa_bus_horizon Horizon(std::string_view stream) override {
    RequireHere();
    const std::lock_guard lock(mutex_);
    summa_bus_horizon horizon = EmptyHorizon();
    horizon.now_microseconds = now();
    const auto removed = removed_.find(stream);
    if (removed != removed_.end()) horizon.removed = removed->second;
    for (const StoredMessage& message : stored_) {
      if (message.stream != stream) continue;
      if (horizon.held++ == 0) horizon.oldest_microseconds = message.entered_at_microseconds;
      horizon.newest_microseconds = message.entered_at_microseconds;
    }
    horizon.exists = horizon.held + horizon.removed > 0 ? 1 : 0;
    return horizon;
  }
  void DeadLetters(std::string_view stream, std::string_view after,
                   const OnDeadLetter& on_letter) override {
    RequireHere();
    const std::uint64_t behind = after.empty() ? 0 : std::stoull(std::string(after));
    for (const StoredDeadLetter& letter : StoredDeadLetters()) {
      if (letter.entry <= behind || (!stream.empty() && letter.message.stream != stream)) continue;
      const std::string id = std::to_string(letter.entry);
      if (!on_letter({Deliver(letter.message, id).message, ToAbi(id), ToAbi(letter.source_id),
                      ToAbi(letter.group), ToAbi(letter.error), letter.deliveries,
                      letter.died_at_microseconds})) {
        return;
      }
    }
  }
  void Redrive(std::string_view stream, std::span<const summa_str> dead_letter_ids,
               std::uint64_t& done) override {
    RequireHere();
    const std::lock_guard lock(mutex_);
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
    RequireHere();
    const std::lock_guard lock(mutex_);
    for (const summa_str id : dead_letter_ids) done += TakeLetter(stream, id) ? 1 : 0;
  }

  // What trimming or a foreign program does: removes messages, whoever still needs them.
  std::size_t Remove(const std::function<bool(const StoredMessage&)>& which) {
    const std::lock_guard lock(mutex_);
    return std::erase_if(stored_, [&](const StoredMessage& message) {
      if (!which(message)) return false;
      ++removed_[message.stream];
      return true;
    });
  }
  // What a consumer does that gives a message up.
  void AddDeadLetter(StoredDeadLetter letter) {
    const std::lock_guard lock(mutex_);
    letter.entry = ++last_entry_;
    letter.died_at_microseconds = now();
    dead_letters_.push_back(std::move(letter));
  }
  std::vector<StoredDeadLetter> StoredDeadLetters() const {
    const std::lock_guard lock(mutex_);
    return dead_letters_;
  }

  std::vector<StoredMessage> Stored() const {
    const std::lock_guard lock(mutex_);
    return stored_;
  }
  std::size_t publish_calls() const {
    const std::lock_guard lock(mutex_);
    return publish_calls_;
  }

  // Set before publishing, or between ticks of the same thread.
  std::uint64_t max_message_bytes = 1 << 20;
  bool away = false;
  // Decides the outcome of a message; CONFIRMED when empty.
  std::function<int(const summa_bus_message&)> decide;
  // The clock of the bus: microseconds since 1970. Called under the lock.
  std::function<std::int64_t()> now = [] {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };

 private:
  void RequireHere() const {
    if (away) throw Error(SUMMA_E_UNAVAILABLE, "SH-0601", "the memory bus is away");
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
    return copy;
  }
  // Borrows from both.
  static summa_bus_delivery Deliver(const StoredMessage& message, const std::string& id) {
    return {{ToAbi(message.stream), ToAbi(message.id), ToAbi(message.type), ToAbi(message.key),
             ToAbi(message.payload), ToAbi(message.timestamp), ToAbi(message.correlation_id),
             message.position, ToAbi(message.redriven)},
            ToAbi(id),
            1,
            message.entered_at_microseconds};
  }
  void Store(StoredMessage message) {
    message.entry = ++last_entry_;
    message.entered_at_microseconds = now();
    stored_.push_back(std::move(message));
  }
  std::optional<StoredDeadLetter> TakeLetter(std::string_view stream, summa_str id) {
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
    return decide ? decide(message) : SUMMA_BUS_CONFIRMED;
  }
  mutable std::mutex mutex_;
  std::vector<StoredMessage> stored_;
  std::vector<StoredDeadLetter> dead_letters_;
  std::map<std::string, std::uint64_t, std::less<>> removed_;
  std::uint64_t last_entry_ = 0;
  std::size_t publish_calls_ = 0;
};

}  // namespace summa::testkit
