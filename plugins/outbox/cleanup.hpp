// The worker outbox-cleanup: deletes rows that were delivered longer ago than the retention, and
// what our own tables still say of them.
//
// In batches, each in its own short transaction, and with a rest after each as long as the batch
// took: however much there is, half of the time belongs to others. Stops between two batches.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <summa/host.hpp>
#include <summa/worker.hpp>

namespace summa::outbox {

class Cleanup final : public Worker {
 public:
  Cleanup(Host host, std::chrono::microseconds retention) : host_(host), retention_(retention) {}
  TickResult Run(const Tick& tick) override;

  static constexpr std::int64_t kBatch = 1000;

 private:
  std::int64_t InBatches(const Tick& tick, const std::function<std::int64_t()>& batch) const;

  Host host_;
  std::chrono::microseconds retention_;
};

}  // namespace summa::outbox
