// Operations as people see and steer them: the journal summa_host.operation, read and changed
// beside whoever does the work (that is host/operation/journal.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/database/fleet_connection.hpp"

namespace summa::host {

// Times are ISO-8601 with ms and Z, made by the server; empty: never.
struct OperationReport {
  std::int64_t id = 0;
  std::string plugin, kind, worker;
  std::string state;  // queued | running | paused | done | failed | aborted
  bool open = false;  // not finished; with state aborted: what it left is not taken back yet
  std::string phase, cursor;
  std::int64_t done = 0;
  std::optional<std::int64_t> total;  // rows; none: not known
  std::int64_t rate = 0;              // rows a second at most; 0: no limit
  // As of lately; none: nothing was done in the last minute.
  std::optional<double> rows_per_second;
  std::int64_t fence = 0, batches = 0;
  int version = 1, failures = 0;
  std::string holder;  // of the lease of its worker; empty: nobody works on it
  std::string host;    // that worked on it last
  std::string arguments, requested_by, steered_by, error;
  std::string created_at, started_at, updated_at, finished_at, retry_at;
  bool periodic = false;  // its worker comes at due times, unless it is asked to

  // How long the rest takes; none: nobody can say.
  std::optional<std::int64_t> SecondsLeft() const;
};

// Those that are open and those that failed, oldest first; $1 = true: all of the last 90 days.
// schema: of the ledger.
std::string OperationsQuery(const std::string& schema);
std::vector<OperationReport> ReadOperations(const TextRows& rows);

// One statement per call. Thread-safe; throws SqlFailure.
class Operations {
 public:
  explicit Operations(const DatabaseSettings& ledger) : connection_(ledger) {}

  std::vector<OperationReport> List(bool all);
  // Throws SH-0382: there is none of this id.
  OperationReport Find(std::int64_t id);

  // What people want of one; `by`: who. False: it was so already. Throw SH-0382, and SH-0383 when
  // it is over.
  bool Pause(std::int64_t id, const std::string& by);
  bool Resume(std::int64_t id, const std::string& by);  // a failed one, too; tries at once
  bool Abort(std::int64_t id, const std::string& by);
  void SetRate(std::int64_t id, std::int64_t rate, const std::string& by);

 private:
  bool Update(const char* statement, const char* what, const char* already, std::int64_t id,
              const TextParameters& parameters);

  FleetConnection connection_;
};

}  // namespace summa::host
