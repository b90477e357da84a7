// Which addresses may be connected to. An endpoint is a name that its owner chose, and may stand for
// any address: also for a service of our own network that trusts everybody who reaches it.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace webhook {

// 16 bytes; an IPv4 address is ::ffff:a.b.c.d.
using AddressBytes = std::array<std::uint8_t, 16>;

struct Network {
  AddressBytes first{};
  int prefix = 0;  // of 128 bits

  bool Contains(const AddressBytes& address) const;
};

// "10.20.0.0/16", "fd00::/8", or one address; nullopt: it is none of them.
std::optional<Network> ParseNetwork(std::string_view text);
std::optional<AddressBytes> ParseAddress(std::string_view text);

// Any thread.
class AddressRules {
 public:
  // `allowed`: networks that may be used although they are private.
  explicit AddressRules(std::vector<Network> allowed = {}) : allowed_(std::move(allowed)) {}

  // Empty: it may be used. Otherwise what it is, such as "loopback".
  std::string Refusal(const AddressBytes& address) const;
  std::string Refusal(const sockaddr* address) const;

 private:
  std::vector<Network> allowed_;
};

// "127.0.0.1" or "2001:db8::1".
std::string AddressText(const AddressBytes& address);

}  // namespace webhook
