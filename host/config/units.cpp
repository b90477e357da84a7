// Durations and sizes: numbers with units, never bare.
#include "host/config/units.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "host/config/schema.hpp"

namespace summa::host {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::array<Unit, 5> kDurationUnits = {{{"ms", 1'000},
                                                 {"s", 1'000'000},
                                                 {"m", 60'000'000},
                                                 {"h", 3'600'000'000},
                                                 {"d", 86'400'000'000}}};
constexpr std::array<Unit, 10> kSizeUnits = {{{"B", 1},
                                              {"KB", 1'000},
                                              {"kB", 1'000},
                                              {"MB", 1'000'000},
                                              {"GB", 1'000'000'000},
                                              {"TB", 1'000'000'000'000},
                                              {"KiB", 1LL << 10},
                                              {"MiB", 1LL << 20},
                                              {"GiB", 1LL << 30},
                                              {"TiB", 1LL << 40}}};

// Ten years. Timers and timestamps overflow somewhere above; nothing here waits that long.
constexpr std::int64_t kMaxDuration = 3650 * std::int64_t{86'400'000'000};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// "12.5 h" -> {"12", "5", "h"}; false: not of that form. The unit may be empty.
struct Parts {
  std::string_view whole, fraction, unit;
};
bool Split(std::string_view text, Parts& parts) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t start = i;
    while (i < text.size() && IsDigit(text[i])) ++i;
    return text.substr(start, i - start);
  };
  parts.whole = digits();
  if (parts.whole.empty()) return false;
  if (i < text.size() && text[i] == '.') {
    ++i;
    parts.fraction = digits();
    if (parts.fraction.empty()) return false;
  }
  const std::size_t end_of_number = i;
  while (i < text.size() && (text[i] == ' ' || text[i] == '\t')) ++i;
  parts.unit = text.substr(i);
  return !parts.unit.empty() || i == end_of_number;
}

template <std::size_t N>
const Unit* FindUnit(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

// The digits as a number; nothing when they overflow.
std::optional<std::int64_t> ToInteger(std::string_view digits) {
  std::int64_t value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (result.ec != std::errc{}) return std::nullopt;
  return value;
}

}  // namespace

UnitForm ReadDuration(std::string_view text, std::int64_t& microseconds) {
  Parts parts;
  if (!Split(text, parts)) return UnitForm::kMalformed;
  if (parts.unit.empty()) return UnitForm::kNoUnit;
  const Unit* unit = FindUnit(kDurationUnits, parts.unit);
  if (unit == nullptr) return UnitForm::kMalformed;
  const std::optional<std::int64_t> whole = ToInteger(parts.whole);
  if (!whole || *whole > kMaxDuration / unit->factor) return UnitForm::kTooLarge;
  microseconds = *whole * unit->factor;
  if (!parts.fraction.empty()) {
    // A double holds a fraction of the greatest unit to a tenth of a nanosecond.
    const std::string text_of_fraction = "0." + std::string(parts.fraction);
    double fraction = 0;
    const char* begin = text_of_fraction.data();
    const auto result = std::from_chars(begin, begin + text_of_fraction.size(), fraction);
    if (result.ec != std::errc{}) fraction = 0;  // below the smallest double
    microseconds += std::llround(fraction * static_cast<double>(unit->factor));
  }
  if (microseconds > kMaxDuration) return UnitForm::kTooLarge;
  return microseconds > 0 ? UnitForm::kGood : UnitForm::kZero;
}

UnitForm ReadSize(std::string_view text, std::int64_t& bytes) {
  Parts parts;
  if (!Split(text, parts) || !parts.fraction.empty()) return UnitForm::kMalformed;
  if (parts.unit.empty()) return UnitForm::kNoUnit;
  const Unit* unit = FindUnit(kSizeUnits, parts.unit);
  if (unit == nullptr) return UnitForm::kMalformed;
  const std::optional<std::int64_t> whole = ToInteger(parts.whole);
  if (!whole || *whole > std::numeric_limits<std::int64_t>::max() / unit->factor)
    return UnitForm::kTooLarge;
  bytes = *whole * unit->factor;
  return UnitForm::kGood;
}

std::optional<std::int64_t> ParseDuration(std::string_view text) {
  std::int64_t microseconds = 0;
  if (ReadDuration(text, microseconds) != UnitForm::kGood) return std::nullopt;
  return microseconds;
}

// Hours are the largest unit on purpose: people compare retentions and intervals in hours, and a
// day of a clock is not always 24 of them.
std::string FormatDuration(std::int64_t microseconds) {
  for (const Unit& unit : {kDurationUnits[3], kDurationUnits[2], kDurationUnits[1]}) {
    if (microseconds != 0 && microseconds % unit.factor == 0) {
      return std::to_string(microseconds / unit.factor) + std::string(unit.name);
    }
  }
  if (microseconds == 0) return "0s";
  std::string text = microseconds < 0 ? "-" : "";
  const std::int64_t magnitude = microseconds < 0 ? -microseconds : microseconds;
  text += std::to_string(magnitude / 1000);
  if (magnitude % 1000 != 0) {
    std::string fraction = std::to_string(1000 + magnitude % 1000).substr(1);
    while (fraction.back() == '0') fraction.pop_back();
    text += "." + fraction;
  }
  return text + "ms";
}

}  // namespace summa::host
