// What stands for the application: a consumer group on every stream of the ledger.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tests/demo/message_source.hpp"

namespace summa::demo {

// The 16 bytes of a UUID; half of its text.
struct Uuid {
  std::uint64_t high = 0, low = 0;
  friend bool operator==(const Uuid&, const Uuid&) = default;
};
std::optional<Uuid> ParseUuid(std::string_view text);

// One stream and one ordering key in it: within these, order holds.
struct Lane {
  Uuid key;
  std::uint32_t topic = 0;  // index into kTopics
  friend bool operator==(const Lane&, const Lane&) = default;
};

struct Hash {
  // UUIDs of version 4 are random; made ones differ in the low half.
  std::size_t operator()(const Uuid& id) const { return id.high * 0x9E3779B97F4A7C15u ^ id.low; }
  std::size_t operator()(const Lane& lane) const { return (*this)(lane.key) * 31 + lane.topic; }
};

// One message as the consumer got it.
struct Arrival {
  Uuid id;
  Lane lane;
  std::int64_t position = -1;  // as the message says; -1: it says none
  std::int64_t unix_microseconds = 0;
};

struct ConsumerCounts {
  long long received = 0;  // distinct ids
  long long messages = 0;  // all, also repeated ones
  long long duplicates = 0;
  long long out_of_order = 0;
  long long malformed = 0;  // without id or key, or with another type than its stream
};

// Reads the streams in one thread, so that the order in which messages came is the order in which
// they are noted. Start and Finish from one thread, the rest from any. A lost connection ends the
// reading; Error then says why.
class Consumer {
 public:
  explicit Consumer(std::unique_ptr<MessageSource> source) : source_(std::move(source)) {}
  ~Consumer();  // stops without reading the rest
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Makes the group; what is published from now on is received. Throws std::runtime_error.
  void Start();
  // Reads until nothing is left, then ends the thread.
  void Finish();

  ConsumerCounts Counts() const;
  // First occurrences since the last call.
  std::vector<Arrival> TakeNew();
  // Everything, in the order in which it came. After Finish only.
  const std::vector<Arrival>& Arrivals() const { return arrivals_; }
  std::string Error() const;
  // What the streams hold. After Finish only. Throws std::runtime_error.
  HeldMessages Held() const { return source_->Held(); }

 private:
  void Run();
  void Take(const Message& message);
  void Note(const Arrival& arrival);

  const std::unique_ptr<MessageSource> source_;
  std::thread thread_;
  std::atomic<bool> finishing_{false}, aborted_{false};
  mutable std::mutex mutex_;  // for all below
  std::vector<Arrival> arrivals_;
  std::vector<Arrival> new_;
  std::unordered_set<Uuid, Hash> seen_;
  std::unordered_map<Lane, std::int64_t, Hash> last_position_;
  ConsumerCounts counts_;
  std::string error_;
};

}  // namespace summa::demo
