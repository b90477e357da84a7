// How long a continuous worker pauses after a tick: not at all while work is known, 1 ms after it
// worked, then twice as long each time up to `idle_poll`. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "host/clock.hpp"

namespace summa::host {

class IdlePause {
 public:
  explicit IdlePause(Microseconds idle_poll) : idle_poll_(idle_poll) {}

  // wait_hint: the worker wants to be called after this long at the latest; caps the pause.
  Microseconds After(bool backlog, std::int64_t items, std::optional<Microseconds> wait_hint);
  void Reset() { next_ = kFirst; }

 private:
  static constexpr Microseconds kFirst = std::chrono::milliseconds(1);
  Microseconds idle_poll_;
  Microseconds next_ = kFirst;
};

}  // namespace summa::host
