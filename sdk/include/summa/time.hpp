// Instants of four clocks that must not be mixed: each has its own type, a time_point of
// std::chrono in microseconds. Instants of one clock can be compared and subtracted, and durations
// can be added. Across clocks only the conversions below compile; their names state what they
// assume.
//
//   const BootTime begin = host.BootNow();
//   const std::chrono::microseconds took = host.BootNow() - begin;
//   const std::string text = IsoText(created_at);   // "2026-11-22T15:00:00.123456Z"
//
// At the boundaries, where an instant is a number: FromMicroseconds<BusTime>(n),
// ToMicroseconds(time).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace summa {

// The wall clock of the database server: timestamptz, counted since 2000-01-01 UTC as PostgreSQL
// counts. max() and min() are its infinity and -infinity.
struct DatabaseClock {};
using DatabaseTime = std::chrono::time_point<DatabaseClock, std::chrono::microseconds>;

// The wall clock of this machine, since 1970-01-01 UTC. It may be wrong and may jump: for people.
using UnixTime = std::chrono::sys_time<std::chrono::microseconds>;

// CLOCK_BOOTTIME of this machine: never jumps, includes suspend time. For deadlines and pauses.
struct BootClock {};
using BootTime = std::chrono::time_point<BootClock, std::chrono::microseconds>;

// The clock of a message bus, since 1970-01-01 UTC. It may disagree with every other clock.
struct BusClock {};
using BusTime = std::chrono::time_point<BusClock, std::chrono::microseconds>;

// Conversion between an instant and its number in the C ABI, PostgreSQL or the bus.
template <typename Time>
constexpr Time FromMicroseconds(std::int64_t microseconds) {
  return Time(std::chrono::microseconds(microseconds));
}
template <typename Time>
constexpr std::int64_t ToMicroseconds(Time time) {
  return std::chrono::microseconds(time.time_since_epoch()).count();
}

// From 1970 to 2000.
inline constexpr std::chrono::microseconds kDatabaseEpoch =
    std::chrono::sys_days(std::chrono::year(2000) / 1 / 1).time_since_epoch();

// The same instant, as if the clocks of the database and of this machine agreed. Exact; a value
// that the other type cannot represent becomes the nearest one, and infinity stays infinity.
constexpr UnixTime ToUnix(DatabaseTime time) {
  using std::chrono::microseconds;
  if (time == DatabaseTime::min()) return UnixTime::min();
  return UnixTime(std::min(time.time_since_epoch(), microseconds::max() - kDatabaseEpoch) +
                  kDatabaseEpoch);
}
constexpr DatabaseTime ToDatabase(UnixTime time) {
  using std::chrono::microseconds;
  if (time == UnixTime::max()) return DatabaseTime::max();
  return DatabaseTime(std::max(time.time_since_epoch(), microseconds::min() + kDatabaseEpoch) -
                      kDatabaseEpoch);
}

// The same, as if the clock of the bus agreed.
constexpr UnixTime ToUnix(BusTime time) { return UnixTime(time.time_since_epoch()); }
constexpr BusTime ToBus(UnixTime time) { return BusTime(time.time_since_epoch()); }

// The nearest instant in the years 1 to 9999, which ISO-8601 writes with four digits. PostgreSQL
// also has other years, and infinity.
constexpr UnixTime InCalendar(UnixTime time) {
  using namespace std::chrono;
  constexpr UnixTime kFirst = sys_days(year(1) / 1 / 1);
  constexpr UnixTime kLast = sys_days(year(10000) / 1 / 1) - microseconds(1);
  return std::clamp(time, kFirst, kLast);
}
constexpr DatabaseTime InCalendar(DatabaseTime time) {
  return ToDatabase(InCalendar(ToUnix(time)));
}

// How many digits of a second are written; the rest is cut off.
enum class IsoDigits { kMilliseconds = 3, kMicroseconds = 6 };

// "2026-11-22T15:00:00.123456Z": ISO-8601 in UTC, of an instant in the calendar or the nearest one.
inline std::string IsoText(UnixTime time, IsoDigits digits = IsoDigits::kMicroseconds) {
  using namespace std::chrono;
  time = InCalendar(time);
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss<microseconds> clock(time - day);
  const bool cut = digits == IsoDigits::kMilliseconds;
  const auto fraction = static_cast<int>(clock.subseconds().count()) / (cut ? 1000 : 1);
  char text[64];
  const int size = std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%0*dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(digits), fraction);
  return {text, static_cast<std::size_t>(size)};
}
inline std::string IsoText(DatabaseTime time, IsoDigits digits = IsoDigits::kMicroseconds) {
  return IsoText(ToUnix(time), digits);
}
inline std::string IsoText(BusTime time, IsoDigits digits = IsoDigits::kMicroseconds) {
  return IsoText(ToUnix(time), digits);
}

}  // namespace summa
