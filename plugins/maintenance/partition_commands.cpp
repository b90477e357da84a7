#include "partition_commands.hpp"

#include <summa/json.hpp>

#include <algorithm>
#include <utility>

#include "manager/archive.hpp"
#include "manager/detach.hpp"
#include "manager/records.hpp"
#include "manager/table_care.hpp"
#include "partition/advice.hpp"
#include "partition/statement.hpp"
#include "partition_timeline.hpp"

namespace summa::maintenance {
namespace {

// The tables that a verb works on: the one that it names, or all. `create` may name another number
// of ranges ahead.
std::vector<TableSettings> ChosenTables(const CommandCall& call, const PartitionContext& context) {
  Session session(call.sql());
  std::vector<TableSettings> tables = TablesOf(context.settings, session);
  const std::optional<std::string> wanted = call.Option("table");
  if (wanted) {
    // As the configuration has it, or as SQL has it.
    std::erase_if(tables, [&](const TableSettings& one) {
      return one.table != *wanted && one.table != QuoteWhereNeeded(*wanted);
    });
  }
  for (TableSettings& table : tables) {
    table.ranges.ahead = static_cast<int>(call.IntegerOption("ahead").value_or(table.ranges.ahead));
  }
  if (tables.empty()) {
    throw Error(SUMMA_E_NOT_FOUND, "SH-0836",
                wanted ? "no configured table is called " + *wanted
                       : "no table is configured, and ledger_event is not partitioned",
                "Name it under plugins.maintenance.partitions of the configuration");
  }
  return tables;
}

TableSettings TheTable(const CommandCall& call, const PartitionContext& context) {
  std::vector<TableSettings> tables = ChosenTables(call, context);
  if (tables.size() == 1) return std::move(tables.front());
  throw Error(SUMMA_E_USAGE, "SH-0836", "several tables are configured",
              "Name one of them with --table");
}

Environment EnvironmentOf(const CommandCall& call, const PartitionContext& context) {
  return {context.host, call.sql(), CallerOf(context.host, call), context.settings};
}

void WriteBound(JsonWriter& json, const char* name, DatabaseTime at) {
  json.Key(name);
  if (at == DatabaseTime::min() || at == DatabaseTime::max()) {
    json.Null();
  } else {
    json.Value(IsoText(at, IsoDigits::kMilliseconds));
  }
}

struct Listed {
  std::string name, state;
  Range range;
  std::optional<std::int64_t> rows;
  std::int64_t bytes = 0;
  std::string location;
  bool remainder = false;
  std::int64_t kept = 0;  // of the rows of one that has left, those that stay in a remainder
};

std::vector<Listed> ListOf(const PartitionedTable& table,
                           const std::vector<PartitionRecord>& records) {
  std::vector<Listed> all;
  for (const Partition& partition : table.partitions) {
    Listed one{partition.name,
               partition.detach_pending ? "detaching" : "attached",
               {partition.from, partition.to},
               std::nullopt,
               partition.bytes,
               "",
               partition.remainder};
    if (partition.rows >= 0) one.rows = static_cast<std::int64_t>(partition.rows);
    all.push_back(std::move(one));
  }
  for (const PartitionRecord& record : records) {
    if (record.state != "detached" && record.state != "archived") continue;
    all.push_back({record.name, record.state, record.range, record.rows, record.bytes,
                   record.location, false, record.kept});
  }
  std::stable_sort(all.begin(), all.end(), [](const Listed& left, const Listed& right) {
    return left.range.from < right.range.from;
  });
  return all;
}

void WriteList(JsonWriter& json, const std::string& table, const std::vector<Listed>& all,
               const std::vector<std::string>& timeline) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Listed& one = all[i];
    json.BeginObject().Member("table", table).Member("name", one.name);
    WriteBound(json, "from", one.range.from);
    WriteBound(json, "to", one.range.to);
    json.Member("rows", one.rows).Member("bytes", one.bytes).Member("state", one.state);
    json.Member("remainder", one.remainder).Member("keptEvents", one.kept);
    json.TextOrNull("location", one.location).Member("timeline", timeline[i]).EndObject();
  }
}

using Plans = std::vector<PlannedTable>;

void WriteRemainders(JsonWriter& json, const Plans& plans) {
  json.Key("remainders").BeginArray();
  for (const PlannedTable& planned : plans) {
    for (const Partition& partition : planned.table.partitions) {
      if (!partition.remainder) continue;
      json.BeginObject().Member("table", planned.table.quoted).Member("name", partition.name);
      WriteBound(json, "from", partition.from);
      WriteBound(json, "to", partition.to);
      json.EndObject();
    }
  }
  json.EndArray();
}

