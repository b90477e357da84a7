#include "address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <system_error>

namespace webhook {
namespace {

constexpr int kBits = 128;
constexpr int kMappedBits = 96;  // ::ffff:0:0/96 before an IPv4 address
constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
// 64:ff9b::/96: an IPv4 address behind a translator.
constexpr std::array<std::uint8_t, 12> kTranslated{0, 0x64, 0xff, 0x9b};

struct Refused {
  Network network;
  const char* name;
};

// What the IANA registries of special addresses call not globally reachable.
const std::vector<Refused>& RefusedNetworks() {
  static const auto& networks = *new std::vector<Refused>([] {
    constexpr std::pair<const char*, const char*> kNamed[] = {
        {"0.0.0.0/8", "this network"},
        {"10.0.0.0/8", "private"},
        {"100.64.0.0/10", "shared within a provider"},
        {"127.0.0.0/8", "loopback"},
        {"169.254.0.0/16", "link-local"},
        {"172.16.0.0/12", "private"},
        {"192.0.0.0/24", "reserved for protocols"},
        {"192.0.2.0/24", "for documentation"},
        {"192.88.99.0/24", "reserved"},
        {"192.168.0.0/16", "private"},
        {"198.18.0.0/15", "for benchmarks"},
        {"198.51.100.0/24", "for documentation"},
        {"203.0.113.0/24", "for documentation"},
        {"224.0.0.0/4", "multicast"},
        {"240.0.0.0/4", "reserved"},
        {"::/128", "unspecified"},
        {"::1/128", "loopback"},
        {"fc00::/7", "private"},
        {"fe80::/10", "link-local"},
        {"ff00::/8", "multicast"},
        {"2001::/23", "reserved for protocols"},
        {"2001:db8::/32", "for documentation"},
        {"2002::/16", "an IPv4 address in disguise"},
        {"3fff::/20", "for documentation"},
    };
    std::vector<Refused> made;
    for (const auto& [text, name] : kNamed) made.push_back({*ParseNetwork(text), name});
    return made;
  }());
  return networks;
}

bool HasPrefix(const AddressBytes& address, const std::array<std::uint8_t, 12>& prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

AddressBytes MapIpv4(const void* four_bytes) {
  AddressBytes address{};
  std::copy(kMapped.begin(), kMapped.end(), address.begin());
  std::memcpy(address.data() + kMapped.size(), four_bytes, 4);
  return address;
}

}  // namespace

bool Network::Contains(const AddressBytes& address) const {
  const auto whole = static_cast<std::size_t>(prefix / 8);
  if (!std::equal(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(whole),
                  address.begin())) {
    return false;
  }
  const int rest = prefix % 8;
  return rest == 0 || (first[whole] >> (8 - rest)) == (address[whole] >> (8 - rest));
}

std::optional<AddressBytes> ParseAddress(std::string_view text) {
  const std::string terminated(text);
  in_addr four{};
  if (inet_pton(AF_INET, terminated.c_str(), &four) == 1) return MapIpv4(&four);
  in6_addr six{};
  if (inet_pton(AF_INET6, terminated.c_str(), &six) != 1) return std::nullopt;
  AddressBytes address;
  std::memcpy(address.data(), &six, address.size());
  return address;
}

std::optional<Network> ParseNetwork(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::optional<AddressBytes> first = ParseAddress(text.substr(0, slash));
  if (!first) return std::nullopt;
  if (slash == std::string_view::npos) return Network{*first, kBits};
  const bool is_ipv4 = text.find(':') == std::string_view::npos;
  const std::string_view number = text.substr(slash + 1);
  int prefix = 0;
  const auto [end, failure] = std::from_chars(number.begin(), number.end(), prefix);
  if (failure != std::errc{} || end != number.end()) return std::nullopt;
  if (prefix < 0 || prefix > (is_ipv4 ? kBits - kMappedBits : kBits)) return std::nullopt;
  return Network{*first, is_ipv4 ? prefix + kMappedBits : prefix};
}

std::string AddressRules::Refusal(const AddressBytes& address) const {
  for (const Network& network : allowed_) {
    if (network.Contains(address)) return {};
  }
  for (const Refused& refused : RefusedNetworks()) {
    if (refused.network.Contains(address)) return refused.name;
  }
  if (HasPrefix(address, kMapped)) return {};
  if (HasPrefix(address, kTranslated)) return Refusal(MapIpv4(address.data() + kMapped.size()));
  // Everything that is routed has the prefix 2000::/3.
  constexpr int kGlobal = 1, kGlobalShift = 5;
  return address[0] >> kGlobalShift == kGlobal ? "" : "not a public address";
}

std::string AddressRules::Refusal(const sockaddr* address) const {
  if (address->sa_family == AF_INET) {
    sockaddr_in four;
    std::memcpy(&four, address, sizeof four);
    return Refusal(MapIpv4(&four.sin_addr));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 six;
    std::memcpy(&six, address, sizeof six);
    AddressBytes bytes;
    std::memcpy(bytes.data(), &six.sin6_addr, bytes.size());
    return Refusal(bytes);
  }
  return "no address of the internet";
}

std::string AddressText(const AddressBytes& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (HasPrefix(address, kMapped)) {
    inet_ntop(AF_INET, address.data() + kMapped.size(), text, sizeof text);
  } else {
    inet_ntop(AF_INET6, address.data(), text, sizeof text);
  }
  return text;
}

}  // namespace webhook
