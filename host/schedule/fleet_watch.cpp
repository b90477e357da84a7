#include "host/schedule/fleet_watch.hpp"

#include <exception>

#include "host/observe/log.hpp"

namespace summa::host {
namespace {

// One small SELECT: far below a thousandth of a core, and a person waits no longer than this.
constexpr Microseconds kLookEvery = std::chrono::seconds(1);
constexpr Microseconds kInterruptEvery = std::chrono::milliseconds(50);

}  // namespace

FleetWatch::FleetWatch(std::vector<std::shared_ptr<WorkerRun>> runs, const RunnerServices& services,
                       bool answers)
    : runs_(std::move(runs)), services_(services), answers_(answers) {
  thread_ = std::thread([this] {
    LookAtOrders();
    const MutexLock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  });
}

FleetWatch::~FleetWatch() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    // Again and again: an interruption ends only what is asked already.
    while (!changed_.wait_for(lock, kInterruptEvery,
                              [this]() SUMMA_REQUIRES(mutex_) { return ended_; })) {
      services_.store->Interrupt();
    }
  }
  thread_.join();
}

bool FleetWatch::Pause(Microseconds time) {
  MutexLock lock(mutex_);
  return !changed_.wait_for(lock, time, [this]() SUMMA_REQUIRES(mutex_) { return stopping_; });
}

void FleetWatch::LookAtOrders() {
  std::vector<std::string> ids;
  for (const auto& run : runs_) ids.push_back(run->plan().id);
  std::vector<std::int64_t> acknowledged(runs_.size(), 0);
  bool failing = false;
  while (Pause(kLookEvery)) {
    try {
      const std::vector<WorkerOrders> orders = services_.orders().Look(services_.host_name, ids);
      for (std::size_t i = 0; i < runs_.size() && i < orders.size(); ++i) {
        runs_[i]->SetOrders(orders[i]);
        if (answers_) Acknowledge(*runs_[i], orders[i], acknowledged[i]);
      }
      failing = false;
    } catch (const std::exception& failure) {
      // The last orders stay in force. The workers report the same failure of the database, so one
      // line is enough.
      const MutexLock lock(mutex_);
      if (!failing && !stopping_) {
        Log(LogLevel::kWarn, "SH-0325", "the requests for workers could not be read",
            {{"error", failure.what()}});
      }
      failing = true;
    }
  }
}

// Tells a waiting command that a host will run what it requests.
void FleetWatch::Acknowledge(const WorkerRun& run, const WorkerOrders& orders,
                             std::int64_t& acknowledged) {
  if (orders.run_request == 0 || orders.run_request == acknowledged) return;
  if (orders.paused || !orders.parked_error.empty() || run.stopping()) return;
  services_.orders().Seen(orders.run_request, services_.host_name);
  acknowledged = orders.run_request;
}

}  // namespace summa::host
