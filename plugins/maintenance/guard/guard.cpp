#include "guard/guard.hpp"

#include <string_view>

#include "guard_sql.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

std::string OfTable(std::string_view statement, const ledger::EventTable& events) {
  return WithNames(statement, {{"events", events.name},
                               {"position", events.position},
                               {"version", events.version},
                               {"hash", events.hash}});
}

// As a condition on a column created_at. What is neither a partition nor the table itself, such as
// a detached partition, has no bounds: nothing is expected to be in it.
std::string BoundsOf(Session& session, const ledger::EventTable& events,
                     const std::string& partition) {
  return session
      .Exec(
          "SELECT coalesce(pg_catalog.pg_get_partition_constraintdef($1::regclass), "
          "($1::regclass = $2::regclass)::text)",
          {partition, events.name})
      .Value<std::string>();
}

}  // namespace

GuardNames NamesOfFlatTable(Session& session, const ledger::EventTable& flat) {
  GuardNames names;
  if (flat.layout == ledger::Layout::kPlan) names.position = "ledger_event_position_unique";
  for (const Row row : session.Exec(guard_sql::names, {flat.name})) {
    const std::string columns = row.Get<std::string>("columns");
    const std::string name = row.Get<std::string>("name");
    if (columns == "id") names.id = name;
    if (columns == flat.position) names.position = name;
    if (columns == "aggregate_type,aggregate_id," + flat.version) names.version = name;
  }
  return names;
}

void CreateGuardFunction(Session& session, const ledger::EventTable& events,
                         const GuardNames& names) {
  session.Exec("SELECT summa_host.make_ledger_event_guard($1::regclass, $2, $3, $4)",
               {events.name, names.version, names.id, names.position});
}

void InstallGuard(Session& session, const ledger::EventTable& events) {
  session.Exec("SELECT summa_host.install_ledger_event_guard($1::regclass)", {events.name});
}

void PrepareGuard(Session& session, const ledger::EventTable& events) {
  InstallGuard(session, events);
  session.Exec("ALTER TABLE " + events.name + " DISABLE TRIGGER zz_summa_guard");
}

std::string EnableGuard(const std::string& table) {
  return "ALTER TABLE " + table + " ENABLE ALWAYS TRIGGER zz_summa_guard";
}

void RemoveGuard(Session& session, const ledger::EventTable& events) {
  for (const char* trigger : {"zz_summa_guard", "zz_summa_guard_update", "zz_summa_guard_delete",
                              "zz_summa_guard_truncate"}) {
    session.Exec("DROP TRIGGER IF EXISTS " + std::string(trigger) + " ON " + events.name);
  }
}

void DropGuardFunctions(Session& session) {
  const Result unused = session.Exec(
      "SELECT p.oid::regprocedure::text AS name FROM pg_proc p WHERE p.pronamespace = "
      "'summa_host'::regnamespace AND p.proname IN ('guard_ledger_event', "
      "'guard_ledger_event_update', 'guard_ledger_event_delete') AND NOT EXISTS (SELECT FROM "
      "pg_trigger WHERE tgfoid = p.oid)");
  for (const Row row : unused) session.Exec("DROP FUNCTION " + row.Get<std::string>("name"));
}

std::int64_t FillGuard(Session& session, const ledger::EventTable& events, std::int64_t after,
                       std::int64_t through) {
  std::int64_t filled = 0;
  try {
    filled = session.Exec(OfTable(guard_sql::fill_keys, events), {after, through}).affected_rows();
  } catch (const Error& error) {
    if (error.sqlstate() != "23505") throw;
    throw Error(SUMMA_E_DATA, "SH-0811",
                "an event of positions " + std::to_string(after + 1) + " to " +
                    std::to_string(through) + " of " + events.name +
                    " has its key already: " + error.what(),
                "Find the two events by this id or position; summa_host.ledger_event_key has the "
                "first",
                error.sqlstate());
  }
  session.Exec(OfTable(guard_sql::fill_heads, events), {after, through});
  return filled;
}

std::vector<GuardProblem> ExamineGuard(Session& session, const ledger::EventTable& events) {
  std::vector<GuardProblem> problems;
  for (const Row row : session.Exec(OfTable(guard_sql::examine, events), {events.name})) {
    problems.push_back({row.Get<std::string>("what"), row.Get<std::string>("place")});
  }
  return problems;
}

std::vector<GuardProblem> ScrubGuard(Session& session, const ledger::EventTable& events,
                                     const std::string& partition, int limit) {
  const std::string bounds = BoundsOf(session, events, partition);
  std::vector<GuardProblem> problems;
  for (const std::string_view statement : {guard_sql::scrub_keys, guard_sql::scrub_versions,
                                           guard_sql::scrub_heads, guard_sql::scrub_lost}) {
    const std::string scrub =
        WithNames(OfTable(statement, events), {{"partition", partition}, {"bounds", bounds}});
    for (const Row row : session.Exec(scrub, {std::int64_t{limit}})) {
      problems.push_back({row.Get<std::string>("what"), partition});
    }
  }
  return problems;
}

}  // namespace summa::maintenance
