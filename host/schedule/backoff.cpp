#include "host/schedule/backoff.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>

namespace summa::host {
namespace {
// A pause of nothing would be a busy loop against a server that is down.
constexpr Microseconds kShortest = std::chrono::milliseconds(1);
}  // namespace

double RandomFraction() {
  thread_local std::mt19937_64 generator(std::random_device{}());
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

Microseconds Backoff::Next(double random) {
  Microseconds ceiling = first_;
  for (int i = 0; i < failures_ && ceiling < cap_; ++i) ceiling *= 2;
  ceiling = std::min(ceiling, cap_);
  if (failures_ < std::numeric_limits<int>::max()) ++failures_;
  const auto pause = static_cast<std::int64_t>(random * static_cast<double>(ceiling.count()));
  return std::max(kShortest, Microseconds(pause));
}

}  // namespace summa::host
