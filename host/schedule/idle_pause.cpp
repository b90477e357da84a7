#include "host/schedule/idle_pause.hpp"

#include <algorithm>

namespace summa::host {

Microseconds IdlePause::After(bool backlog, std::int64_t items,
                              std::optional<Microseconds> wait_hint) {
  if (backlog) {
    Reset();
    return Microseconds(0);
  }
  if (items > 0) Reset();
  Microseconds pause = std::min(next_, idle_poll_);
  next_ = std::min(next_ * 2, std::max(idle_poll_, kFirst));
  if (wait_hint) pause = std::clamp(*wait_hint, Microseconds(0), pause);
  return pause;
}

}  // namespace summa::host
