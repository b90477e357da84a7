#include "host/clock.hpp"

#include <ctime>

namespace summa::host {
namespace {

Microseconds Read(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) +
         std::chrono::duration_cast<Microseconds>(std::chrono::nanoseconds(now.tv_nsec));
}

class RealClock final : public Clock {
 public:
  BootTime BootNow() const override { return BootTime(Read(CLOCK_BOOTTIME)); }
  UnixTime UnixNow() const override { return UnixTime(Read(CLOCK_REALTIME)); }
};

}  // namespace

const Clock& SystemClock() {
  static const RealClock clock;
  return clock;
}

}  // namespace summa::host
