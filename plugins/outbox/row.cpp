#include "row.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <tuple>

namespace summa::outbox {
namespace {

using std::chrono::microseconds;
using std::chrono::sys_days;
using std::chrono::year;

// ISO-8601 has four digits for the year. PostgreSQL knows others, and infinity.
constexpr microseconds kFirstTimestamp = sys_days(year(1) / 1 / 1) - sys_days(year(2000) / 1 / 1);
constexpr microseconds kLastTimestamp =
    sys_days(year(10000) / 1 / 1) - sys_days(year(2000) / 1 / 1) - microseconds(1);

}  // namespace

bool ComesBefore(const Row& left, const Row& right) {
  const auto order = [](const Row& row) {
    return std::make_tuple(row.position.value_or(std::numeric_limits<std::int64_t>::max()),
                           row.created_at_microseconds, row.id);
  };
  return order(left) < order(right);
}

std::int64_t InCalendar(std::int64_t microseconds_since_2000) {
  return std::clamp(microseconds_since_2000, kFirstTimestamp.count(), kLastTimestamp.count());
}

std::string IsoTimestamp(std::int64_t microseconds_since_2000) {
  using namespace std::chrono;
  const sys_time<microseconds> time =
      sys_days(year(2000) / January / 1) + microseconds(microseconds_since_2000);
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const auto seconds = duration_cast<std::chrono::seconds>(time - day).count();
  const auto fraction = (time - floor<std::chrono::seconds>(time)).count();
  char text[48];
  const int size = std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(seconds / 3600), static_cast<int>(seconds / 60 % 60),
      static_cast<int>(seconds % 60), static_cast<int>(fraction));
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace summa::outbox
