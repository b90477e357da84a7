#include <summa/bus_envelope.hpp>

#include <algorithm>
#include <cstdint>
#include <system_error>

namespace summa {

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
  } else if (name == "note") {
    message.note = ToAbi(value);
  }
}

bool IsStreamName(std::string_view name) {
  if (name.empty() || name.size() > kMaximumStreamName) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

void RequireStreamName(std::string_view stream) {
  if (IsStreamName(stream)) return;
  throw Error(SUMMA_E_USAGE, "SH-0605",
              "\"" + std::string(stream) + "\" is not a valid name of a stream",
              "use 1 to 200 of the characters A-Z a-z 0-9 . _ -");
}

void RequireGroupName(std::string_view what, std::string_view name) {
  if (name.empty() || name.size() > kMaximumGroupName) {
    throw Error(
        SUMMA_E_USAGE, "SH-0605",
        "the name of the " + std::string(what) + " has " + std::to_string(name.size()) + " bytes",
        "give it a name of 1 to 200 bytes");
  }
  if (what != "group" || name != SUMMA_BUS_EVERYBODY) return;
  throw Error(SUMMA_E_USAGE, "SH-0605", "a group cannot be called " SUMMA_BUS_EVERYBODY,
              "this name means every group");
}

}  // namespace summa
