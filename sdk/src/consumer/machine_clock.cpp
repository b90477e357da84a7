#include "machine_clock.hpp"

#include <ctime>

namespace summa::detail {
namespace {

class Machine final : public Clock {
 public:
  std::chrono::microseconds Now() const override {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
  }
  void Wait(ConditionVariable& changed, Mutex& mutex, std::chrono::microseconds until) override
      SUMMA_REQUIRES(mutex) {
    changed.wait_for(mutex, until - Now());
  }
};

}  // namespace

Clock& MachineClock() {
  static Machine clock;
  return clock;
}

}  // namespace summa::detail
