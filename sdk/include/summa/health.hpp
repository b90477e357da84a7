// What a plugin reports about its own problems and about its environment. The contract:
// abi/health.h.
#pragma once

#include <summa/abi/health.h>
#include <summa/error.hpp>

#include <cstdint>
#include <string>

namespace summa {

enum class Severity {
  kOk = SUMMA_SEVERITY_OK,
  kWarning = SUMMA_SEVERITY_WARN,
  kError = SUMMA_SEVERITY_ERROR
};

struct Finding {
  Severity severity = Severity::kError;
  std::string subject;   // what was checked
  std::string found;     // its state; why it fails, since when
  std::string expected;  // may be empty
  std::string fix;       // what to do
};

// Borrows the texts of `finding`.
inline summa_finding ToAbi(const Finding& finding) {
  return {sizeof(summa_finding),   static_cast<std::int32_t>(finding.severity),
          ToAbi(finding.subject),  ToAbi(finding.found),
          ToAbi(finding.expected), ToAbi(finding.fix)};
}

// One examination; valid while Plugin::Examine runs. [main]
class Examination {
 public:
  explicit Examination(const summa_examination* examination) : examination_(examination) {}
  const summa_sql_v1* sql() const { return examination_->sql; }  // for reading only
  bool ShouldStop() const { return examination_->should_stop(examination_) != 0; }
  void Report(const Finding& finding) const {
    const summa_finding abi = ToAbi(finding);
    examination_->report(examination_, &abi);
  }

 private:
  const summa_examination* examination_;
};

}  // namespace summa
