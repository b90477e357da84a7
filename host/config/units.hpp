// Why a duration or a size could not be read. The plain forms are in schema.hpp.
#pragma once

#include <cstdint>
#include <string_view>

namespace summa::host {

enum class UnitForm { kGood, kMalformed, kNoUnit, kZero, kTooLarge };

UnitForm ReadDuration(std::string_view text, std::int64_t& microseconds);
UnitForm ReadSize(std::string_view text, std::int64_t& bytes);

}  // namespace summa::host
