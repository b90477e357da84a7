// The worker outbox-processor: one Processor for each sink, one after the other. A sink that is
// away or slow to answer costs the others at most one of its timeouts; what it lacks waits for it.
#pragma once

#include <memory>
#include <summa/worker.hpp>
#include <vector>

#include "canary.hpp"
#include "processor.hpp"

namespace summa::outbox {

class DeliveryWorker final : public Worker {
 public:
  void Add(std::unique_ptr<Processor> processor) { processors_.push_back(std::move(processor)); }
  void Add(std::unique_ptr<Canary> canary) { canaries_.push_back(std::move(canary)); }
  // Throws what the first sink that failed threw, after the others had their turn.
  TickResult Run(const Tick& tick) override;

  bool empty() const { return processors_.empty(); }
  // Of all sinks: a message that goes to two of them is delivered twice.
  struct Totals {
    std::int64_t delivered = 0, retried = 0, dead_lettered = 0, blocked_keys = 0, pending = 0;
  };
  Totals totals() const;
  // For /readyz. Any thread, once all are added.
  std::vector<Finding> Failing(BootTime now) const;

 private:
  std::vector<std::unique_ptr<Processor>> processors_;
  std::vector<std::unique_ptr<Canary>> canaries_;
};

}  // namespace summa::outbox
