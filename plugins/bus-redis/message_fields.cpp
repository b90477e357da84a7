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
// is none. `whole`: the entry has its fields; it was not deleted.
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

std::span<const std::string_view> AddCommand::Build(std::string_view stream_key,
                                                    const summa_bus_message& message) {
  std::size_t count = 0;
  const auto add = [&](std::string_view argument) { arguments_[count++] = argument; };
  add("XADD");
  add(stream_key);
  add("*");
  ForEachField(message, position_, [&](std::string_view name, std::string_view value) {
    add(name);
    add(value);
  });
  return {arguments_.data(), count};
}

std::size_t WireBytes(const summa_bus_message& message) {
  return kWireOverheadBytes + message.stream.size + message.id.size + message.type.size +
         message.key.size + message.payload.size + message.timestamp.size +
         message.correlation_id.size + message.note.size;
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
