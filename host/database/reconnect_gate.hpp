// Spaces the attempts to open a connection while the server is away, so that a host with many
// threads does not add to its troubles. One thread at a time: its owner has a lock.
#pragma once

#include <chrono>
#include <optional>
#include <summa/backoff.hpp>

#include "host/database/session.hpp"

namespace summa::host {

class ReconnectGate {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  // Pauses between attempts: at random up to `first`, which doubles with every failure up to `cap`.
  ReconnectGate(Microseconds first, Microseconds cap) : backoff_(first, cap) {}

  // Before this there is no sense in an attempt; nullopt: the last one was good.
  std::optional<TimePoint> not_before() const {
    return failure_ ? std::optional<TimePoint>(not_before_) : std::nullopt;
  }
  const SqlFailure& last_failure() const { return *failure_; }  // only when there is not_before()

  void Opened() {
    failure_.reset();
    backoff_.Reset();
  }
  // Attempts that were under way side by side count once.
  void Failed(const SqlFailure& failure) {
    const auto now = std::chrono::steady_clock::now();
    if (!failure_ || not_before_ <= now) not_before_ = now + backoff_.Next();
    failure_.emplace(failure);
  }

  // What make() returns, or what it throws; too early: the last failure again, at once.
  template <typename Make>
  auto Open(Make&& make) {
    if (failure_ && std::chrono::steady_clock::now() < not_before_) throw SqlFailure(*failure_);
    try {
      auto opened = make();
      Opened();
      return opened;
    } catch (const SqlFailure& failure) {
      Failed(failure);
      throw;
    }
  }

 private:
  Backoff backoff_;
  TimePoint not_before_{};
  std::optional<SqlFailure> failure_;
};

// A server that is back is found within a second, and asked at most some times a second.
inline constexpr std::chrono::milliseconds kFirstReconnectPause{50};
inline constexpr std::chrono::milliseconds kLongestReconnectPause{1000};

}  // namespace summa::host
