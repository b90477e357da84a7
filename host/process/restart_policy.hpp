// When the process of a plugin that has ended is started again. Pure; one thread.
#pragma once

#include "host/clock.hpp"
#include "summa/backoff.hpp"

namespace summa::host {

class RestartPolicy {
 public:
  // Ends by itself after longer than this are unrelated.
  static constexpr Microseconds kWellAfter = std::chrono::minutes(10);
  // So many ends in a row, each after a pause that doubles, and it is parked.
  static constexpr int kParkAfter = 5;
  static constexpr Microseconds kFirstPause = std::chrono::milliseconds(500);
  static constexpr Microseconds kLongestPause = std::chrono::minutes(1);
  // A parked one is tried as rarely as a parked worker.
  static constexpr Microseconds kParkedPause = std::chrono::minutes(5);

  enum class End {
    kOfItself,  // counts against it
    kOfOthers,  // what it needs is away: tried for as long as it takes
    kParkNow,   // the fleet has parked it
    kOrderly,   // somebody told it to end
  };
  struct Decision {
    Microseconds pause{0};
    bool parked = false;
  };
  // It has ended after it had run for so long.
  Decision Ended(End end, Microseconds ran);
  // Somebody says that it is repaired.
  void Forget();
  int ends() const { return ends_; }  // in a row, that count

 private:
  Backoff backoff_{kFirstPause, kLongestPause, Jitter::kNone};
  int ends_ = 0;
};

}  // namespace summa::host
