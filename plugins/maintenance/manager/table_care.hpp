// What one partitioned table needs: the plan, its actions, detaches and archives. The worker and the
// verbs both go through here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "manager/apply.hpp"
#include "manager/environment.hpp"
#include "partition/catalog.hpp"
#include "partition/plan.hpp"

namespace summa::maintenance {

// The tables of the configuration; without any: ledger_event, when it is partitioned.
std::vector<TableSettings> TablesOf(const ManagerSettings& settings, Session& session);

struct PlannedTable {
  PartitionedTable table;
  Plan plan;
  PlanFacts facts;
  // Why a range that is older than the retention stays, by name; only of the first that does.
  std::map<std::string, std::string> why_held;
};

// Reads everything that a plan needs. gates: whether ranges that are older than the retention are
// examined; this may read whole partitions. Without, none of them may leave.
PlannedTable MakePlan(const Environment& environment, const TableSettings& settings, bool gates);
// Only the detach of one partition, whatever its age: an action, or held with the reason. SH-0836
// when there is no such range.
PlannedTable PlanDetachOf(const Environment& environment, const TableSettings& settings,
                          const std::string& name);

struct CareOutcome {
  ApplyOutcome applied;
  std::vector<Action> done;
  std::vector<std::string> detached, archived;  // names
  std::int64_t kept = 0;                        // events of detached ones that stay, in remainders
  // What could not be done now, with the reason; the next run tries again.
  std::vector<std::string> undone;
  std::map<std::string, std::string> why_held;  // as in PlannedTable
};

class TableCare {
 public:
  TableCare(const Environment& environment, const TableSettings& settings)
      : environment_(environment), settings_(settings) {}

  // Everything, in this order: what an interrupted run left, the actions of the plan, archives.
  void Run();
  // Only what a verb names.
  void Recover();
  void Apply(const std::function<bool(const Action&)>& wanted, bool gates);
  void DetachOne(const std::string& name);
  void ArchiveDetached();

  const CareOutcome& outcome() const { return outcome_; }

 private:
  PartitionedTable TableNow() const;
  bool Perform(const PlannedTable& planned, const Action& action);
  bool PerformDetach(const Partition& partition, ActionKind kind);

  const Environment& environment_;
  const TableSettings& settings_;
  CareOutcome outcome_;
};

bool CreatesRoom(const Action& action);  // create, move-overflow, drain, create-overflow
bool Drains(const Action& action);

}  // namespace summa::maintenance
