// The workers idempotency-cleanup, worker-lease-cleanup and processed-event-cleanup: what Summa's
// own maintenance plugin deletes, in batches; see summa/cleanup.hpp. They share the leases of
// Summa's workers of the same names.
#pragma once

#include <chrono>
#include <string>
#include <summa/cleanup.hpp>
#include <summa/host.hpp>
#include <summa/worker.hpp>
#include <vector>

namespace summa::maintenance {

// Rows of a table of the ledger that are deleted by age.
struct ExpiringTable {
  const char* worker;
  const char* table;
  const char* key;       // a column with an index: which row
  const char* key_type;  // as which the text of a key is compared
  const char* time;      // a column with an index: rows go when this is longer ago than their age
};

// The key of an operation that was done once; it expires at a time of its own.
inline constexpr ExpiringTable kIdempotencyKeys{"idempotency-cleanup", "idempotency_key", "key",
                                                "text", "expires_at"};
// A lease that expired so long ago that its holder is gone. Nobody can renew an expired lease: who
// needs it takes it anew, and our fences are in a table of their own.
inline constexpr ExpiringTable kWorkerLeases{"worker-lease-cleanup", "worker_lease", "worker_id",
                                             "text", "lease_until"};
// What Summa's own outbox processor remembers of messages that it has published.
inline constexpr ExpiringTable kProcessedEvents{"processed-event-cleanup", "processed_event", "id",
                                                "uuid", "processed_at"};

// As long as Summa's own cleanup leaves expired leases.
inline constexpr std::chrono::microseconds kLeaseAge = std::chrono::hours(1);

class Cleanup final : public Worker {
 public:
  Cleanup(Host host, const ExpiringTable& table, std::chrono::microseconds age);
  // A ledger without the table has nothing to delete.
  TickResult Run(const Tick& tick) override;
  std::vector<Finding> Failing() const { return rows_.Failing(); }  // any thread
  std::string id() const { return table_.worker; }

 private:
  bool TableExists(Session& session);

  Host host_;
  const ExpiringTable table_;
  const std::chrono::microseconds age_;
  RowCleanup rows_;
  bool missing_ = false;  // it was said that there is no table
};

}  // namespace summa::maintenance
