// Rows that the ledger itself refuses to change: a trigger, a constraint or a policy of its owner
// says no. Each is found and named; the others are written as if it were not there.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <summa/error.hpp>
#include <summa/health.hpp>
#include <summa/mutex.hpp>
#include <summa/sql.hpp>
#include <summa/time.hpp>
#include <vector>

namespace summa::outbox {

struct Refusal {
  Uuid id{};
  std::string error;  // what the server said
};

using WriteRows = std::function<void(std::span<const Uuid>)>;

// What the server refused because of the rows: not because it was away, full, locked or too slow,
// and not because the role or the lease does not allow it: `write` then works without any row.
// Ends the transaction that failed.
bool RefusesRows(Session& session, const Error& error, const WriteRows& write);

// More than this many refused rows are no exception any more: the work stops until a person has
// looked (SH-0511).
inline constexpr std::size_t kMaxRefusals = 500;

// Writes `ids` in a transaction; when that is refused, in halves, until only rows are left that are
// refused alone. Throws what RefusesRows() does not explain, and SH-0511.
std::vector<Refusal> WriteApart(Session& session, std::span<const Uuid> ids,
                                const WriteRows& write);

// Throws SH-0511 when there are more than kMaxRefusals.
void CheckNumber(std::span<const Refusal> refused);

// "ID (what the server said), ID (...) and 3 more".
std::string Listed(std::span<const Refusal> refusals);

// What is known of refused rows, for /readyz. One thread writes, any thread reads.
class RefusedRows {
 public:
  using Microseconds = std::chrono::microseconds;

  // True when a row is among them that was not before.
  bool Set(std::vector<Refusal> refusals, BootTime now);
  // They are still refused as far as is known.
  void Refresh(BootTime now);
  std::vector<Refusal> Get() const;
  bool empty() const;
  // One finding, or none. `what` names the rows, `why` says what is refused.
  std::vector<Finding> Failing(BootTime now, Microseconds known_for, const std::string& what,
                               const std::string& why) const;

 private:
  mutable Mutex mutex_;
  std::vector<Refusal> refusals_ SUMMA_GUARDED_BY(mutex_);
  BootTime seen_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::outbox
