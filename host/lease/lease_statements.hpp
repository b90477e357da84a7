// The statements on Summa's worker_lease and our worker_fence. Times are the server's; the lease
// row is locked before the fence row, here and in the guard of a commit. Tables by full name.
#pragma once

#include <string>
#include <vector>

namespace summa::host {

struct LeaseStatements {
  explicit LeaseStatements(const std::string& quoted_schema);

  // $1 worker, $2 holder, $3 time to live in microseconds. One row with the fence, or none:
  // somebody else has it. The fence goes up unless it was ours and had not expired.
  std::string acquire;
  // The same parameters. One row, or none: lost.
  std::string renew;
  // $1 workers (text[]), $2 holder, $3 microseconds from now until when the row stays.
  std::string release;
  // $1 workers, $2 holder. worker, holder, whether it may be taken by $2, microseconds left.
  std::string look;
};

// The text form of a text[]: {"a","b"}.
std::string TextArrayLiteral(const std::vector<std::string>& items);

}  // namespace summa::host
