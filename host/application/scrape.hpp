// The text of `/metrics`: what is counted as it happens, and what is looked up when somebody asks.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "host/application/fleet_view.hpp"
#include "host/application/status.hpp"
#include "host/database/session.hpp"
#include "host/lease/lease_keeper.hpp"

namespace summa::host {

struct ScrapeView {
  HostReport report;
  FleetSight fleet;
  std::map<std::string, LeaseStatus> leases;  // by worker
  std::map<std::string, PoolUse> pools;       // by database
};

// Thread-safe.
class Scrape {
 public:
  std::string Text(const ScrapeView& view);

 private:
  void SetOperations(const std::vector<OperationReport>& operations);

  std::mutex mutex_;
  std::map<std::string, PluginReport> plugins_;          // as last exported
  std::set<std::pair<std::string, std::string>> kinds_;  // of operations, that were exported
};

}  // namespace summa::host
