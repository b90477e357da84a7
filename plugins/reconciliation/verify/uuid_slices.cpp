#include "uuid_slices.hpp"

#include <algorithm>

namespace summa::verify {
namespace {

constexpr std::int64_t kMaxSlices = 65'536;

std::string Bound(std::int64_t prefix) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text = "'";
  for (int shift = 12; shift >= 0; shift -= 4) text += kHex[(prefix >> shift) & 15];
  return text.append("0000-0000-0000-0000-000000000000'");
}

}  // namespace

std::vector<std::string> UuidSlices(const std::string& column, std::int64_t count) {
  count = std::clamp<std::int64_t>(count, 1, kMaxSlices);
  std::vector<std::string> slices;
  slices.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    std::string slice = column;
    slice.append(" >= ").append(Bound(i * kMaxSlices / count));
    if (i + 1 < count) {
      slice.append(" AND ").append(column).append(" < ").append(
          Bound((i + 1) * kMaxSlices / count));
    }
    slices.push_back(std::move(slice));
  }
  return slices;
}

}  // namespace summa::verify
