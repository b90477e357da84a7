// The worker outbox-cleanup: deletes rows that were delivered longer ago than the retention, and
// what our own tables still say of them; see summa/cleanup.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <summa/cleanup.hpp>
#include <summa/host.hpp>
#include <summa/worker.hpp>
#include <vector>

namespace summa::outbox {

class Cleanup final : public Worker {
 public:
  Cleanup(Host host, std::chrono::microseconds retention);
  TickResult Run(const Tick& tick) override;
  std::vector<Finding> Failing() const { return rows_.Failing(); }  // any thread

 private:
  void ForgetSent(const WorkCaller& caller, Session& session) const;

  Host host_;
  std::chrono::microseconds retention_;
  RowCleanup rows_;
};

}  // namespace summa::outbox
