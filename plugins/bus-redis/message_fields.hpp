// How a message stands in a Redis stream: the fields of summa/bus_envelope.hpp; a dead letter has
// error, deliveries, group and sourceId as well. The one place that knows them.
#pragma once

#include <summa/abi/bus.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <summa/bus_envelope.hpp>
#include <summa/time.hpp>

#include "plugins/bus-redis/reply.hpp"

namespace summa::bus_redis {

// The arguments of one XADD. Views point into the message, the key and this object.
class AddCommand {
 public:
  std::span<const std::string_view> Build(std::string_view stream_key,
                                          const summa_bus_message& message);

 private:
  std::array<std::string_view, 3 + 2 * kEnvelopeFields> arguments_;
  std::array<char, 24> position_{};
};

// What goes over the wire for one message, nearly: for the bound of a pipeline.
std::size_t WireBytes(const summa_bus_message& message);

// Reads an entry [id, [field, value, ...]] of a reply into `delivery`; views point into the reply
// and `stream`. Fields that are absent stay empty. False: the entry was deleted from the stream and
// only its id is left (delivery_id is set), or `entry` is none.
bool ReadEntry(const redisReply& entry, std::string_view stream, summa_bus_delivery& delivery);

// The same for an entry of a stream of dead letters; its message.stream stays empty.
bool ReadDeadLetter(const redisReply& entry, summa_bus_dead_letter& letter);

// A field that a dead letter has beside those of its message, or a mark of an earlier redrive: not
// sent again.
bool IsDeadLetterField(std::string_view name);

// When the entry with this id entered; nullopt when it is no entry id.
std::optional<BusTime> EntryTime(std::string_view id);
// The smallest id of what entered then or later; before 1970 nothing did.
std::string FirstEntryId(BusTime time);

// "1700000000000-5" -> "1700000000000-6": the smallest id after `id`. Empty when `id` is no entry
// id.
std::string NextEntryId(std::string_view id);

}  // namespace summa::bus_redis
