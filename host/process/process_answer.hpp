// An answer that the process of a plugin owes its host. Thread-safe.
#pragma once

#include <functional>
#include <optional>

#include "host/clock.hpp"
#include "host/http/http_message.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class ProcessAnswer {
 public:
  // give_up: tells the process that nobody waits any more.
  explicit ProcessAnswer(std::function<void()> give_up) : give_up_(std::move(give_up)) {}

  // The first one counts.
  void Set(HttpResponse response);
  // Nobody waits any more; the answer is that it was given up.
  void GiveUp();
  bool answered() const;
  // nullopt: there is none after `time`.
  std::optional<HttpResponse> Wait(Microseconds time);

 private:
  const std::function<void()> give_up_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::optional<HttpResponse> response_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::host
