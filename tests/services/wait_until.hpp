#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

namespace summa::test {

// How long tests wait for something that normally takes milliseconds: generous, because the
// machines that run tests are slow and shared, and because waiting ends at once on success.
inline constexpr std::chrono::milliseconds kPatience{180'000};
// Pause between two looks; short enough to be unnoticed, long enough to leave the CPU alone.
inline constexpr std::chrono::milliseconds kLookInterval{5};

// Looks at `predicate` until it is true or `patience` is over. Returns whether it became true.
// The predicate is looked at once more after the deadline, so a slow machine is not punished.
template <typename Predicate>
bool BecomesTrue(Predicate&& predicate, std::chrono::milliseconds patience = kPatience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (predicate()) return true;
    std::this_thread::sleep_for(kLookInterval);
  }
  return static_cast<bool>(predicate());
}

// The same for what must happen: throws std::runtime_error that names `what` when it did not.
template <typename Predicate>
void WaitUntil(Predicate&& predicate, std::chrono::milliseconds patience, const std::string& what) {
  if (!BecomesTrue(predicate, patience)) {
    throw std::runtime_error("waited " + std::to_string(patience.count()) + " ms in vain for " +
                             what);
  }
}

}  // namespace summa::test
