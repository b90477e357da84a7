#include "tests/demo/consumer.hpp"

#include <charconv>
#include <exception>

namespace summa::demo {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Whether it is an event of its stream.
bool ReadMessage(const Message& message, Arrival& arrival) {
  const std::optional<Uuid> id = ParseUuid(message.id), key = ParseUuid(message.key);
  if (!id || !key || message.topic >= kTopics.size() || message.type != kTopics[message.topic]) {
    return false;
  }
  arrival.id = *id;
  arrival.lane = {*key, message.topic};
  arrival.unix_microseconds = message.unix_microseconds;
  std::from_chars(message.position.data(), message.position.data() + message.position.size(),
                  arrival.position);
  return true;
}

}  // namespace

std::optional<Uuid> ParseUuid(std::string_view text) {
  constexpr std::size_t kLength = 36;
  if (text.size() != kLength) return std::nullopt;
  Uuid id;
  for (std::size_t i = 0; i < kLength; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const int digit = HexDigit(text[i]);
    if (dash != (text[i] == '-') || (!dash && digit < 0)) return std::nullopt;
    if (dash) continue;
    std::uint64_t& half = i < 19 ? id.high : id.low;
    half = half << 4 | static_cast<std::uint64_t>(digit);
  }
  return id;
}

Consumer::~Consumer() {
  aborted_ = true;
  if (thread_.joinable()) thread_.join();
}

void Consumer::Start() {
  source_->MakeGroup();
  thread_ = std::thread([this] { Run(); });
}

void Consumer::Finish() {
  finishing_ = true;
  if (thread_.joinable()) thread_.join();
}

void Consumer::Run() {
  try {
    while (!aborted_) {
      // Asked before the read: nothing is published any more, so an empty answer is the end.
      const bool finishing = finishing_;
      const auto count = source_->Read([this](const Message& message) { Take(message); });
      if (count == 0 && finishing) return;
    }
  } catch (const std::exception& failure) {
    const std::lock_guard lock(mutex_);
    error_ = failure.what();
  }
}

void Consumer::Take(const Message& message) {
  Arrival arrival;
  const bool known = ReadMessage(message, arrival);
  const std::lock_guard lock(mutex_);
  if (known) return Note(arrival);
  ++counts_.malformed;
  ++counts_.messages;
}

void Consumer::Note(const Arrival& arrival) {
  arrivals_.push_back(arrival);
  ++counts_.messages;
  if (!seen_.insert(arrival.id).second) {
    ++counts_.duplicates;
    return;
  }
  ++counts_.received;
  new_.push_back(arrival);
  std::int64_t& last = last_position_.try_emplace(arrival.lane, -1).first->second;
  if (arrival.position < last) ++counts_.out_of_order;
  if (arrival.position > last) last = arrival.position;
}

ConsumerCounts Consumer::Counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::vector<Arrival> Consumer::TakeNew() {
  const std::lock_guard lock(mutex_);
  return std::exchange(new_, {});
}

std::string Consumer::Error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

}  // namespace summa::demo
