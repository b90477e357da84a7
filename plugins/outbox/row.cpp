#include "row.hpp"

#include <cstdint>
#include <limits>
#include <tuple>

namespace summa::outbox {

bool ComesBefore(const Row& left, const Row& right) {
  const auto order = [](const Row& row) {
    return std::make_tuple(row.position.value_or(std::numeric_limits<std::int64_t>::max()),
                           row.created_at, row.id);
  };
  return order(left) < order(right);
}

}  // namespace summa::outbox
