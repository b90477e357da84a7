// Durations and sizes, and why one could not be read.
#pragma once

#include <cstdint>
#include <string_view>

namespace summa::host {

enum class UnitForm { kGood, kMalformed, kNoUnit, kZero, kTooLarge };

UnitForm ReadDuration(std::string_view text, std::int64_t& microseconds);
// "64MiB", "4KiB", "10MB", "512B"
UnitForm ReadSize(std::string_view text, std::int64_t& bytes);

}  // namespace summa::host
