#include "manager/manager.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace summa::maintenance {
namespace {

const char* FixOf(AlarmKind kind) {
  switch (kind) {
    case AlarmKind::kRunway:
    case AlarmKind::kGap:
      return "`summa-host partitions create`; when it fails, its answer names who is in the way";
    case AlarmKind::kDefaultPartition:
      return "move its rows into ranges, then detach and drop it; overflow partitions replace it";
    case AlarmKind::kOverflowRows:
      return "`summa-host partitions drain`; rows that stay have times far away from now: find out "
             "who wrote them";
    case AlarmKind::kNoRoom:
      return "detach it, and attach it again with bounds";
  }
  return "";
}

}  // namespace

std::vector<Finding> FindingsOf(const PlannedTable& planned) {
  std::vector<Finding> findings;
  const std::string subject = "partitions of " + planned.table.quoted;
  for (const Alarm& alarm : planned.plan.alarms) {
    findings.push_back({Severity::kWarning, subject, alarm.text, "", FixOf(alarm.kind)});
  }
  for (const Partition& partition : planned.table.partitions) {
    if (!partition.detach_pending) continue;
    findings.push_back({Severity::kWarning, subject,
                        partition.name + " is being detached: no statement sees its rows", "",
                        "nothing when it was begun just now; otherwise `summa-host partitions "
                        "detach` finishes it as soon as no older snapshot is open"});
  }
  const auto stays = [&](const std::string& name, const std::string& why) -> Finding {
    return {Severity::kWarning, subject, name + " is older than the retention and stays: " + why,
            "", "`summa-host partitions plan` shows what waits for it"};
  };
  for (const auto& [name, why] : planned.why_held) findings.push_back(stays(name, why));
  return findings;
}

std::vector<Finding> PartitionManager::Failing() const {
  const MutexLock lock(mutex_);
  return findings_;
}

TickResult PartitionManager::Run(const Tick& tick) {
  return Run(tick.sql(), CallerOf(host_, tick));
}

TickResult PartitionManager::Run(const summa_sql_v1* sql, const WorkCaller& caller) {
  const Environment environment{host_, sql, caller, settings_};
  std::vector<TableSettings> tables;
  {
    Session session(sql);
    tables = TablesOf(settings_, session);
  }
  std::vector<Finding> findings;
  std::vector<std::string> undone;
  TickResult result;
  for (const TableSettings& table : tables) {
    if (caller.should_stop()) return result;
    try {
      CareFor(environment, table, findings, undone, result.items);
    } catch (const Error& error) {
      if (error.status() == SUMMA_E_CANCELLED || error.status() == SUMMA_E_FENCED) throw;
      undone.push_back(table.table + ": " + error.code() + " " + error.what());
      findings.push_back(
          {Severity::kWarning, "partitions of " + table.table, error.what(), "", error.hint()});
    }
  }
  {
    const MutexLock lock(mutex_);
    findings_ = std::move(findings);
  }
  if (undone.empty()) return result;
  std::string text;
  for (const std::string& one : undone) text += (text.empty() ? "" : "; ") + one;
  throw Error(SUMMA_E_TRY_LATER, "SH-0839", "not everything could be done: " + text,
              "It is tried again. Who is named may have to end a transaction");
}

void PartitionManager::CareFor(const Environment& environment, const TableSettings& settings,
                               std::vector<Finding>& findings, std::vector<std::string>& undone,
                               std::int64_t& items) {
  TableCare care(environment, settings);
  care.Run();
  const CareOutcome& outcome = care.outcome();
  Count(settings.table, outcome);
  items += static_cast<std::int64_t>(outcome.done.size() + outcome.archived.size());
  undone.insert(undone.end(), outcome.undone.begin(), outcome.undone.end());
  // The gates were examined just now.
  PlannedTable planned = MakePlan(environment, settings, false);
  planned.why_held = outcome.why_held;
  Measure(settings.table, planned);
  for (Finding& finding : FindingsOf(planned)) findings.push_back(std::move(finding));
  for (const std::string& one : outcome.undone) {
    findings.push_back({Severity::kWarning, "partitions of " + settings.table, one, "",
                        "it is tried again; who is named may have to end a transaction"});
  }
}

void PartitionManager::Measure(const std::string& name, const PlannedTable& planned) const {
  const auto gauge = [&](const char* metric, const char* help, double value) {
    host_.Gauge(metric, help, {{"table", name}}).Set(value);
  };
  const auto seconds = [](std::chrono::microseconds time) {
    return std::chrono::duration<double>(time).count();
  };
  const auto remainders =
      std::count_if(planned.table.partitions.begin(), planned.table.partitions.end(),
                    [](const Partition& partition) { return partition.remainder; });
  double pending = 0;
  for (const Partition& partition : planned.table.partitions) {
    pending += partition.detach_pending ? 1 : 0;
  }
  gauge("summa_partition_attached", "Partitions of the table, overflow partitions included.",
        static_cast<double>(planned.table.partitions.size()));
  gauge("summa_partition_runway_seconds", "From now to the end of the last range without a gap.",
        seconds(planned.plan.runway));
  gauge("summa_partition_runway_wanted_seconds", "What the runway should be.",
        seconds(planned.plan.wish));
  gauge("summa_partition_overflow_rows",
        "Rows in overflow partitions, counted up to a million in each.",
        static_cast<double>(planned.facts.low.count + planned.facts.high.count));
  gauge("summa_partition_default", "1: the table has a DEFAULT partition.",
        planned.table.default_partition.empty() ? 0 : 1);
  gauge("summa_partition_gaps", "Spans of time whose rows have no partition.",
        static_cast<double>(planned.plan.gaps.size()));
  gauge("summa_partition_held", "Ranges older than the retention that may not be detached yet.",
        static_cast<double>(planned.plan.held.size()));
  gauge("summa_partition_remainders",
        "Partitions with the last events of chains whose ranges have left.",
        static_cast<double>(remainders));
  gauge("summa_partition_detach_pending", "Partitions whose detach was interrupted.", pending);
}

void PartitionManager::Count(const std::string& name, const CareOutcome& outcome) const {
  const auto count = [&](const char* metric, const char* help, std::int64_t value) {
    host_.Counter(metric, help, {{"table", name}}).Add(static_cast<double>(value));
  };
  count("summa_partition_created_total", "Partitions created.", outcome.applied.created);
  count("summa_partition_detached_total", "Partitions detached.",
        static_cast<std::int64_t>(outcome.detached.size()));
  count("summa_partition_kept_events_total",
        "Events of detached partitions that stay in the table, in remainders.", outcome.kept);
  count("summa_partition_archived_total", "Partitions archived.",
        static_cast<std::int64_t>(outcome.archived.size()));
  count("summa_partition_moved_rows_total", "Rows moved out of overflow partitions.",
        outcome.applied.moved);
  if (outcome.applied.held.count() == 0) return;
  host_
      .Histogram("summa_partition_lock_held_seconds", "Longest time that DDL held its locks.",
                 {{"table", name}})
      .Observe(std::chrono::duration<double>(outcome.applied.held).count());
}

}  // namespace summa::maintenance
