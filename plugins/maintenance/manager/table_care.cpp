#include "manager/table_care.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "manager/archive.hpp"
#include "manager/detach.hpp"
#include "manager/gates.hpp"
#include "manager/records.hpp"
#include "manager/remainder.hpp"
#include "manager_sql.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

// A plan looks no closer at an overflow partition with so many rows.
constexpr std::int64_t kMostRowsCounted = kMostRowsDrained + 1;

const char* UnitOf(Interval interval) {
  switch (interval) {
    case Interval::kHourly:
      return "hour";
    case Interval::kDaily:
      return "day";
    case Interval::kWeekly:
      return "week";
    case Interval::kMonthly:
      break;
  }
  return "month";
}

OverflowRows ReadOverflow(Session& session, const PartitionedTable& table,
                          const Partition* overflow, Interval interval) {
  OverflowRows rows;
  if (overflow == nullptr) return rows;
  rows.count =
      session
          .Exec("SELECT count(*) FROM (SELECT FROM " + overflow->quoted + " LIMIT $1::bigint) few",
                {kMostRowsCounted})
          .Value<std::int64_t>();
  if (rows.count == 0) return rows;
  const bool many = rows.count == kMostRowsCounted;
  // A table that was attached: a plan leaves its rows where they are.
  if (many && overflow->from == DatabaseTime::min()) return rows;
  const std::string text =
      WithNames(many ? manager_sql::overflow_ends : manager_sql::overflow_times,
                {{"table", overflow->quoted}, {"key", QuoteName(table.key)}});
  const Result found = many ? ReadLong(session, text) : ReadLong(session, text, {UnitOf(interval)});
  rows.at.reserve(found.rows());
  for (const Row row : found) rows.at.push_back(row.Get<DatabaseTime>("at"));
  return rows;
}

// Those older than the retention that may leave, oldest first, up to the first that may not.
void ExamineGates(const Environment& environment, const TableSettings& settings, Session& session,
                  PlannedTable& planned) {
  if (!settings.ranges.retention) return;
  const DatabaseTime until = planned.facts.now - *settings.ranges.retention;
  const std::optional<ledger::EventTable> events = EventsOf(session, planned.table);
  for (const Partition& partition : planned.table.partitions) {
    if (partition.overflow() || partition.remainder || partition.to > until) continue;
    const auto why = WhyNotDetachable(environment, session, planned.table, partition);
    if (why) {
      planned.why_held[partition.name] = *why;
      return;
    }
    planned.facts.releasable.insert(partition.oid);
    if (events && NeedsRemainder(session, planned.table, *events, partition)) {
      planned.facts.keeps.insert(partition.oid);
    }
  }
}

}  // namespace

std::vector<TableSettings> TablesOf(const ManagerSettings& settings, Session& session) {
  if (!settings.tables.empty()) return settings.tables;
  const bool partitioned = session
                               .Exec(
                                   "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = "
                                   "to_regclass('ledger_event') AND relkind = 'p')")
                               .Value<bool>();
  if (!partitioned) return {};
  return {TableSettings{}};
}

PlannedTable MakePlan(const Environment& environment, const TableSettings& settings, bool gates) {
  Session session(environment.sql);
  PlannedTable planned;
  planned.table = ReadTable(session, settings.table);
  const PartitionedTable& table = planned.table;
  PlanFacts& facts = planned.facts;
  facts.now = session.Exec("SELECT clock_timestamp()").Value<DatabaseTime>();
  facts.low = ReadOverflow(session, table, table.overflow_low(), settings.ranges.interval);
  facts.high = ReadOverflow(session, table, table.overflow_high(), settings.ranges.interval);
  for (const Row row : session.Exec(manager_sql::names, {table.oid, table.quoted})) {
    facts.names.insert(row.Get<std::string>("name"));
  }
  if (gates) ExamineGates(environment, settings, session, planned);
  planned.plan = PlanPartitions(table, settings.ranges, facts);
  return planned;
}

PlannedTable PlanDetachOf(const Environment& environment, const TableSettings& settings,
                          const std::string& name) {
  Session session(environment.sql);
  PlannedTable planned;
  planned.table = ReadTable(session, settings.table);
  const auto& partitions = planned.table.partitions;
  const auto partition =
      std::find_if(partitions.begin(), partitions.end(),
                   [&](const Partition& candidate) { return candidate.name == name; });
  if (partition == partitions.end()) {
    throw Error(SUMMA_E_NOT_FOUND, "SH-0836", planned.table.quoted + " has no partition " + name,
                "`summa-host partitions list` shows those that it has");
  }
  if (partition->overflow()) {
    throw Error(SUMMA_E_USAGE, "SH-0836", name + " is an overflow partition",
                "It takes the rows that have no range, and stays");
  }
  Action action{ActionKind::kDetach, name, partition->oid,     partition->from,
                partition->to,       {},   "asked for by name"};
  std::optional<std::string> why;
  if (partition->detach_pending) {
    action.kind = ActionKind::kFinishDetach;
  } else {
    why = WhyNotDetachable(environment, session, planned.table, *partition, true);
  }
  const std::optional<ledger::EventTable> events = EventsOf(session, planned.table);
  action.remainder = !why && events && NeedsRemainder(session, planned.table, *events, *partition);
  if (why) {
    planned.plan.held.push_back(name);
    planned.why_held[name] = *why;
  } else {
    planned.plan.actions.push_back(std::move(action));
  }
  return planned;
}

