#include "host/http/http_call.hpp"

namespace summa::host {

HttpCall::HttpCall(HttpRequest request, std::vector<std::string> values, std::function<void()> wake)
    : request_(std::move(request)), values_(std::move(values)), wake_(std::move(wake)) {}

void HttpCall::Answer(HttpResponse response) {
  {
    const MutexLock lock(mutex_);
    if (answered_) return;
    answered_ = true;
    response_ = std::move(response);
  }
  if (wake_) wake_();
  const MutexLock lock(interrupt_mutex_);
  if (interrupt_) interrupt_();
}

bool HttpCall::answered() const {
  const MutexLock lock(mutex_);
  return answered_;
}

HttpResponse HttpCall::TakeResponse() {
  const MutexLock lock(mutex_);
  return std::move(response_);
}

HttpCall::Interrupt::Interrupt(HttpCall& call, std::function<void()> function) : call_(call) {
  {
    const MutexLock lock(call_.interrupt_mutex_);
    call_.interrupt_ = std::move(function);
  }
  if (!call_.answered()) return;
  const MutexLock lock(call_.interrupt_mutex_);
  call_.interrupt_();
}

HttpCall::Interrupt::~Interrupt() {
  const MutexLock lock(call_.interrupt_mutex_);
  call_.interrupt_ = nullptr;
}

}  // namespace summa::host
