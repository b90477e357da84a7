#include "host/process/restart_policy.hpp"

namespace summa::host {

RestartPolicy::Decision RestartPolicy::Ended(End end, Microseconds ran) {
  if (ran >= kWellAfter || end == End::kOrderly) Forget();
  if (end == End::kParkNow) return {kParkedPause, true};
  if (end == End::kOfItself && ++ends_ >= kParkAfter) return {kParkedPause, true};
  return {backoff_.Next(), false};
}

void RestartPolicy::Forget() {
  backoff_.Reset();
  ends_ = 0;
}

}  // namespace summa::host
