// The rolling full re-verification: whatever snapshots and blocks vouch for, every event is
// verified anew at least once in `full_cycle`. In parts, so that each is short and a part that was
// done is done.
#pragma once

#include <optional>
#include <set>
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
  std::optional<Error> incomplete;  // the part was not read as a whole: it stays due
};

class Rolling {
 public:
  // `sql`: of the holder of the lease of rolling-verification.
  // `incomplete`: parts that could not be read as a whole, which wait for the next round so that
  // the others have their turn.
  Rolling(const summa_sql_v1* sql, Work& work, const Settings& settings,
          std::set<std::string>& incomplete)
      : sql_(sql), work_(work), settings_(settings), incomplete_(incomplete) {}

  // Verifies the part that waits longest, if it is due.
  RollingOutcome Next();

  // Slices of the aggregates, by the first bits of their ids.
  static constexpr int kSlices = 64;

 private:
  Findings Verify(const std::string& part, RollingOutcome& outcome);
  void Save(Session& session, const RollingOutcome& outcome, std::int64_t started);

  const summa_sql_v1* sql_;
  Work& work_;
  const Settings& settings_;
  std::set<std::string>& incomplete_;
};

// How long ago that was verified which waits longest; since the first event when it never was.
// 0: there is no event.
double OldestUnverifiedAge(Session& session);

}  // namespace summa::reconciliation
