// The worker partition-manager: ranges exist ahead of now, rows have a place, old ranges leave.
#pragma once

#include <summa/health.hpp>
#include <summa/host.hpp>
#include <summa/mutex.hpp>
#include <summa/worker.hpp>

#include <string>
#include <vector>

#include "manager/table_care.hpp"

namespace summa::maintenance {

class PartitionManager final : public Worker {
 public:
  // Borrows the settings.
  PartitionManager(Host host, const ManagerSettings& settings) : host_(host), settings_(settings) {}

  // Each table, also when another fails. Throws SH-0839 when something could not be done, so that
  // the host calls it again soon; what waits for a gate is not that.
  TickResult Run(const Tick& tick) override;
  TickResult Run(const summa_sql_v1* sql, const WorkCaller& caller);
  // Since the last run on this host. Any thread.
  std::vector<Finding> Failing() const;

 private:
  void CareFor(const Environment& environment, const TableSettings& settings,
               std::vector<Finding>& findings, std::vector<std::string>& undone,
               std::int64_t& items);
  void Measure(const std::string& name, const PlannedTable& planned) const;
  void Count(const std::string& name, const CareOutcome& outcome) const;

  Host host_;
  const ManagerSettings& settings_;
  mutable Mutex mutex_;
  std::vector<Finding> findings_ SUMMA_GUARDED_BY(mutex_);
};

// What is wrong with a table, for /readyz and `doctor`.
std::vector<Finding> FindingsOf(const PlannedTable& planned);

}  // namespace summa::maintenance
