// Waiting for a condition, with a deadline, in place of sleeping.
#pragma once

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

namespace summa::testkit {

// How long tests wait for something that normally takes milliseconds: generous, because the
// machines that run tests are slow and shared, and because waiting ends at once on success.
inline constexpr std::chrono::milliseconds kTimeout{180'000};
// Pause between two looks: a twentieth of the time that was waited, so that it goes unnoticed and
// long waits leave the CPU to what they wait for.
inline constexpr std::chrono::milliseconds kShortestPollInterval{5}, kLongestPollInterval{100};

// Looks at `predicate` until it is true or `timeout` is over. Returns whether it became true.
// The predicate is looked at once more after the deadline, so a slow machine is not punished.
template <typename Predicate>
bool BecomesTrue(Predicate&& predicate, std::chrono::milliseconds timeout = kTimeout) {
  const auto begin = std::chrono::steady_clock::now(), deadline = begin + timeout;
  for (auto now = begin; now < deadline; now = std::chrono::steady_clock::now()) {
    if (predicate()) return true;
    const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>((now - begin) / 20);
    std::this_thread::sleep_for(std::clamp(pause, kShortestPollInterval, kLongestPollInterval));
  }
  return static_cast<bool>(predicate());
}

// The same for what must happen: throws std::runtime_error that names `what` when it did not.
template <typename Predicate>
void WaitUntil(Predicate&& predicate, std::chrono::milliseconds timeout, const std::string& what) {
  if (!BecomesTrue(predicate, timeout)) {
    throw std::runtime_error("waited " + std::to_string(timeout.count()) + " ms in vain for " +
                             what);
  }
}

}  // namespace summa::testkit
