// The inbox: the table in which consumers of every bus remember what they have handled.
#pragma once

#include <chrono>
#include <summa/worker.hpp>

namespace summa::host {

// Forgets what was handled longer ago than the retention.
class InboxCleaner final : public summa::Worker {
 public:
  explicit InboxCleaner(std::chrono::microseconds retention) : retention_(retention) {}
  summa::TickResult Run(const summa::Tick& tick) override;

 private:
  const std::chrono::microseconds retention_;
};

}  // namespace summa::host
