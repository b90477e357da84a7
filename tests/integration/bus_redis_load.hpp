// Load on a bus whose servers fail meanwhile.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/bus_redis_support.hpp"

namespace summa::bus_redis {

// Publishes 0, 1, 2, ... to each topic, as an outbox does: what is not confirmed is sent again
// before anything behind it.
class Load {
 public:
  Load(Bus& bus, std::vector<std::string> topics) : bus_(bus), topics_(std::move(topics)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~Load() { Stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  // How many numbers of each topic are confirmed at the end.
  std::size_t Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return confirmed_;
  }
  std::size_t confirmed() const { return confirmed_; }
  std::size_t failures() const { return failures_; }
  std::string last_failure() const {
    const std::lock_guard lock(mutex_);
    return last_failure_;
  }

 private:
  static constexpr std::size_t kAtOnce = 20;
  void Run() {
    while (!stop_) {
      Batch batch;
      for (std::size_t i = 0; i < kAtOnce; ++i) {
        for (const std::string& topic : topics_) batch.Add(topic, std::to_string(confirmed_ + i));
      }
      while (!batch.messages.empty()) {
        const auto failure = batch.Publish(bus_);
        if (batch.Count(SUMMA_BUS_CONFIRMED) != batch.messages.size()) {
          ++failures_;
          const std::lock_guard lock(mutex_);
          for (const auto& receipt : batch.receipts) {
            if (last_failure_.empty()) last_failure_ = receipt.error;
          }
          if (failure) last_failure_ = failure->what();
          std::this_thread::sleep_for(std::chrono::milliseconds(5));  // as an outbox pauses
        }
        batch.KeepUnconfirmed();
      }
      confirmed_ += kAtOnce;
    }
  }

  Bus& bus_;
  const std::vector<std::string> topics_;
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> confirmed_{0}, failures_{0};
  mutable std::mutex mutex_;
  std::string last_failure_;
  std::thread thread_;
};

}  // namespace summa::bus_redis
