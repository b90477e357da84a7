// The phases in which reads move from the ledger to the read models.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <summa/error.hpp>

namespace summa::projections {

enum class Phase {
  kDualWrite,   // the ledger answers; the read models are only kept
  kShadowRead,  // the ledger answers; the read model is asked as well, and compared
  kCutover,     // the read models answer, and are compared with the ledger from time to time
  kCleanup      // the read models answer
};

inline Phase PhaseOf(const std::string& name) {
  if (name == "dual-write") return Phase::kDualWrite;
  if (name == "shadow-read") return Phase::kShadowRead;
  if (name == "cutover") return Phase::kCutover;
  return Phase::kCleanup;
}

// Any thread.
struct PhaseCounters {
  std::atomic<std::int64_t> compared{0}, different{0}, missing{0};
};

}  // namespace summa::projections
