#include "host/process/message.hpp"

#include <cstring>

namespace summa::host {
namespace {

// kind, id, the size of the parts together.
constexpr std::size_t kHeadBytes = 4 + 8 + 4;

template <typename Number>
void Append(std::string& text, Number number) {
  char bytes[sizeof number];  // both ends are the same machine
  std::memcpy(bytes, &number, sizeof number);
  text.append(bytes, sizeof number);
}

template <typename Number>
std::optional<Number> Take(std::string_view& bytes) {
  if (bytes.size() < sizeof(Number)) return std::nullopt;
  Number number{};
  std::memcpy(&number, bytes.data(), sizeof number);
  bytes.remove_prefix(sizeof number);
  return number;
}

bool IsKind(std::uint32_t kind) {
  return kind >= static_cast<std::uint32_t>(MessageKind::kSetUp) &&
         kind <= static_cast<std::uint32_t>(MessageKind::kReload);
}

}  // namespace

std::string EncodeParts(const std::vector<std::string>& parts) {
  std::string text;
  Append(text, static_cast<std::uint32_t>(parts.size()));
  for (const std::string& part : parts) {
    Append(text, static_cast<std::uint32_t>(part.size()));
    text += part;
  }
  return text;
}

std::optional<std::vector<std::string>> DecodeParts(std::string_view bytes) {
  const auto count = Take<std::uint32_t>(bytes);
  if (!count || *count > kMaxMessageParts) return std::nullopt;
  std::vector<std::string> parts;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto size = Take<std::uint32_t>(bytes);
    if (!size || *size > bytes.size()) return std::nullopt;
    parts.emplace_back(bytes.substr(0, *size));
    bytes.remove_prefix(*size);
  }
  if (!bytes.empty()) return std::nullopt;
  return parts;
}

std::string Encode(const Message& message) {
  // Before anything is copied.
  std::size_t size = 4;
  for (const std::string& part : message.parts) size += 4 + part.size();
  if (size > kMaxMessageBytes || message.parts.size() > kMaxMessageParts) {
    throw MessageProblem("a message of " + std::to_string(size) + " bytes is too large");
  }
  std::string text;
  text.reserve(kHeadBytes + size);
  Append(text, static_cast<std::uint32_t>(message.kind));
  Append(text, message.id);
  Append(text, static_cast<std::uint32_t>(size));
  text += EncodeParts(message.parts);
  return text;
}

std::optional<Message> MessageReader::Next() {
  std::string_view bytes = bytes_;
  if (bytes.size() < kHeadBytes) return std::nullopt;
  const std::uint32_t kind = *Take<std::uint32_t>(bytes);
  Message message;
  message.kind = static_cast<MessageKind>(kind);
  message.id = *Take<std::uint64_t>(bytes);
  const std::size_t size = *Take<std::uint32_t>(bytes);
  if (!IsKind(kind) || size > kMaxMessageBytes) throw MessageProblem("it is not a message");
  if (bytes.size() < size) return std::nullopt;
  std::optional<std::vector<std::string>> parts = DecodeParts(bytes.substr(0, size));
  if (!parts) throw MessageProblem("a message has broken parts");
  message.parts = *std::move(parts);
  bytes_.erase(0, kHeadBytes + size);
  return message;
}

}  // namespace summa::host
