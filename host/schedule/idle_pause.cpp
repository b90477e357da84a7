#include "host/schedule/idle_pause.hpp"

#include <algorithm>

namespace summa::host {

Microseconds IdlePause::After(bool backlog, std::int64_t items,
                              std::optional<Microseconds> wait_hint) {
  const bool at_once = backlog || (wait_hint && *wait_hint < kFirst);
  if (items > 0 || !at_once) in_vain_.Reset();
  if (items > 0) {
    Reset();
    if (backlog) return Microseconds(0);
    return wait_hint ? std::clamp(*wait_hint, Microseconds(0), idle_poll_) : idle_poll_;
  }
  if (at_once) {
    Microseconds pause = in_vain_.Next();
    if (wait_hint && *wait_hint > pause) pause = std::min(*wait_hint, kLongestInVain);
    return pause;
  }
  const Microseconds pause = idle_.Next();
  return wait_hint ? std::min(*wait_hint, pause) : pause;
}

}  // namespace summa::host
