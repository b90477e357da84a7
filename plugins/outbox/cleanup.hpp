// The worker outbox-cleanup: deletes rows that were delivered longer ago than the retention, and
// what our own tables still say of them.
//
// In batches, each in its own short transaction, and with a rest after each as long as the batch
// took: however much there is, half of the time belongs to others. Stops between two batches.
// A row that the ledger refuses to delete is named and left; the others go.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <summa/health.hpp>
#include <summa/host.hpp>
#include <summa/worker.hpp>
#include <vector>

#include "refusals.hpp"

namespace summa::outbox {

class Cleanup final : public Worker {
 public:
  Cleanup(Host host, std::chrono::microseconds retention) : host_(host), retention_(retention) {}
  TickResult Run(const Tick& tick) override;
  std::vector<Finding> Failing() const;  // any thread

  static constexpr std::int64_t kBatch = 1000;

 private:
  // `batch` answers how many rows it found.
  void InBatches(const Tick& tick, const std::function<std::int64_t()>& batch) const;
  std::int64_t DeleteRows(Session& session, std::vector<Refusal>& refused) const;
  void Report(std::vector<Refusal> refused);

  Host host_;
  std::chrono::microseconds retention_;
  RefusedRows refused_;
};

}  // namespace summa::outbox