bool CreatesRoom(const Action& action) {
  return action.kind == ActionKind::kCreate || action.kind == ActionKind::kMoveOverflow ||
         action.kind == ActionKind::kDrain || action.kind == ActionKind::kCreateOverflow;
}

bool Drains(const Action& action) { return action.kind == ActionKind::kDrain; }

void TableCare::Run() {
  Recover();
  // Room first: the gates may take long, and writers need room.
  Apply(CreatesRoom, false);
  const bool room = outcome_.undone.empty();
  if (room && settings_.ranges.retention && !environment_.caller.should_stop()) {
    Apply([](const Action&) { return true; }, true);
  }
  ArchiveDetached();
}

// Its session is free again for what follows.
PartitionedTable TableCare::TableNow() const {
  Session session(environment_.sql);
  return ReadTable(session, settings_.table);
}

void TableCare::Recover() {
  SettleRecords(environment_, settings_.table);
  DropLeftovers(environment_, settings_.table);
  const PartitionedTable table = TableNow();
  const bool pending = std::any_of(table.partitions.begin(), table.partitions.end(),
                                   [](const Partition& one) { return one.detach_pending; });
  if (!pending) return;
  Apply(
      [](const Action& action) {
        return action.kind == ActionKind::kFinishDetach || action.kind == ActionKind::kUndoDetach;
      },
      true);
}

void TableCare::Apply(const std::function<bool(const Action&)>& wanted, bool gates) {
  const PlannedTable planned = MakePlan(environment_, settings_, gates);
  if (gates) outcome_.why_held = planned.why_held;
  for (const Action& action : planned.plan.actions) {
    if (environment_.caller.should_stop()) return;
    if (!wanted(action)) continue;
    // The next actions rely on this one.
    if (!Perform(planned, action)) return;
    outcome_.done.push_back(action);
  }
}

bool TableCare::Perform(const PlannedTable& planned, const Action& action) {
  if (!CreatesRoom(action)) {
    const Partition* partition = planned.table.Find(action.oid);
    return partition == nullptr || PerformDetach(*partition, action.kind);
  }
  const ApplyOutcome applied = ApplyAction(environment_, settings_.table, action);
  outcome_.applied.Add(applied);
  if (applied.done) return true;
  // The next plan chooses the names anew.
  if (!environment_.caller.should_stop()) DropLeftovers(environment_, settings_.table);
  outcome_.undone.push_back(std::string(NameOf(action.kind)) + " " + action.name +
                            ": in the way: " + TextOf(applied.blockers));
  return false;
}

bool TableCare::PerformDetach(const Partition& partition, ActionKind kind) {
  DetachOutcome done;
  if (kind == ActionKind::kDetach) {
    done = Detach(environment_, settings_.table, partition);
  } else if (kind == ActionKind::kFinishDetach) {
    done = FinishDetach(environment_, settings_.table, partition);
  } else {
    done = UndoDetach(environment_, settings_.table, partition);
  }
  if (!done.done) {
    outcome_.undone.push_back(std::string(NameOf(kind)) + " " + partition.name + ": " +
                              done.why_not);
    return false;
  }
  if (kind != ActionKind::kUndoDetach) outcome_.detached.push_back(partition.name);
  outcome_.kept += done.kept;
  outcome_.applied.held = std::max(outcome_.applied.held, done.held);
  return true;
}

void TableCare::DetachOne(const std::string& name) {
  const PlannedTable planned = PlanDetachOf(environment_, settings_, name);
  for (const auto& [held, why] : planned.why_held) {
    outcome_.undone.push_back("detach " + held);
    outcome_.undone.back().append(": ").append(why);
  }
  for (const Action& action : planned.plan.actions) {
    if (Perform(planned, action)) outcome_.done.push_back(action);
  }
}

void TableCare::ArchiveDetached() {
  if (settings_.archive == ArchiveKind::kNone) return;
  const PartitionedTable table = TableNow();
  std::vector<PartitionRecord> records;
  {
    Session session(environment_.sql);
    records = ReadRecords(session, table);
  }
  for (const PartitionRecord& record : records) {
    if (record.state != "detached") continue;
    if (environment_.caller.should_stop()) return;
    const auto why_not = Archive(environment_, settings_, record);
    if (why_not) {
      outcome_.undone.push_back("archive " + record.name + ": " + *why_not);
    } else {
      outcome_.archived.push_back(record.name);
    }
  }
}

}  // namespace summa::maintenance
