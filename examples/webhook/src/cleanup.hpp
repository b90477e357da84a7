// Deletes what is needed no more, in small transactions.
#pragma once

#include <summa/host.hpp>
#include <summa/worker.hpp>

#include "outcome.hpp"

namespace webhook {

class Cleanup final : public summa::Worker {
 public:
  Cleanup(summa::Host host, Microseconds retention, Microseconds dead_retention)
      : host_(host), retention_(retention), dead_retention_(dead_retention) {}

  summa::TickResult Run(const summa::Tick& tick) override;

 private:
  const summa::Host host_;
  const Microseconds retention_, dead_retention_;
};

}  // namespace webhook
