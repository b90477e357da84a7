#include "host/process/process_answer.hpp"

namespace summa::host {

void ProcessAnswer::Set(HttpResponse response) {
  const MutexLock lock(mutex_);
  if (response_) return;
  response_ = std::move(response);
  changed_.notify_all();
}

void ProcessAnswer::GiveUp() {
  if (answered()) return;
  if (give_up_) give_up_();
  Set(HttpError(503, "SH-0374", "nobody waits for the answer any more"));
}

bool ProcessAnswer::answered() const {
  const MutexLock lock(mutex_);
  return response_.has_value();
}

std::optional<HttpResponse> ProcessAnswer::Wait(Microseconds time) {
  MutexLock lock(mutex_);
  changed_.wait_for(lock, time, [this]() SUMMA_REQUIRES(mutex_) { return response_.has_value(); });
  return response_;
}

}  // namespace summa::host
