// What the steps of a migration return.
#pragma once

#include <summa/operation.hpp>
#include <summa/sql.hpp>

#include <cstdint>
#include <optional>
#include <string>

#include "migration/record.hpp"

namespace summa::maintenance {

inline OperationProgress At(const std::string& phase, std::int64_t rows = 0) {
  return {.phase = phase, .cursor = "", .rows = rows, .total = std::nullopt, .finished = false};
}

inline OperationProgress End(const std::string& phase) {
  OperationProgress progress = At(phase);
  progress.finished = true;
  return progress;
}

// As it is now.
inline MigrationRecord CurrentRecord(OperationStep& step) {
  Session session(step.sql());
  return ReadRecord(session, step.id()).value();
}

}  // namespace summa::maintenance
