#include "host/database/wake_up.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace summa::host {

WakeUp::WakeUp() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

WakeUp::~WakeUp() { close(descriptor_); }

void WakeUp::Signal() noexcept {
  signalled_.store(true);
  // Fails only when the counter is full, and then the descriptor is readable anyway.
  [[maybe_unused]] const int ignored = eventfd_write(descriptor_, 1);
  // Once more: a Clear() in between found nothing to read yet, and what is readable now must be
  // found by the next one. Else it would wake every later wait.
  signalled_.store(true);
}

void WakeUp::Clear() noexcept {
  while (signalled_.exchange(false)) {
    eventfd_t value = 0;
    [[maybe_unused]] const int ignored = eventfd_read(descriptor_, &value);
  }
}

}  // namespace summa::host
