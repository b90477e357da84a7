#include "plugins/bus-redis/message_fields.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <summa/bus.hpp>
#include <summa/error.hpp>
#include <system_error>

namespace summa::bus_redis {
namespace {

// Lengths, field names and separators of the protocol around the values of one XADD.
constexpr std::size_t kWireOverheadBytes = 256;

bool ParseUnsigned(std::string_view text, std::uint64_t& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc{} && end == text.data() + text.size() && !text.empty();
}

// Leaves `value` as it is when `text` is no number.
void ReadInteger(std::string_view text, std::int64_t& value) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure == std::errc{} && end == text.data() + text.size()) value = number;
}

void ReadField(std::string_view name, std::string_view value, summa_bus_message& message) {
  if (name == "id") {
    message.id = ToAbi(value);
  } else if (name == "type") {
    message.type = ToAbi(value);
  } else if (name == "payload") {
    message.payload = ToAbi(value);
  } else if (name == "timestamp") {
    message.timestamp = ToAbi(value);
  } else if (name == "key") {
    message.key = ToAbi(value);
  } else if (name == "correlationId") {
    message.correlation_id = ToAbi(value);
  } else if (name == "position") {
    ReadInteger(value, message.position);
  } else if (name == "redriven") {
    message.redriven = ToAbi(value);
  }
}

void ReadDeadLetterField(std::string_view name, std::string_view value,
                         summa_bus_dead_letter& letter) {
  if (name == "error") {
    letter.error = ToAbi(value);
  } else if (name == "deliveries") {
    ReadInteger(value, letter.deliveries);
  } else if (name == "group") {
    letter.group = ToAbi(value);
  } else if (name == "sourceId") {
    letter.source_id = ToAbi(value);
  } else {
    ReadField(name, value, letter.message);
  }
}

// Calls `read` for every field of an entry [id, [field, value, ...]]; the id, or empty when `entry`
// is none. `whole`: the entry has its fields, it was not deleted.
template <typename Read>
std::string_view ReadFields(const redisReply& entry, bool& whole, Read&& read) {
  whole = false;
  if (!IsArray(entry) || entry.elements != 2) return {};
  const redisReply& fields = *entry.element[1];
  whole = IsArray(fields);
  for (std::size_t i = 0; whole && i + 1 < fields.elements; i += 2) {
    read(Text(*fields.element[i]), Text(*fields.element[i + 1]));
  }
  return Text(*entry.element[0]);
}

}  // namespace

bool IsStreamName(std::string_view name) {
  if (name.empty() || name.size() > kMaximumStreamName) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

std::span<const std::string_view> AddCommand::Build(std::string_view stream_key,
                                                    const summa_bus_message& message) {
  std::size_t count = 0;
  const auto add = [&](std::string_view argument) { arguments_[count++] = argument; };
  const auto field = [&](std::string_view name, summa_str value) {
    add(name);
    add(FromAbi(value));
  };
  add("XADD");
  add(stream_key);
  add("*");
  field("id", message.id);
  field("type", message.type);
  field("payload", message.payload);
  field("timestamp", message.timestamp);
  field("key", message.key);
  if (message.position != SUMMA_BUS_NO_POSITION) {
    const auto end =
        std::to_chars(position_.data(), position_.data() + position_.size(), message.position).ptr;
    add("position");
    add({position_.data(), static_cast<std::size_t>(end - position_.data())});
  }
  if (message.correlation_id.size != 0) field("correlationId", message.correlation_id);
  if (message.redriven.size != 0) field("redriven", message.redriven);
  return {arguments_.data(), count};
}

std::size_t WireBytes(const summa_bus_message& message) {
  return kWireOverheadBytes + message.stream.size + message.id.size + message.type.size +
         message.key.size + message.payload.size + message.timestamp.size +
         message.correlation_id.size;
}

bool ReadEntry(const redisReply& entry, std::string_view stream, summa_bus_delivery& delivery) {
  delivery = summa_bus_delivery{};
  delivery.message.stream = ToAbi(stream);
  delivery.message.position = SUMMA_BUS_NO_POSITION;
  bool whole = false;
  const std::string_view id =
      ReadFields(entry, whole, [&](std::string_view name, std::string_view value) {
        ReadField(name, value, delivery.message);
      });
  delivery.delivery_id = ToAbi(id);
  delivery.entered_at_microseconds = FromBusTime(EntryTime(id));
  return whole;
}

bool ReadDeadLetter(const redisReply& entry, summa_bus_dead_letter& letter) {
  letter = summa_bus_dead_letter{};
  letter.message.position = SUMMA_BUS_NO_POSITION;
  bool whole = false;
  const std::string_view id =
      ReadFields(entry, whole, [&](std::string_view name, std::string_view value) {
        ReadDeadLetterField(name, value, letter);
      });
  letter.dead_letter_id = ToAbi(id);
  letter.died_at_microseconds = FromBusTime(EntryTime(id));
  return whole;
}

bool IsDeadLetterField(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kNames = {"error", "deliveries", "group",
                                                             "sourceId", "redriven"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

std::optional<BusTime> EntryTime(std::string_view id) {
  constexpr std::uint64_t kLast = std::numeric_limits<std::int64_t>::max() / 1000;
  std::uint64_t milliseconds = 0;
  if (!ParseUnsigned(id.substr(0, id.find('-')), milliseconds)) return std::nullopt;
  return FromMicroseconds<BusTime>(static_cast<std::int64_t>(std::min(milliseconds, kLast)) * 1000);
}

std::string FirstEntryId(BusTime time) {
  using std::chrono::milliseconds;
  const BusTime known = std::max(time, BusTime());
  return std::to_string(std::chrono::floor<milliseconds>(known).time_since_epoch().count()) + "-0";
}

std::string NextEntryId(std::string_view id) {
  const std::size_t dash = id.find('-');
  std::uint64_t milliseconds = 0;
  std::uint64_t sequence = 0;
  if (!ParseUnsigned(id.substr(0, dash), milliseconds)) return {};
  if (dash != std::string_view::npos && !ParseUnsigned(id.substr(dash + 1), sequence)) return {};
  constexpr auto kLast = std::numeric_limits<std::uint64_t>::max();
  if (sequence < kLast) return std::to_string(milliseconds) + "-" + std::to_string(sequence + 1);
  if (milliseconds < kLast) return std::to_string(milliseconds + 1) + "-0";
  return {};
}

}  // namespace summa::bus_redis
