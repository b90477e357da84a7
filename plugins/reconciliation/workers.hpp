// The workers block-checkpoint, hash-snapshot-creator and rolling-verification: each is one call of
// what does the work, and what is said of it afterwards.
#pragma once

#include <set>
#include <string>
#include <summa/health.hpp>
#include <summa/host.hpp>
#include <summa/mutex.hpp>
#include <summa/worker.hpp>
#include <vector>

#include "metrics.hpp"
#include "settings.hpp"

namespace summa::reconciliation {

// What a worker has to say to /readyz. Thread-safe.
class CurrentFindings {
 public:
  void Set(std::vector<Finding> findings) {
    const MutexLock lock(mutex_);
    findings_ = std::move(findings);
  }
  std::vector<Finding> Get() const {
    const MutexLock lock(mutex_);
    return findings_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<Finding> findings_ SUMMA_GUARDED_BY(mutex_);
};

class ReconciliationWorker : public Worker {
 public:
  ReconciliationWorker(Host host, const Settings& settings, Metrics& metrics)
      : host_(host), settings_(settings), metrics_(metrics) {}
  // What is wrong since its last run on this host. Any thread.
  std::vector<Finding> Failing() const { return current_findings_.Get(); }

 protected:
  // Logs the first findings, counts all, and says them to /readyz.
  void ReportFindings(const char* worker, const Findings& findings);

  Host host_;
  const Settings& settings_;
  Metrics& metrics_;
  CurrentFindings current_findings_;
};

class DailyWorker final : public ReconciliationWorker {
 public:
  using ReconciliationWorker::ReconciliationWorker;
  TickResult Run(const Tick& tick) override;
};

class BlockWorker final : public ReconciliationWorker {
 public:
  using ReconciliationWorker::ReconciliationWorker;
  TickResult Run(const Tick& tick) override;
};

class SnapshotWorker final : public ReconciliationWorker {
 public:
  using ReconciliationWorker::ReconciliationWorker;
  TickResult Run(const Tick& tick) override;
};

class RollingWorker final : public ReconciliationWorker {
 public:
  using ReconciliationWorker::ReconciliationWorker;
  TickResult Run(const Tick& tick) override;

 private:
  std::set<std::string> incomplete_;  // parts, until the round is over
};

}  // namespace summa::reconciliation
