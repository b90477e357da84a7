#include "host/application/fleet_view.hpp"

#include <exception>

namespace summa::host {
namespace {

constexpr Microseconds kAtMostEvery = std::chrono::seconds(1);
// How long a reader waits for an answer: a healthy database needs a few ms.
constexpr std::chrono::milliseconds kFreshTimeout{250};
// A database that has not answered by then counts as unreachable.
constexpr std::chrono::seconds kTimeout{5};

constexpr const char* kWorkers =
    "SELECT worker_id, (extract(epoch FROM last_success_at) * 1000000)::bigint, "
    "(extract(epoch FROM next_due_at) * 1000000)::bigint FROM summa_host.worker_state";

// Sessions of this role, whose waits it may always see. A commit that waits so long waits for a
// standby that is unreachable.
constexpr const char* kWaitingForStandby = R"sql(
SELECT count(*), current_setting('synchronous_standby_names'),
       (SELECT count(*) FROM pg_catalog.pg_stat_replication)
FROM pg_catalog.pg_stat_activity
WHERE wait_event = 'SyncRep' AND datname = current_database()
  AND greatest(query_start, state_change) < clock_timestamp() - interval '1 second'
HAVING count(*) > 0)sql";

Failure StandbyIsGone(const std::vector<std::optional<std::string>>& row) {
  return {"SH-0425",
          row.at(0).value_or("") + " commits wait for a synchronous standby: " +
              "synchronous_standby_names is \"" + row.at(1).value_or("") + "\", and " +
              row.at(2).value_or("") + " standbys are connected",
          "Start the standby, or remove it from synchronous_standby_names (ALTER SYSTEM, then "
          "SELECT pg_reload_conf()): commits continue immediately"};
}

std::optional<DatabaseTime> Time(const std::optional<std::string>& microseconds_since_1970) {
  if (!microseconds_since_1970) return std::nullopt;
  return ToDatabase(FromMicroseconds<UnixTime>(std::stoll(*microseconds_since_1970)));
}

}  // namespace

FleetView::FleetView(DatabaseSettings ledger, const Clock& clock)
    : operations_query_(OperationsQuery(ledger.schema)),
      connection_(std::move(ledger), kOwnersPauses),
      clock_(clock),
      thread_([this] { Run(); }) {}

FleetView::~FleetView() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  connection_.Stop();
  wanted_changed_.notify_all();
  thread_.join();
}

FleetStatus FleetView::Read() {
  MutexLock lock(mutex_);
  const bool fresh = answers_ > 0 && clock_.BootNow() - answered_at_ < kAtMostEvery;
  if (fresh) return status_;
  wanted_ = true;
  wanted_changed_.notify_all();
  if (!status_.error) {
    const std::uint64_t before = answers_;
    news_.wait_for(lock, kFreshTimeout,
                   [&]() SUMMA_REQUIRES(mutex_) { return answers_ != before || stopping_; });
  }
  return status_;
}

void FleetView::Run() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    wanted_changed_.wait(lock, [this]() SUMMA_REQUIRES(mutex_) { return wanted_ || stopping_; });
    if (stopping_) return;
    const Microseconds pause = asked_at_ + kAtMostEvery - clock_.BootNow();
    if (asked_at_ > BootTime() && pause > Microseconds(0)) {
      wanted_changed_.wait_for(lock, pause, [this]() SUMMA_REQUIRES(mutex_) { return stopping_; });
      continue;
    }
    wanted_ = false;
    asked_at_ = clock_.BootNow();
    lock.unlock();
    FleetStatus status;
    try {
      status = Query();
    } catch (const Failure& failure) {
      status.error = failure.error();
    } catch (const std::exception& exception) {
      status.error = Error{
          "SH-0405", std::string("the workers could not be read: ") + exception.what(), "", ""};
    }
    lock.lock();
    if (status.error) {
      status.workers = std::move(status_.workers);
      status.operations = std::move(status_.operations);
    }
    status_ = std::move(status);
    answered_at_ = clock_.BootNow();
    ++answers_;
    news_.notify_all();
  }
}

FleetStatus FleetView::Query() {
  const auto deadline = std::chrono::steady_clock::now() + kTimeout;
  FleetStatus status;
  for (const auto& row : connection_.Query(kWorkers, {}, deadline, WhenLost::kFail)) {
    status.workers[row.at(0).value_or("")] = {Time(row.at(1)), Time(row.at(2))};
  }
  status.operations = ReadOperations(
      connection_.Query(operations_query_, {std::string("false")}, deadline, WhenLost::kFail));
  const TextRows waiting = connection_.Query(kWaitingForStandby, {}, deadline, WhenLost::kFail);
  if (!waiting.empty()) throw StandbyIsGone(waiting.at(0));
  return status;
}

}  // namespace summa::host
