#include "host/application/fleet_view.hpp"

#include <exception>

namespace summa::host {
namespace {

constexpr Microseconds kAtMostEvery = std::chrono::seconds(1);
// How long a reader waits for an answer: a healthy database needs a few ms.
constexpr std::chrono::milliseconds kGlance{250};
// A database that has not answered by then counts as unreachable.
constexpr std::chrono::seconds kPatience{5};

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

FleetSight FleetView::Look() {
  MutexLock lock(mutex_);
  const bool fresh = answers_ > 0 && clock_.BootNow() - answered_at_ < kAtMostEvery;
  if (fresh) return sight_;
  wanted_ = true;
  wanted_changed_.notify_all();
  if (!sight_.error) {
    const std::uint64_t before = answers_;
    news_.wait_for(lock, kGlance,
                   [&]() SUMMA_REQUIRES(mutex_) { return answers_ != before || stopping_; });
  }
  return sight_;
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
    FleetSight sight;
    try {
      sight = Ask();
    } catch (const Failure& failure) {
      sight.error = failure.error();
    } catch (const std::exception& exception) {
      sight.error = Error{
          "SH-0405", std::string("the workers could not be read: ") + exception.what(), "", ""};
    }
    lock.lock();
    if (sight.error) {
      sight.workers = std::move(sight_.workers);
      sight.operations = std::move(sight_.operations);
    }
    sight_ = std::move(sight);
    answered_at_ = clock_.BootNow();
    ++answers_;
    news_.notify_all();
  }
}

FleetSight FleetView::Ask() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  FleetSight sight;
  for (const auto& row : connection_.Ask(kWorkers, {}, deadline, WhenLost::kFail)) {
    sight.workers[row.at(0).value_or("")] = {Time(row.at(1)), Time(row.at(2))};
  }
  sight.operations = ReadOperations(
      connection_.Ask(operations_query_, {std::string("false")}, deadline, WhenLost::kFail));
  const TextRows waiting = connection_.Ask(kWaitingForStandby, {}, deadline, WhenLost::kFail);
  if (!waiting.empty()) throw StandbyIsGone(waiting.at(0));
  return sight;
}

}  // namespace summa::host
