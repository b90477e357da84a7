// The statements on Summa's worker_lease and our worker_fence. Times are the server's; the lease
// row is locked before the fence row, here and in the guard of a commit. Tables by full name.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace summa::host {

inline constexpr std::size_t kHolderCharacters = 100;  // of lease_holder in Summa's table
// What the holder of a kept row begins with: nobody works, so any host of ours may take it, while
// Summa's own runners, which know no due times, find it taken until lease_until.
inline constexpr const char* kIdleHolder = "idle:";
// SQL: whether the holder in this column is such a one.
std::string IdleLease(const std::string& column);

struct LeaseStatements {
  explicit LeaseStatements(const std::string& quoted_schema);

  // $1 worker, $2 holder, $3 time to live in microseconds. One row with the fence, or none:
  // somebody else has it. The fence goes up unless it was ours and had not expired.
  std::string acquire;
  // $1 worker. One row when somebody has the lease and its time is over.
  std::string over;
  // The parameters of acquire. One row, or none: lost.
  std::string renew;
  // $1 workers (text[]), $2 holder, $3 microseconds from now until lease_until.
  std::string release;
  // The same parameters: the row stays until then, as an idle one.
  std::string keep;
  // $1 workers, $2 holder. worker, holder, whether it may be taken by $2, microseconds left (null:
  // it has no end).
  std::string check;
};

// The text form of a text[]: {"a","b"}.
std::string TextArrayLiteral(const std::vector<std::string>& items);

}  // namespace summa::host
