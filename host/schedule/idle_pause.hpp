// How long a worker pauses after a call of it. While work is known and gets less: not at all. After
// work, `idle_poll`, or as soon as the worker asks for. When there was nothing to do: 1 ms, then
// twice as long each time up to `idle_poll`. One that asks to be called at once and does nothing is
// not believed for long: its pauses grow to a second. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <summa/backoff.hpp>

#include "host/clock.hpp"

namespace summa::host {

class IdlePause {
 public:
  explicit IdlePause(Microseconds idle_poll)
      : idle_poll_(idle_poll), idle_(kFirst, idle_poll, Jitter::kNone) {}

  // wait_hint: the worker wants to be called after this long at the latest; caps the pause.
  Microseconds After(bool backlog, std::int64_t items, std::optional<Microseconds> wait_hint);
  void Reset() { idle_.Reset(); }
  // Calls in a row that asked to be called at once and did nothing.
  std::int64_t in_vain() const { return in_vain_.failures(); }

 private:
  static constexpr Microseconds kFirst = std::chrono::milliseconds(1);
  static constexpr Microseconds kLongestInVain = std::chrono::seconds(1);
  Microseconds idle_poll_;
  Backoff idle_;
  Backoff in_vain_{kFirst, kLongestInVain, Jitter::kNone};
};

}  // namespace summa::host
