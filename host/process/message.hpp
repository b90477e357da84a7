// What a host and the process of a plugin say to each other, over a socket that only they have
// (decision 0055). Both are the same program, so there are no versions. Neither trusts the other's
// bytes: a process whose memory is broken must not break its host. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace summa::host {

enum class MessageKind : std::uint32_t {
  kSetUp = 1,  // of the host, first: what the process is to run
  kHello,      // of the process, first: [the holder of its leases]
  kRuns,       // of the process: the plugin has started
  kEnd,        // of the process, last: why it ends; without parts: because it was told to
  kRequest,    // of the host: a request over HTTP; `id` comes back with the answer
  kAnswer,     // of the process
  kGiveUp,     // of the host: nobody waits for the answer `id` any more
  kStop,       // of the host: let running work end, then end
  kReload,     // of the host: [the configuration as it is now]
};

struct Message {
  MessageKind kind{};
  std::uint64_t id = 0;
  std::vector<std::string> parts;
  bool operator==(const Message&) const = default;
};

// A route answers with 16 MiB at most, a request brings 64 MiB.
inline constexpr std::size_t kMaxMessageBytes = std::size_t{80} << 20;
// The metrics, the workers and the headers of one message are far fewer.
inline constexpr std::size_t kMaxMessageParts = 16 * 1024;

// What came is no message.
class MessageProblem : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws MessageProblem when it is too large.
std::string Encode(const Message& message);

// Texts in one, and back; the first step of every message. nullopt: it is none.
std::string EncodeParts(const std::vector<std::string>& parts);
std::optional<std::vector<std::string>> DecodeParts(std::string_view bytes);

// Puts messages together from the pieces in which they arrive. One thread.
class MessageReader {
 public:
  void Add(std::string_view bytes) { bytes_ += bytes; }
  // nullopt: more bytes are needed. Throws MessageProblem; nothing after that is a message.
  std::optional<Message> Next();

 private:
  std::string bytes_;
};

}  // namespace summa::host
