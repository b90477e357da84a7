// The metrics of the plugin, made when they are first needed. Thread-safe: each metric is.
#pragma once

#include <string_view>
#include <summa/host.hpp>

#include "report.hpp"

namespace summa::reconciliation {

struct SealOutcome;
struct SnapshotOutcome;
struct RollingOutcome;

class Metrics {
 public:
  explicit Metrics(Host host) : host_(host) {}

  void Reconciled(const RunState& run, double seconds) const;
  void Sealed(const SealOutcome& outcome) const;
  void Snapshotted(const SnapshotOutcome& outcome) const;
  void Rolled(const RollingOutcome& outcome) const;
  void Found(std::string_view worker, const Findings& findings) const;

 private:
  void Verified(double events) const;

  Host host_;
};

}  // namespace summa::reconciliation
