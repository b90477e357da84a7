// What the database says of the workers of the whole fleet, for probes and scrapes: asked in a
// thread of its own, on a connection of its own, only when somebody looks, at most once a second.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "host/clock.hpp"
#include "host/database/operations.hpp"
#include "host/database/reopening_connection.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

struct FleetWorker {
  std::optional<DatabaseTime> last_success, next_due;
};

struct FleetStatus {
  std::map<std::string, FleetWorker> workers;  // as last read
  std::vector<OperationReport> operations;     // open and failed ones, too
  std::optional<Error> error;                  // why the database could not be asked, if so
};

class FleetView {
 public:
  FleetView(DatabaseSettings ledger, const Clock& clock);
  ~FleetView();  // ends a question under way at once
  FleetView(const FleetView&) = delete;
  FleetView& operator=(const FleetView&) = delete;

  // Any thread. Waits up to kFreshTimeout for a new answer, and not at all while the database is
  // away: then what was last known.
  FleetStatus Read();

 private:
  void Run();
  FleetStatus Query();

  const std::string operations_query_;
  ReopeningConnection connection_;  // of the thread
  const Clock& clock_;
  Mutex mutex_;
  ConditionVariable wanted_changed_, news_;
  bool wanted_ SUMMA_GUARDED_BY(mutex_) = false, stopping_ SUMMA_GUARDED_BY(mutex_) = false;
  std::uint64_t answers_ SUMMA_GUARDED_BY(mutex_) = 0;
  BootTime asked_at_ SUMMA_GUARDED_BY(mutex_), answered_at_ SUMMA_GUARDED_BY(mutex_);
  FleetStatus status_ SUMMA_GUARDED_BY(mutex_);
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace summa::host
