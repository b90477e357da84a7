#include "partition/names.hpp"

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <summa/text.hpp>

namespace summa::maintenance {

namespace {

constexpr std::size_t kLongestIdentifier = 63;  // NAMEDATALEN - 1

// FNV-1a: stable across builds and machines, unlike std::hash.
std::string HashOf(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016" PRIx64, hash);
  return digits;
}

}  // namespace

std::string PartitionName(const std::string& table, const std::string& suffix) {
  const std::string name = table + "_" + suffix;
  if (name.size() <= kLongestIdentifier) return name;
  const std::string end = "_" + HashOf(name);
  return std::string(Beginning(name, kLongestIdentifier - end.size())) + end;
}

}  // namespace summa::maintenance