void WriteHeld(JsonWriter& json, const Plans& plans) {
  json.Key("held").BeginArray();
  for (const PlannedTable& planned : plans) {
    for (const std::string& name : planned.plan.held) {
      const auto why = planned.why_held.find(name);
      json.BeginObject()
          .Member("table", planned.table.quoted)
          .Member("name", name)
          .Member("why", why == planned.why_held.end() ? "an older one stays" : why->second)
          .EndObject();
    }
  }
  json.EndArray();
}

void WriteAlarms(JsonWriter& json, const Plans& plans) {
  json.Key("alarms").BeginArray();
  for (const PlannedTable& planned : plans) {
    for (const Alarm& alarm : planned.plan.alarms) {
      json.BeginObject()
          .Member("table", planned.table.quoted)
          .Member("kind", NameOf(alarm.kind))
          .Member("text", alarm.text)
          .EndObject();
    }
  }
  json.EndArray();
}

// An array for each kind of line: a person sees each as a table.
void WritePlans(JsonWriter& json, const Plans& plans) {
  json.Key("tables").BeginArray();
  for (const PlannedTable& planned : plans) {
    json.BeginObject()
        .Member("table", planned.table.quoted)
        .Member("runwaySeconds",
                std::chrono::duration_cast<std::chrono::seconds>(planned.plan.runway).count())
        .EndObject();
  }
  json.EndArray().Key("actions").BeginArray();
  for (const PlannedTable& planned : plans) {
    for (const Action& action : planned.plan.actions) Write(action, planned.table.quoted, json);
  }
  json.EndArray();
  WriteHeld(json, plans);
  WriteRemainders(json, plans);
  WriteAlarms(json, plans);
}

// What a verb did to the tables, one after the other.
class Report {
 public:
  Report() {
    tables_.BeginArray();
    done_.BeginArray();
  }

  void Note(const std::string& table, const std::string& action) {
    done_.BeginObject().Member("table", table).Member("action", action).EndObject();
  }
  void Add(const std::string& table, const CareOutcome& outcome) {
    tables_.BeginObject()
        .Member("table", table)
        .Member("created", outcome.applied.created)
        .Member("movedRows", outcome.applied.moved)
        .Member("detached", outcome.detached)
        .Member("keptEvents", outcome.kept)
        .Member("archived", outcome.archived)
        .Member("lockHeldMs",
                std::chrono::duration_cast<std::chrono::milliseconds>(outcome.applied.held).count())
        .EndObject();
    for (const Action& action : outcome.done) Note(table, TextOf(action));
    undone_.insert(undone_.end(), outcome.undone.begin(), outcome.undone.end());
    for (const auto& [held, why] : outcome.why_held) {
      undone_.push_back(held);
      undone_.back().append(": ").append(why);
    }
  }

  // What is undone is exit 75; everything else was done before.
  CommandResult Finish() {
    if (!undone_.empty()) {
      throw Error(SUMMA_E_TRY_LATER, "SH-0839", "not everything could be done: " + undone_.front(),
                  "Try again. Who is named may have to end a transaction");
    }
    JsonWriter json;
    json.BeginObject().Key("tables").Raw(tables_.EndArray().Take());
    json.Key("done").Raw(done_.EndArray().Take());
    return {json.EndObject().Take(), false};
  }

 private:
  JsonWriter tables_, done_;
  std::vector<std::string> undone_;
};

using Wanted = std::function<bool(const Action&)>;

CommandResult WriteDryRun(const Plans& plans) {
  JsonWriter json;
  json.BeginObject().Member("dryRun", true);
  WritePlans(json, plans);
  return {json.EndObject().Take(), false};
}

CommandResult DryRun(const CommandCall& call, const PartitionContext& context, const Wanted& wanted,
                     bool gates) {
  const Environment environment = EnvironmentOf(call, context);
  Plans plans;
  for (const TableSettings& table : ChosenTables(call, context)) {
    plans.push_back(MakePlan(environment, table, gates));
    std::erase_if(plans.back().plan.actions, [&](const Action& one) { return !wanted(one); });
  }
  return WriteDryRun(plans);
}

CommandResult Perform(const CommandCall& call, const PartitionContext& context,
                      const Wanted& wanted) {
  if (call.Flag("dry-run")) return DryRun(call, context, wanted, false);
  const Environment environment = EnvironmentOf(call, context);
  Report report;
  for (const TableSettings& table : ChosenTables(call, context)) {
    TableCare care(environment, table);
    care.Recover();
    care.Apply(wanted, false);
    report.Add(table.table, care.outcome());
  }
  return report.Finish();
}

}  // namespace

