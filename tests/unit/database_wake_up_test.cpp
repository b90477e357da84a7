// A signal that meets a Clear() is a signal of before or of after it, never one that stays.
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <thread>

#include "host/database/wake_up.hpp"

namespace summa::host {
namespace {

bool Readable(const WakeUp& wake) {
  pollfd socket{wake.descriptor(), POLLIN, 0};
  return poll(&socket, 1, 0) == 1;
}

TEST(WakeUp, AClearLeavesNothingBehindWhateverItMet) {
  WakeUp wake;
  std::atomic<bool> begin{false};
  for (int round = 0; round < 5'000; ++round) {
    begin = false;
    std::thread signaller([&] {
      while (!begin) {
      }
      wake.Signal();
    });
    begin = true;
    wake.Clear();
    signaller.join();
    wake.Clear();
    ASSERT_FALSE(wake.signalled()) << round;
    ASSERT_FALSE(Readable(wake)) << "round " << round << ": every later wait would be woken";
  }
}

TEST(WakeUp, ASignalWakesUntilItIsCleared) {
  WakeUp wake;
  wake.Signal();
  wake.Signal();
  EXPECT_TRUE(wake.signalled());
  EXPECT_TRUE(Readable(wake));
  wake.Clear();
  EXPECT_FALSE(Readable(wake));
}

}  // namespace
}  // namespace summa::host
