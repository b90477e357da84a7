// Instants of the clock of the database: a type of its own, so that no number is taken for one.
#pragma once

#include <chrono>
#include <cstdint>

namespace summa {

// The wall clock of the database server: timestamptz, counted since 2000-01-01 UTC as PostgreSQL
// counts. max() and min() are its infinity and -infinity.
struct DatabaseClock {};
using DatabaseTime = std::chrono::time_point<DatabaseClock, std::chrono::microseconds>;

// The number that the C ABI or PostgreSQL has for an instant, and back.
template <typename Time>
constexpr Time FromMicroseconds(std::int64_t microseconds) {
  return Time(std::chrono::microseconds(microseconds));
}
template <typename Time>
constexpr std::int64_t ToMicroseconds(Time time) {
  return std::chrono::microseconds(time.time_since_epoch()).count();
}

}  // namespace summa
