// The worker outbox-cleanup: deletes rows that were delivered longer ago than the retention, a
// batch at a time, each batch in its own short transaction.
#pragma once

#include <chrono>
#include <summa/worker.hpp>

#include "table.hpp"

namespace summa::outbox {

class Cleanup final : public Worker {
 public:
  Cleanup(Settings settings, std::chrono::microseconds retention)
      : table_(std::move(settings)), retention_(retention) {}
  TickResult Run(const Tick& tick) override;

 private:
  OutboxTable table_;
  std::chrono::microseconds retention_;
};

}  // namespace summa::outbox
