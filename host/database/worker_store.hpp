// What the fleet knows of its workers, in schema summa_host: runs, states, due times; and what it
// asks of them (fleet_orders.hpp), over the same connection. Thread-safe; throws SqlFailure.
//
// Every statement here may be done twice, and is asked once more when its answer was lost: whatever
// is added must be so, too.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/database/fleet_orders.hpp"

namespace summa::host {

struct RunRecord {
  WorkerName worker;
  std::string host;
  bool ok = true;
  std::string error;  // when not ok
  // Periodic, persisted: from now on by the server's clock; with `times` after the next of them.
  std::optional<Microseconds> next_due_in;
  std::vector<Microseconds> times = {};  // of the day, UTC
  std::string schedule = {};             // what the due time is made from, to notice a change
  // Of the lease that it ran under; 0: it needs none.
  std::int64_t fence = 0;
};

// By the server's clock.
struct DueTime {
  std::optional<Microseconds> until;  // <= 0: due; nullopt: there is none, it never ran
  std::string moment;                 // the same as the server writes it
  std::string schedule;               // of the record that it comes from
};

class WorkerStore {
 public:
  explicit WorkerStore(const DatabaseSettings& ledger);

  // Records a run; one upsert into summa_host.worker_state. The time until the worker is due again,
  // when it has a due time.
  // FencedFailure, and nothing is written: somebody else got the lease meanwhile. The due time is
  // theirs, and a late record would move it.
  std::optional<Microseconds> RecordRun(const RunRecord& record);
  void RecordState(const WorkerName& worker, const std::string& state, const std::string& host);
  DueTime Due(const std::string& worker_id);
  // Moves the due time without a run, when it still is `known`; the time until the new one, or
  // nullopt: somebody else has moved it.
  std::optional<Microseconds> MoveDue(const RunRecord& record, const DueTime& known);
  std::vector<WorkerRow> Workers();  // everything known in the database: state, lease, fence
  // Throws SH-0430, SH-0431: not all rows of these tables ("schema.table") are to be seen. Returns
  // what is to be said and is no reason to stand still (SH-0432).
  std::vector<Error> RequireWholeTables(const std::vector<std::string>& tables);

  // Lets go of the leases that this holder, which is dead, has of these workers.
  void ReleaseLeases(const std::vector<std::string>& worker_ids, const std::string& holder);

  FleetOrders& orders() { return orders_; }
  // Of the connection. Any thread.
  void Interrupt() noexcept { connection_->Interrupt(); }
  void BeginShutdown() noexcept { connection_->BeginShutdown(); }

 private:
  TextRows Query(const std::string& sql, const TextParameters& parameters);

  const std::shared_ptr<FleetConnection> connection_;
  FleetOrders orders_;
};

}  // namespace summa::host
