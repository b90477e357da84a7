// The phases in which reads move from the ledger to the read models (docs/projections.md).
#pragma once

#include <string>
#include <summa/cqrs.hpp>

namespace summa::projections {

inline ReadPhase PhaseOf(const std::string& name) {
  if (name == "dual-write") return ReadPhase::kDualWrite;
  if (name == "shadow-read") return ReadPhase::kShadowRead;
  if (name == "cutover") return ReadPhase::kCutover;
  return ReadPhase::kCleanup;
}

}  // namespace summa::projections
