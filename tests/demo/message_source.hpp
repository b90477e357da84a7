// Where the consumer of the demo reads: a consumer group on every stream of the ledger, on some bus,
// by a client of that bus that is not the host's.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace summa::demo {

inline constexpr char kKeyPrefix[] = "summa";
inline constexpr char kGroup[] = "summa-demo";

// Every topic a ledger writes to; a stream each.
inline constexpr std::array<const char*, 10> kTopics = {
    "ledger-account-created", "ledger-account-credited", "ledger-account-debited",
    "ledger-account-frozen",  "ledger-account-unfrozen", "ledger-account-closed",
    "ledger-hold-created",    "ledger-hold-committed",   "ledger-hold-voided",
    "ledger-hold-expired"};

// As it was read; borrowed.
struct Message {
  std::uint32_t topic = kTopics.size();  // index into kTopics; behind them: none of them
  std::string_view id, key, type, position;
  std::int64_t unix_microseconds = 0;  // when the read returned
};

struct HeldMessages {
  long long messages = 0, unacknowledged = 0;
};

// Errors: std::runtime_error.
class MessageSource {
 public:
  virtual ~MessageSource() = default;
  // What is published from now on is read.
  virtual void MakeGroup() = 0;
  // Waits a moment for messages, gives away each, and acknowledges them. Returns how many came. From
  // one thread.
  virtual long long Read(const std::function<void(const Message&)>& take) = 0;
  // What the streams hold. When nothing is read any more.
  virtual HeldMessages Held() = 0;
};

std::unique_ptr<MessageSource> ReadRedis(std::string socket_path);
// is_mock: topics make themselves.
std::unique_ptr<MessageSource> ReadKafka(std::string brokers, int partitions, bool is_mock);

inline std::uint32_t TopicNumber(std::string_view topic) {
  std::uint32_t number = 0;
  while (number < kTopics.size() && topic != kTopics[number]) ++number;
  return number;
}

// The clock PostgreSQL stamps commits with.
inline std::int64_t NowMicroseconds() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace summa::demo
