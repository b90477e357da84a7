#include "plugins/bus-redis/key_naming.hpp"

#include <cstdint>

namespace summa::bus_redis {
namespace {

// CRC16/XMODEM, as the specification of Redis Cluster says.
std::uint16_t Crc16(std::string_view text) {
  std::uint16_t crc = 0;
  for (const char c : text) {
    crc = static_cast<std::uint16_t>(crc ^ (static_cast<unsigned char>(c) << 8));
    for (int bit = 0; bit < 8; ++bit) {
      const unsigned shifted = static_cast<unsigned>(crc) << 1;
      crc = static_cast<std::uint16_t>((crc & 0x8000U) != 0 ? shifted ^ 0x1021U : shifted);
    }
  }
  return crc;
}

}  // namespace

int HashSlot(std::string_view key) {
  const std::size_t open = key.find('{');
  if (open != std::string_view::npos) {
    const std::size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) {
      key = key.substr(open + 1, close - open - 1);
    }
  }
  return Crc16(key) % kHashSlots;
}

bool KeyNaming::FitsCluster() const {
  // Two names, so that a chance hit of one does not count.
  return HashSlot(Stream("a")) == HashSlot(DeadLetter("a")) &&
         HashSlot(Stream("b")) == HashSlot(DeadLetter("b"));
}

}  // namespace summa::bus_redis
