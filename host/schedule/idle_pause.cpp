#include "host/schedule/idle_pause.hpp"

#include <algorithm>

namespace summa::host {

Microseconds IdlePause::After(bool backlog, std::int64_t items,
                              std::optional<Microseconds> wait_hint) {
  const bool at_once = backlog || (wait_hint && *wait_hint < kFirst);
  if (items > 0 || !at_once) {
    in_vain_ = 0;
    next_in_vain_ = kFirst;
  }
  if (items > 0) {
    Reset();
    if (backlog) return Microseconds(0);
    return wait_hint ? std::clamp(*wait_hint, Microseconds(0), idle_poll_) : idle_poll_;
  }
  if (at_once) {
    ++in_vain_;
    Microseconds pause = next_in_vain_;
    next_in_vain_ = std::min(next_in_vain_ * 2, kLongestInVain);
    if (wait_hint && *wait_hint > pause) pause = std::min(*wait_hint, kLongestInVain);
    return pause;
  }
  Microseconds pause = std::min(next_, idle_poll_);
  next_ = std::min(next_ * 2, std::max(idle_poll_, kFirst));
  if (wait_hint) pause = std::min(*wait_hint, pause);
  return pause;
}

}  // namespace summa::host
