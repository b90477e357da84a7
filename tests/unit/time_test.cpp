#include <gtest/gtest.h>

#include <concepts>
#include <limits>
#include <summa/time.hpp>
#include <type_traits>

namespace summa {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;

// --- what must not compile ---

template <typename Left, typename Right>
concept Mix = requires(Left left, Right right) {
  left - right;
}
|| requires(Left left, Right right) { left < right; }
|| requires(Left left, Right right) { left == right; }
|| requires(Left left, Right right) { left = right; }
|| std::constructible_from<Left, Right>;

template <typename... Others>
struct NoneOf {
  template <typename Time>
  static constexpr bool kMixesWith = (Mix<Time, Others> || ...) || (Mix<Others, Time> || ...);
};

static_assert(!NoneOf<UnixTime, BootTime, BusTime>::kMixesWith<DatabaseTime>);
static_assert(!NoneOf<DatabaseTime, BootTime, BusTime>::kMixesWith<UnixTime>);
static_assert(!NoneOf<DatabaseTime, UnixTime, BusTime>::kMixesWith<BootTime>);
static_assert(Mix<DatabaseTime, DatabaseTime>, "the concept sees what does compile");

template <typename Time>
constexpr bool kIsNoNumber =
    !std::convertible_to<std::int64_t, Time> && !std::convertible_to<Time, std::int64_t> &&
    !std::convertible_to<microseconds, Time> && !std::convertible_to<Time, microseconds>;
static_assert(kIsNoNumber<DatabaseTime> && kIsNoNumber<UnixTime>);
static_assert(kIsNoNumber<BootTime> && kIsNoNumber<BusTime>);

template <typename Time>
concept HasUnixTime = requires(Time time) {
  ToUnix(time);
};
static_assert(HasUnixTime<DatabaseTime> && HasUnixTime<BusTime>);
static_assert(!HasUnixTime<BootTime>, "the time since the start says nothing of the date");

// --- arithmetic ---

TEST(Time, InstantsOfOneClockAndDurationsAreCalculatedWith) {
  const BootTime begin = FromMicroseconds<BootTime>(5'000'000);
  const BootTime end = begin + hours(1);
  EXPECT_EQ(end - begin, hours(1));
  EXPECT_LT(begin, end);
  EXPECT_EQ(end - hours(1), begin);
  static_assert(std::is_same_v<decltype(end - begin), microseconds>);
}

TEST(Time, ANumberComesBackAsItWas) {
  for (const std::int64_t number :
       {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}, std::int64_t{0},
        std::int64_t{848'617'199'999'999}, std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(ToMicroseconds(FromMicroseconds<DatabaseTime>(number)), number);
    EXPECT_EQ(ToMicroseconds(FromMicroseconds<BusTime>(number)), number);
  }
}

// --- conversions ---

TEST(Time, TheDatabaseCountsFrom2000AndUnixFrom1970) {
  EXPECT_EQ(kDatabaseEpoch.count(), 946'684'800'000'000);  // date -ud 2000-01-01 +%s
  EXPECT_EQ(ToMicroseconds(ToUnix(DatabaseTime())), 946'684'800'000'000);
  EXPECT_EQ(ToMicroseconds(ToDatabase(UnixTime())), -946'684'800'000'000);
  const DatabaseTime time = FromMicroseconds<DatabaseTime>(848'617'199'999'999);
  EXPECT_EQ(ToDatabase(ToUnix(time)), time);
}

TEST(Time, InfinityStaysInfinityAndNothingOverflows) {
  EXPECT_EQ(ToUnix(DatabaseTime::max()), UnixTime::max());
  EXPECT_EQ(ToUnix(DatabaseTime::min()), UnixTime::min());
  EXPECT_EQ(ToDatabase(UnixTime::max()), DatabaseTime::max());
  EXPECT_EQ(ToDatabase(UnixTime::min()), DatabaseTime::min());
  // The last and the first timestamp that PostgreSQL has: 294276-12-31, 4713-11-24 BC.
  const DatabaseTime last = FromMicroseconds<DatabaseTime>(9'223'371'331'199'999'999);
  EXPECT_EQ(ToUnix(last), UnixTime::max());
  const DatabaseTime first = FromMicroseconds<DatabaseTime>(-211'813'488'000'000'000);
  EXPECT_EQ(ToDatabase(ToUnix(first)), first);
}

TEST(Time, TheClockOfTheBusIsTakenForRightByNameOnly) {
  const BusTime bus = FromMicroseconds<BusTime>(1'795'359'600'123'456);
  EXPECT_EQ(ToMicroseconds(ToUnix(bus)), 1'795'359'600'123'456);
  EXPECT_EQ(ToBus(ToUnix(bus)), bus);
}

// --- text ---

TEST(IsoText, HasMicrosecondsAndZBeforeAndAfterTheYear2000) {
  const auto text = [](std::int64_t number) {
    return IsoText(FromMicroseconds<DatabaseTime>(number));
  };
  EXPECT_EQ(text(0), "2000-01-01T00:00:00.000000Z");
  EXPECT_EQ(text(848'617'199'999'999), "2026-11-21T22:59:59.999999Z");
  EXPECT_EQ(text(-1), "1999-12-31T23:59:59.999999Z");
}

TEST(IsoText, IsTheSameForTheSameInstantOfAnyWallClock) {
  const UnixTime unix = FromMicroseconds<UnixTime>(1'795'359'600'123'456);
  EXPECT_EQ(IsoText(unix), "2026-11-22T15:00:00.123456Z");
  EXPECT_EQ(IsoText(ToDatabase(unix)), IsoText(unix));
  EXPECT_EQ(IsoText(ToBus(unix)), IsoText(unix));
}

TEST(IsoText, CutsWhatIsBehindTheDigitsAlsoBefore1970) {
  EXPECT_EQ(IsoText(FromMicroseconds<UnixTime>(1'795'359'600'123'999), IsoDigits::kMilliseconds),
            "2026-11-22T15:00:00.123Z");
  EXPECT_EQ(IsoText(FromMicroseconds<UnixTime>(5'999), IsoDigits::kMilliseconds),
            "1970-01-01T00:00:00.005Z");
  EXPECT_EQ(IsoText(FromMicroseconds<UnixTime>(-1), IsoDigits::kMilliseconds),
            "1969-12-31T23:59:59.999Z");
}

TEST(IsoText, KnowsLeapDays) {
  using namespace std::chrono;
  EXPECT_EQ(IsoText(UnixTime(sys_days(year(2024) / 2 / 29))), "2024-02-29T00:00:00.000000Z");
  EXPECT_EQ(IsoText(UnixTime(sys_days(year(1900) / 3 / 1))), "1900-03-01T00:00:00.000000Z");
}

TEST(IsoText, OfAYearWithoutFourDigitsIsTheNearestThatHasThem) {
  EXPECT_EQ(IsoText(DatabaseTime::min()), "0001-01-01T00:00:00.000000Z");
  EXPECT_EQ(IsoText(DatabaseTime::max()), "9999-12-31T23:59:59.999999Z");
  EXPECT_EQ(IsoText(UnixTime::min()), "0001-01-01T00:00:00.000000Z");
}

TEST(InCalendar, LeavesWhatIsInItAndKeepsRoomForArithmetic) {
  const DatabaseTime time = FromMicroseconds<DatabaseTime>(848'617'199'999'999);
  EXPECT_EQ(InCalendar(time), time);
  EXPECT_EQ(InCalendar(ToUnix(time)), ToUnix(time));
  const DatabaseTime first = InCalendar(DatabaseTime::min());
  EXPECT_LT(first - seconds(60), first);
  EXPECT_GT(InCalendar(DatabaseTime::max()) + seconds(60), InCalendar(DatabaseTime::max()));
}

}  // namespace
}  // namespace summa
