#include "work.hpp"

#include <algorithm>

namespace summa::reconciliation {
namespace {

// A rest inside a transaction: well below the limit at which the server ends one that idles.
constexpr std::chrono::microseconds kLongestRest = std::chrono::seconds(2);

[[noreturn]] void Stop() {
  throw Error(SUMMA_E_CANCELLED, "SH-0705", "told to stop before everything was looked at",
              "start it again; what was done is kept where that is possible");
}

}  // namespace

void Work::StopIfAsked() const {
  if (should_stop_()) Stop();
}

void Work::Read(std::int64_t rows) {
  StopIfAsked();
  if (max_rate_ <= 0 || rows <= 0) return;
  const BootTime now = host_.BootNow();
  next_read_ = std::max(next_read_, now) + std::chrono::microseconds(rows * 1'000'000 / max_rate_);
  while (next_read_ > host_.BootNow()) {
    if (wait_(std::min(next_read_ - host_.BootNow(), kLongestRest))) Stop();
  }
}

}  // namespace summa::reconciliation
