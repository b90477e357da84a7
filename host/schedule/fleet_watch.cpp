#include "host/schedule/fleet_watch.hpp"

#include <exception>

#include "host/observe/log.hpp"

namespace summa::host {
namespace {

// One small SELECT: far below a thousandth of a core, and a person waits no longer than this.
constexpr Microseconds kPollInterval = std::chrono::seconds(1);
constexpr Microseconds kInterruptEvery = std::chrono::milliseconds(50);

}  // namespace

FleetWatch::FleetWatch(std::vector<std::shared_ptr<WorkerInstance>> workers,
                       const RunnerServices& services, bool answers)
    : workers_(std::move(workers)), services_(services), answers_(answers) {
  thread_ = std::thread([this] {
    FetchOrders();
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

void FleetWatch::FetchOrders() {
  std::vector<std::string> ids;
  for (const auto& worker : workers_) ids.push_back(worker->plan().id);
  std::vector<std::int64_t> acknowledged(workers_.size(), 0);
  bool failing = false;
  while (Pause(kPollInterval)) {
    try {
      const std::vector<WorkerOrders> orders = services_.orders().Read(services_.host_name, ids);
      for (std::size_t i = 0; i < workers_.size() && i < orders.size(); ++i) {
        workers_[i]->SetOrders(orders[i]);
        if (answers_) Acknowledge(*workers_[i], orders[i], acknowledged[i]);
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
void FleetWatch::Acknowledge(const WorkerInstance& worker, const WorkerOrders& orders,
                             std::int64_t& acknowledged) {
  if (orders.run_request == 0 || orders.run_request == acknowledged) return;
  if (orders.paused || !orders.parked_error.empty() || worker.stopping()) return;
  services_.orders().Seen(orders.run_request, services_.host_name);
  acknowledged = orders.run_request;
}

}  // namespace summa::host
