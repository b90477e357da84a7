// The text of `/metrics`: what is counted as it happens, and what is looked up when somebody asks.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/application/fleet_view.hpp"
#include "host/application/status.hpp"
#include "host/database/session.hpp"
#include "host/lease/lease_keeper.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

struct ScrapeView {
  HostReport report;
  FleetStatus fleet;
  std::map<std::string, LeaseStatus> leases;      // by worker
  std::map<std::string, PoolUse> pools;           // by database
  std::vector<std::string> workers_of_processes;  // what the fleet knows of them, processes do not
  // The metrics of processes, by plugin.
  std::vector<std::pair<std::string, std::string>> processes;
};

// Thread-safe.
class Scrape {
 public:
  std::string Text(const ScrapeView& view);

 private:
  void SetOperations(const std::vector<OperationReport>& operations);

  Mutex mutex_;
  std::map<std::string, PluginReport> plugins_ SUMMA_GUARDED_BY(mutex_);  // as last exported
  // Of operations, that were exported.
  std::set<std::pair<std::string, std::string>> kinds_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::host
