// Who holds the leases of the workers of this configuration.
#include "host/database/connection_settings.hpp"
#include "host/database/lease_statements.hpp"
#include "host/doctor/checks.hpp"
#include "host/settings/host_workers.hpp"

namespace summa::host {
namespace {

constexpr std::string_view kOurHolders = "summa-host/";

std::string Query(const CheckContext& context) {
  return "SELECT lease_holder, lease_until > clock_timestamp(), "
         "CASE WHEN isfinite(lease_until) THEN abs(extract(epoch FROM lease_until - "
         "clock_timestamp()))::bigint::text ELSE 'infinite' END, "
         "(SELECT state FROM summa_host.worker_state s WHERE s.worker_id = $1::text) FROM " +
         QuoteIdentifier(context.schema()) + ".worker_lease WHERE worker_id = $1::text";
}

void CheckLive(const CheckContext& context, const std::string& worker, std::string holder,
               const std::string& seconds) {
  const bool idle = holder.starts_with(kIdleHolder);
  if (idle) holder.erase(0, std::string_view(kIdleHolder).size());
  const std::string found = worker + " is held by " + holder + " for " + seconds + " s";
  if (seconds == "infinite") {
    context.Error("lease", worker + " is held by " + holder + " forever", "a lease that ends",
                  "End that program, then UPDATE worker_lease SET lease_until = now() WHERE "
                  "worker_id = '" +
                      worker + "';");
  } else if (!holder.starts_with(kOurHolders)) {
    context.Warn("lease", found, "a summa-host",
                 "A runner of Summa, or another program, runs this worker too; that is correct "
                 "only while you move from one to the other (schedules.share_with_node).");
  } else {
    context.Ok("lease",
               idle ? worker + " was run by " + holder + "; its row is kept for " + seconds + " s"
                    : found);
  }
}

// A host that stopped recorded that; when a host died, its lease expired and its last state
// remains.
void CheckEnded(const CheckContext& context, const WorkerPlan& plan, const std::string& holder,
                const std::string& seconds, const std::string& state) {
  const bool stopped = state.empty() || state == "stopped" || !plan.continuous;
  const std::string found = plan.id + " is held by nobody";
  if (stopped) {
    context.Ok("lease", found);
    return;
  }
  context.Warn("lease",
               found + ": the lease of " + holder + " ended " + seconds +
                   " s ago, but it did not report that it stopped",
               "a host that took over",
               "Start a host with this worker; see `summa-host workers list`.");
}

void CheckWorker(const CheckContext& context, const std::string& worker) {
  const auto plan = PlanWorker(context.loaded.configuration, worker);
  if (!plan || !plan->leased) return;
  const ControlRows rows = context.database.Query(Query(context), {plan->id});
  if (rows.empty()) return context.Ok("lease", plan->id + " was never held");
  const auto& row = rows.at(0);
  const std::string holder = row.at(0).value_or(""), seconds = row.at(2).value_or("");
  if (row.at(1) == "t") {
    CheckLive(context, plan->id, holder, seconds);
  } else {
    CheckEnded(context, *plan, holder, seconds, row.at(3).value_or(""));
  }
}

}  // namespace

void CheckLeases(const CheckContext& context) {
  for (const PlannedPlugin& plugin : context.plan.order) {
    for (const WorkerDeclaration& declared : plugin.file->manifest->workers) {
      CheckWorker(context, declared.id);
    }
  }
  CheckWorker(context, InboxCleanup().id);
}

}  // namespace summa::host
