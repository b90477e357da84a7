// The form of a message on a bus that carries it as named texts, such as the fields of an entry or
// the headers of a record. The names are the same on every bus. Link Summa::bus_plugin.
#pragma once

#include <summa/abi/bus.h>
#include <summa/error.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace summa {

// Maximum number of fields of one message.
inline constexpr std::size_t kEnvelopeFields = 9;

// Calls use(name, value) for each field that the message has; the first five are always there. A
// value is borrowed from the message, except the position, which is borrowed from `number` during
// the call.
template <typename Use>
void ForEachField(const summa_bus_message& message, std::array<char, 24>& number, Use&& use) {
  use("id", FromAbi(message.id));
  use("type", FromAbi(message.type));
  use("payload", FromAbi(message.payload));
  use("timestamp", FromAbi(message.timestamp));
  use("key", FromAbi(message.key));
  if (message.position != SUMMA_BUS_NO_POSITION) {
    char* const end =
        std::to_chars(number.data(), number.data() + number.size(), message.position).ptr;
    use("position", std::string_view(number.data(), static_cast<std::size_t>(end - number.data())));
  }
  if (message.correlation_id.size != 0) use("correlationId", FromAbi(message.correlation_id));
  if (message.redriven.size != 0) use("redriven", FromAbi(message.redriven));
  if (message.note.size != 0) use("note", FromAbi(message.note));
}

// Stores a field in the message; the value is borrowed. Unknown names are ignored.
void ReadField(std::string_view name, std::string_view value, summa_bus_message& message);
// Leaves `value` unchanged when `text` is not a number.
void ReadInteger(std::string_view text, std::int64_t& value);

inline constexpr std::size_t kMaximumStreamName = 200;
inline constexpr std::size_t kMaximumGroupName = 200;

// [A-Za-z0-9._-], 1 to 200 bytes.
bool IsStreamName(std::string_view name);
// Throw SUMMA_E_USAGE SH-0605.
void RequireStreamName(std::string_view name);
// what: "group" or "consumer". No group is called SUMMA_BUS_EVERYBODY.
void RequireGroupName(std::string_view what, std::string_view name);

}  // namespace summa
