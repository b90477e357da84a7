// The rolling full re-verification: whatever snapshots and blocks vouch for, every event is
// verified anew at least once in `full_cycle`. In parts, so that each is short and a part that was
// done is done.
#pragma once

#include <string>
#include <summa/sql.hpp>
#include <vector>

#include "discrepancy.hpp"
#include "settings.hpp"
#include "work.hpp"

namespace summa::reconciliation {

struct RollingOutcome {
  std::string part;  // empty: none was due
  std::int64_t rows = 0;
  bool more_due = false;
  double oldest_unverified_age_seconds = 0;
  Findings findings;
};

class Rolling {
 public:
  // `sql`: of the holder of the lease of rolling-verification.
  Rolling(const summa_sql_v1* sql, Work& work, const Settings& settings)
      : sql_(sql), work_(work), settings_(settings) {}

  // Verifies the part that waits longest, if it is due.
  RollingOutcome Next();

  // Slices of the aggregates, by the first bits of their ids.
  static constexpr int kSlices = 64;

 private:
  Findings Verify(const std::string& part, std::int64_t& rows);

  const summa_sql_v1* sql_;
  Work& work_;
  const Settings& settings_;
};

// How long ago that was verified which waits longest; since the first event when it never was.
// 0: there is no event.
double OldestUnverifiedAge(Session& session);

}  // namespace summa::reconciliation