CommandResult ListPartitions(const CommandCall& call, const PartitionContext& context) {
  Session session(call.sql());
  const auto now = session.Exec("SELECT clock_timestamp()").Value<DatabaseTime>();
  JsonWriter json;
  json.BeginObject().Key("partitions").BeginArray();
  for (const TableSettings& settings : ChosenTables(call, context)) {
    const PartitionedTable table = ReadTable(session, settings.table);
    const std::vector<Listed> all = ListOf(table, ReadRecords(session, table));
    std::vector<TimelineBar> bars;
    bars.reserve(all.size());
    for (const Listed& one : all) {
      bars.push_back(
          {one.range, one.state == "attached" || one.state == "detaching", one.remainder});
    }
    WriteList(json, settings.table, all, DrawTimeline(bars, now));
  }
  return {json.EndArray().EndObject().Take(), false};
}

CommandResult ShowPartitionPlan(const CommandCall& call, const PartitionContext& context) {
  const Environment environment = EnvironmentOf(call, context);
  Plans plans;
  for (const TableSettings& table : ChosenTables(call, context)) {
    plans.push_back(MakePlan(environment, table, true));
  }
  JsonWriter json;
  WritePlans(json.BeginObject(), plans);
  return {json.EndObject().Take(), false};
}

CommandResult CreatePartitions(const CommandCall& call, const PartitionContext& context) {
  return Perform(call, context, CreatesRoom);
}

CommandResult DrainPartitions(const CommandCall& call, const PartitionContext& context) {
  return Perform(call, context, Drains);
}

CommandResult DetachPartitions(const CommandCall& call, const PartitionContext& context) {
  const auto detaches = [](const Action& action) { return action.kind == ActionKind::kDetach; };
  const std::optional<std::string> name = call.Option("partition");
  const Environment environment = EnvironmentOf(call, context);
  if (call.Flag("dry-run") && name) {
    return WriteDryRun({PlanDetachOf(environment, TheTable(call, context), *name)});
  }
  if (call.Flag("dry-run")) return DryRun(call, context, detaches, true);
  Report report;
  const std::vector<TableSettings> tables =
      name ? std::vector<TableSettings>{TheTable(call, context)} : ChosenTables(call, context);
  for (const TableSettings& table : tables) {
    TableCare care(environment, table);
    care.Recover();
    if (name) {
      care.DetachOne(*name);
    } else {
      care.Apply(detaches, true);
    }
    // The lower overflow partition takes the range.
    care.Apply(CreatesRoom, false);
    care.ArchiveDetached();
    report.Add(table.table, care.outcome());
  }
  return report.Finish();
}

CommandResult AttachPartition(const CommandCall& call, const PartitionContext& context) {
  const Environment environment = EnvironmentOf(call, context);
  const TableSettings table = TheTable(call, context);
  const std::string name = call.Option("partition").value_or("");
  TableCare care(environment, table);
  care.Recover();
  AttachAgain(environment, table, name);
  // What lies between it and the other ranges needs a place.
  care.Apply(CreatesRoom, false);
  Report report;
  report.Note(table.table, "attach " + name);
  report.Add(table.table, care.outcome());
  return report.Finish();
}

CommandResult AdvisePartitions(const CommandCall& call, const PartitionContext& context) {
  Session session(call.sql());
  JsonWriter json;
  json.BeginObject().Key("tables").BeginArray();
  for (const TableSettings& settings : ChosenTables(call, context)) {
    const PartitionedTable table = ReadTable(session, settings.table);
    Measurement measured;
    measured.now = session.Exec("SELECT clock_timestamp()").Value<DatabaseTime>();
    measured.ahead = settings.ranges.ahead;
    measured.retention = settings.ranges.retention;
    measured.indexes = static_cast<int>(
        session
            .Exec("SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM pg_catalog.pg_index "
                  "i JOIN pg_catalog.pg_inherits h ON h.inhrelid = i.indrelid WHERE h.inhparent = "
                  "$1::bigint::oid GROUP BY i.indrelid) counted",
                  {table.oid})
            .Value<std::int64_t>());
    for (const Partition& partition : table.partitions) {
      if (partition.remainder) continue;  // it does not tell how the table grows
      measured.ranges.push_back({{partition.from, partition.to}, partition.rows, partition.bytes});
    }
    const Advice advice = AdviseInterval(measured);
    json.BeginObject()
        .Member("table", settings.table)
        .Member("interval", NameOf(settings.ranges.interval))
        .TextOrNull("advised", advice.interval ? NameOf(*advice.interval) : "")
        .Member("rowsPerDay", advice.rows_per_day)
        .Member("bytesPerDay", advice.bytes_per_day)
        .Member("rowsPerPartition", advice.rows_per_partition)
        .Member("bytesPerPartition", advice.bytes_per_partition)
        .Member("partitions", advice.partitions)
        .Member("relations", advice.relations)
        .Member("withinLimits", advice.within_limits)
        .Member("why", advice.why)
        .EndObject();
  }
  return {json.EndArray().EndObject().Take(), false};
}

}  // namespace summa::maintenance
