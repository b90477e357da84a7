#include "host/lease/take_over.hpp"

#include <algorithm>

#include "host/observe/host_metrics.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

// Between two looks at who blocks; the wait itself is bounded by lock_timeout.
constexpr std::chrono::milliseconds kCheckInterval{50};

// Only a session that holds a row for which the statement waits: one that is merely before it in
// the queue is another take-over. It waits for rows of one worker only, so whoever it is has locked
// those.
constexpr const char* kBlockers =
    "SELECT b.pid, (extract(epoch FROM a.backend_start) * 1000000)::bigint, "
    "coalesce(a.application_name, ''), coalesce(a.usename::text, ''), coalesce(a.state, ''), "
    "coalesce(a.wait_event, '') "
    "FROM pg_catalog.pg_locks w CROSS JOIN LATERAL "
    "unnest(pg_catalog.pg_blocking_pids(w.pid)) b(pid) "
    "LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid "
    "WHERE w.pid = $1::int AND NOT w.granted AND w.locktype = 'transactionid'";

// In one statement, so that no other session is ended when a process id was assigned again.
constexpr const char* kEnd =
    "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid = "
    "$1::int AND (extract(epoch FROM backend_start) * 1000000)::bigint = $2::bigint AND "
    "starts_with(application_name, $3)";

constexpr const char* kOurSessions = "summa-host/";
constexpr std::string_view kForeign =
    "a session of another program blocks the take-over of a lease and is not ended";
constexpr std::string_view kNotPermitted =
    "a session that this role may not end blocks the take-over of a lease";

DatabaseSettings WatcherSettings(DatabaseSettings settings) {
  settings.application_name += " take-over";
  return settings;
}

}  // namespace

struct TakeOver::Blocker {
  std::string pid, started_at, application, user, state, waits_for;
  bool ours() const { return application.starts_with(kOurSessions); }
  std::string Name() const { return pid + " " + started_at; }
};

TakeOver::TakeOver(DatabaseSettings settings, WakeUp& stop)
    : settings_(WatcherSettings(std::move(settings))), stop_(stop) {}

std::optional<TextRows> TakeOver::Acquire(DeadlineConnection& waiter, const std::string& worker_id,
                                          const std::string& acquire,
                                          const TextParameters& parameters, TimePoint deadline) {
  std::optional<DeadlineConnection> watcher;
  waiter.Send(acquire, parameters, deadline);
  try {
    for (bool checks = true;;) {
      const TimePoint next_check = std::chrono::steady_clock::now() + kCheckInterval;
      auto rows = waiter.Receive(checks ? std::min(next_check, deadline) : deadline);
      if (rows) {
        reported_.erase(worker_id);
        ended_.erase(worker_id);
        return rows;
      }
      if (checks) checks = EndBlockers(watcher, waiter.backend_pid(), worker_id, deadline);
    }
  } catch (const SqlFailure& failure) {
    if (failure.sqlstate() == "55P03" || failure.sqlstate() == "40P01") return std::nullopt;
    throw;
  }
}

// False: there is no point in looking any more. What went wrong here must not hide the answer that
// the waiter gets.
bool TakeOver::EndBlockers(std::optional<DeadlineConnection>& watcher, int waiting_pid,
                           const std::string& worker_id, TimePoint deadline) {
  try {
    if (!watcher) watcher.emplace(settings_, stop_, deadline);
    for (const auto& row : watcher->Query(kBlockers, {std::to_string(waiting_pid)}, deadline)) {
      EndBlocker(*watcher,
                 {row.at(0).value_or(""), row.at(1).value_or(""), row.at(2).value_or(""),
                  row.at(3).value_or(""), row.at(4).value_or(""), row.at(5).value_or("")},
                 worker_id, deadline);
    }
    return true;
  } catch (const Failure& failure) {
    LogError(LogLevel::kWarn, failure.error(), {{"take-over of", worker_id}});
    return false;
  }
}

void TakeOver::EndBlocker(DeadlineConnection& watcher, const Blocker& blocker,
                          const std::string& worker_id, TimePoint deadline) {
  if (!blocker.ours()) {
    ReportOnce(worker_id, blocker, kForeign,
               "its application_name does not begin with summa-host/");
    return;
  }
  if (blocker.started_at.empty()) {
    ReportOnce(worker_id, blocker, kNotPermitted, "it belongs to another role");
    return;
  }
  try {
    if (watcher.Query(kEnd, {blocker.pid, blocker.started_at, kOurSessions}, deadline).empty()) {
      return;  // it ended by itself
    }
  } catch (const SqlFailure& failure) {
    if (failure.sqlstate() != "42501") throw;
    ReportOnce(worker_id, blocker, kNotPermitted, failure.error().message);
    return;
  }
  // A frozen one is told repeatedly until it ends.
  if (!ended_[worker_id].insert(blocker.Name()).second) return;
  Log(LogLevel::kWarn, "SH-0306", "a session that blocked the take-over of a lease was ended",
      {{"worker", worker_id},
       {"backend", blocker.pid},
       {"application", blocker.application},
       {"state", blocker.state},
       {"waits_for", blocker.waits_for}});
  HostMetric("summa_lease_takeovers_total", {worker_id}).Add(1);
}

void TakeOver::ReportOnce(const std::string& worker_id, const Blocker& blocker,
                          std::string_view message, const std::string& why) {
  std::string& reported = reported_[worker_id];
  if (reported == blocker.Name()) return;
  reported = blocker.Name();
  Log(LogLevel::kWarn, "SH-0307", message,
      {{"worker", worker_id},
       {"backend", blocker.pid},
       {"application", blocker.application},
       {"user", blocker.user},
       {"state", blocker.state},
       {"why", why}});
}

}  // namespace summa::host
