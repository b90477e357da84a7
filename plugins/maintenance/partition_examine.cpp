#include <algorithm>

#include "guard/guard.hpp"
#include "maintenance_sql.hpp"
#include "manager/gates.hpp"
#include "manager/manager.hpp"
#include "partition_commands.hpp"

namespace summa::maintenance {
namespace {

// Room for other transactions beside one that locks everything.
constexpr double kLocksShare = 0.5;

void ExamineRights(const Examination& examination, Session& session,
                   const PartitionedTable& table) {
  const Result found = session.Exec(sql::partition_owners, {table.oid});
  std::string foreign;
  for (const Row row : found) {
    foreign.append(foreign.empty() ? "" : ", ").append(row.Get<std::string>("name"));
  }
  const bool owned = foreign.empty();
  examination.Report({owned ? Severity::kOk : Severity::kError, "owner of " + table.quoted,
                      owned ? "this role, of all partitions" : "another role owns " + foreign,
                      "this role is a member of the owner: only an owner attaches and detaches",
                      owned ? "" : "GRANT the owner's role to the role of the host"});
}

void ExamineLocks(const Examination& examination, Session& session, const PartitionedTable& table) {
  const Result found = session.Exec(sql::partition_locks, {table.oid});
  const auto needed = found[0].Get<std::int64_t>("relations");
  const auto room = found[0].Get<std::int64_t>("room");
  const bool enough = static_cast<double>(needed) <= kLocksShare * static_cast<double>(room);
  examination.Report(
      {enough ? Severity::kOk : Severity::kWarning, "locks for " + table.quoted,
       std::to_string(needed) + " partitions and indexes, " + std::to_string(room) +
           " locks in the server",
       "at most half: a query that excludes no partition locks all of them",
       enough ? ""
              : "raise max_locks_per_transaction (needs a restart), or use a longer interval"});
}

void ExamineTable(const Examination& examination, const Environment& environment,
                  const TableSettings& settings) {
  Session session(environment.sql);
  const PlannedTable planned = MakePlan(environment, settings, false);
  ExamineRights(examination, session, planned.table);
  ExamineLocks(examination, session, planned.table);
  const std::vector<Finding> findings = FindingsOf(planned);
  for (const Finding& finding : findings) examination.Report(finding);
  if (findings.empty()) {
    examination.Report({Severity::kOk, "partitions of " + planned.table.quoted,
                        std::to_string(planned.table.partitions.size()) + " attached", "", ""});
  }
  const auto events = EventsOf(session, planned.table);
  if (!events) return;
  const std::vector<GuardProblem> problems = ExamineGuard(session, *events);
  for (const GuardProblem& problem : problems) {
    examination.Report({Severity::kError, "guard of " + problem.where, problem.what,
                        "the trigger on every partition, ENABLE ALWAYS",
                        "ALTER TABLE .. ENABLE ALWAYS TRIGGER; `summa-host explain SH-0811`"});
  }
  if (problems.empty()) {
    examination.Report(
        {Severity::kOk, "guard of " + planned.table.quoted, "on every partition", "", ""});
  }
}

}  // namespace

void ExaminePartitions(const Examination& examination, const PartitionContext& context) {
  const WorkCaller caller{[&] { return context.host.BootNow(); },
                          [&] { return examination.ShouldStop(); },
                          [&](std::chrono::microseconds) { return examination.ShouldStop(); }};
  const Environment environment{context.host, examination.sql(), caller, context.settings};
  std::vector<TableSettings> tables;
  {
    Session session(examination.sql());
    tables = TablesOf(context.settings, session);
  }
  for (const TableSettings& table : tables) {
    try {
      ExamineTable(examination, environment, table);
    } catch (const Error& error) {
      if (error.status() == SUMMA_E_CANCELLED) throw;
      examination.Report({Severity::kError, "partitions of " + table.table, error.what(),
                          "a table partitioned by ranges of time", error.hint()});
    }
  }
}

}  // namespace summa::maintenance
