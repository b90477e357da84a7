// Pauses between attempts. The longest possible pause doubles with every failure up to a limit, and
// the actual pause is drawn at random: callers that failed together must not try again together.
//
//   Backoff backoff(milliseconds(100), seconds(60));
//   while (!Connect()) Wait(backoff.Next());
//   backoff.Reset();
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <random>
#include <utility>

namespace summa {

// Uniform in [0, 1). Thread-safe: each thread has its own generator, seeded by the system.
inline double RandomFraction() {
  thread_local std::minstd_rand generator(std::random_device{}());
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

// How much of a pause is random.
enum class Jitter {
  kFull,  // all of it: spreads many callers best
  kHalf,  // the second half: it is never short
  kNone,  // nothing: for a single caller, or a pause that must be exact
};

// Next() and Reset() belong to one thread; Pause() to any, when `random` does.
class Backoff {
 public:
  using Microseconds = std::chrono::microseconds;
  using Random = std::function<double()>;  // uniform in [0, 1)

  // The first pause is at most `first`, none is longer than `longest`.
  Backoff(Microseconds first, Microseconds longest, Jitter jitter = Jitter::kFull,
          Random random = RandomFraction)
      : first_(first), longest_(longest), jitter_(jitter), random_(std::move(random)) {}

  // The pause after `failures` consecutive failures, counted by the caller from 1; less counts as
  // 1. At least a millisecond, if the limits allow that: less would be a busy loop.
  Microseconds Pause(std::int64_t failures) const {
    constexpr Microseconds kShortest = std::chrono::milliseconds(1);
    const Microseconds ceiling = Ceiling(failures);
    const double part = Part();
    if (part >= 1.0) return ceiling;
    const auto drawn = static_cast<std::int64_t>(part * static_cast<double>(ceiling.count()));
    return std::max(Microseconds(drawn), std::min(kShortest, ceiling));
  }

  // The pause after one more failure. Counts them itself.
  Microseconds Next() { return Pause(++failures_); }
  void Reset() { failures_ = 0; }
  std::int64_t failures() const { return failures_; }  // since Reset()

 private:
  // first * 2^(failures - 1), at most `longest`. The limit is halved rather than the pause doubled,
  // so that nothing overflows.
  Microseconds Ceiling(std::int64_t failures) const {
    constexpr std::int64_t kMaxDoublings = 63;
    const auto doublings = std::clamp<std::int64_t>(failures, 1, kMaxDoublings + 1) - 1;
    const bool below = first_.count() <= longest_.count() >> doublings;
    return below ? Microseconds(first_.count() << doublings) : longest_;
  }

  double Part() const {
    if (jitter_ == Jitter::kNone) return 1.0;
    return jitter_ == Jitter::kHalf ? (1.0 + random_()) / 2.0 : random_();
  }

  Microseconds first_, longest_;
  Jitter jitter_;
  Random random_;
  std::int64_t failures_ = 0;
};

}  // namespace summa
