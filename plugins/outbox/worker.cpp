#include "worker.hpp"

#include <algorithm>
#include <exception>

namespace summa::outbox {

TickResult DeliveryWorker::Run(const Tick& tick) {
  TickResult all;
  std::exception_ptr thrown;
  const auto sooner = [&](std::optional<Microseconds> hint) {
    if (hint) all.wait_hint = all.wait_hint ? std::min(*all.wait_hint, *hint) : hint;
  };
  for (const auto& processor : processors_) {
    if (tick.ShouldStop()) break;
    try {
      const TickResult one = processor->Run(tick);
      all.items += one.items;
      all.backlog |= one.backlog;
      sooner(one.wait_hint);
    } catch (...) {
      if (!thrown) thrown = std::current_exception();
    }
  }
  if (thrown) std::rethrow_exception(thrown);
  if (!tick.once()) {
    for (const auto& canary : canaries_) sooner(canary->RunIfDue());
  }
  return all;
}

DeliveryWorker::Totals DeliveryWorker::totals() const {
  Totals totals;
  for (const auto& processor : processors_) {
    const ProcessorCounters& counters = processor->counters();
    totals.delivered += counters.delivered;
    totals.retried += counters.retried;
    totals.dead_lettered += counters.dead_lettered;
    // Counted in the database, not in the sink.
    totals.blocked_keys = std::max<std::int64_t>(totals.blocked_keys, counters.blocked_keys);
    totals.pending = std::max<std::int64_t>(totals.pending, counters.pending);
  }
  return totals;
}

std::vector<Finding> DeliveryWorker::Failing(BootTime now) const {
  std::vector<Finding> failing;
  for (const auto& processor : processors_) {
    for (Finding& finding : processor->problems().Failing(now)) {
      failing.push_back(std::move(finding));
    }
  }
  return failing;
}

}  // namespace summa::outbox
