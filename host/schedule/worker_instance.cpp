#include "host/schedule/worker_instance.hpp"

#include <summa/crash_point.hpp>
#include <vector>

#include "host/observe/log.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

// A kept lease row ends this long before the next due time, so that whoever comes first then can
// have it.
constexpr Microseconds kKeepMargin = std::chrono::seconds(1);
// A stuck worker that was told to stop, and whose statement was cancelled, gets this long to
// return.
constexpr Microseconds kStuckGrace = std::chrono::seconds(5);
// A statement that does not end in this time after it was cancelled will not.
constexpr Microseconds kCloseTimeout = std::chrono::seconds(2);
// A table that is replaced by a view during the run is noticed after this time; the look is one
// small query.
constexpr Microseconds kWholeTablesCheckInterval = std::chrono::seconds(15);

// The service behind the scope of an abandoned worker may be gone, so it must not be destroyed; the
// process is about to end.
void KeepForEver(std::shared_ptr<SqlScope> scope) {
  static auto* mutex = new Mutex;
  static auto* kept = new std::vector<std::shared_ptr<SqlScope>>;
  const MutexLock lock(*mutex);
  kept->push_back(std::move(scope));
}

}  // namespace

WorkerInstance::WorkerInstance(WorkerPlan plan, const RunnerServices& services,
                               std::function<bool()> stop_poll)
    : plan_(std::move(plan)),
      services_(services),
      stop_(*services_.clock, std::move(stop_poll)),
      board_(plan_, *services_.clock),
      recorder_(plan_, services_) {}

WorkerInstance::Grant::Grant(WorkerInstance& worker, std::optional<LeaseGuard> guard)
    : worker_(&worker) {
  if (!guard) return;
  fence_ = guard->fence;
  scope_ = worker.services_.sql->ForLease(std::move(*guard), worker.plan_.plugin);
  worker.board_.LeaseTaken(fence_);
}

WorkerInstance::Grant::Grant(Grant&& other) noexcept
    : worker_(other.worker_),
      fence_(other.fence_),
      scope_(std::move(other.scope_)),
      keep_for_(other.keep_for_) {
  other.worker_ = nullptr;
}

WorkerInstance::Grant::~Grant() {
  if (worker_ == nullptr || scope_ == nullptr) return;
  if (worker_->abandoned()) {
    KeepForEver(std::move(scope_));
    return;
  }
  scope_.reset();  // its sessions are closed before another host can have the lease
  worker_->services_.leases->Release(worker_->plan_.id, keep_for_);
  worker_->board_.LeaseGone();
}

void WorkerInstance::Grant::KeepUntilDue(Microseconds until_due) {
  if (!worker_->plan_.keep_lease_row || until_due <= kKeepMargin) return;
  keep_for_ = until_due - kKeepMargin;
}

bool WorkerInstance::Grant::Good() const {
  return !worker_->plan_.leased || worker_->services_.leases->Trusted(worker_->plan_.id);
}

const summa_sql_v1* WorkerInstance::Grant::sql() const {
  return scope_ ? scope_->table() : worker_->services_.sql->ForPlugin(worker_->plan_.plugin);
}

std::optional<WorkerInstance::Grant> WorkerInstance::TryAcquire() {
  if (!plan_.leased) return Grant(*this, std::nullopt);
  std::optional<LeaseGuard> guard = services_.leases->TryAcquire(plan_.id, plan_.lease_ttl);
  if (!guard) return std::nullopt;
  return Grant(*this, std::move(guard));
}

// The server refuses what row level security filters; nothing refuses a view in the place of a
// table.
std::optional<TickOutcome> WorkerInstance::RequireWholeTables(const Grant& grant) {
  const BootTime now = services_.clock->BootNow();
  const bool known =
      whole_at_ && whole_fence_ == grant.fence() && now - *whole_at_ < kWholeTablesCheckInterval;
  if (known || plan_.tables.empty()) return std::nullopt;
  whole_at_.reset();
  try {
    for (const Error& error : services_.store->RequireWholeTables(plan_.tables)) {
      if (!beside_.insert(error.message).second) continue;  // said before
      LogError(LogLevel::kWarn, error, {{"worker", plan_.id}, {"plugin", plan_.plugin}});
    }
  } catch (const Failure& failure) {
    // As if the worker had reported it, which it would a moment later; the requester of the run is
    // told.
    TickOutcome outcome;
    outcome.status = KindOf(failure.error());
    outcome.error = failure.error();
    outcome.error.where = "worker " + plan_.id;
    return outcome;
  }
  whole_at_ = now;
  whole_fence_ = grant.fence();
  return std::nullopt;
}

WorkerInstance::CallResult WorkerInstance::Tick(const Grant& grant, std::uint32_t flags) {
  CallResult done;
  if (std::optional<TickOutcome> partial = RequireWholeTables(grant)) {
    done.outcome = std::move(*partial);
    done.abandoned = abandoned();
    if (!done.abandoned) done.result = ClassifyOutcome(done.outcome, grant);
    return done;
  }
  TickRequest request;
  request.worker = plan_.worker;
  request.plugin = plan_.plugin;
  request.flags = flags;
  if (known_fence_ != grant.fence()) request.flags |= SUMMA_TICK_NEW_LEASE;
  request.fence = grant.fence();
  request.sql = grant.sql();
  // The signal first: an abandoned worker was told to stop before, and the services may be gone.
  // Once true it stays true: a renewal that comes late must not let half a page be overtaken by the
  // next. Threads of the worker ask as well.
  std::atomic<bool> told = false;
  request.should_stop = [&] {
    if (stuck_ || paused_ || stop_.requested() || !grant.Good()) told = true;
    return told.load();
  };
  request.wait = [&](Microseconds time) {
    return stop_.WaitFor(time, [&] { return stuck_ || paused_ || !grant.Good(); });
  };

  const BootTime begin = services_.clock->BootNow();
  gate_.Enter(grant.scope());
  done.outcome = CallTick(request);
  done.abandoned = !gate_.Leave();
  if (done.abandoned) return done;
  if (grant.scope() != nullptr) grant.scope()->ReclaimSessions();
  CrashPoint("schedule.ticked");
  done.result = ClassifyOutcome(done.outcome, grant);
  if (done.result == TickResult::kOk) known_fence_ = grant.fence();
  if (done.result == TickResult::kFenced) known_fence_.reset();
  board_.Ticked(done.result, done.outcome.items, services_.clock->BootNow() - begin);
  return done;
}

namespace {

// What a call says that could not commit because its lease was gone: its statement was cancelled
// for that reason, or the server's idle limit, which is below the lease, had ended its transaction.
bool EndedForTheLease(const Error& error) {
  return error.code == "SH-0409" || error.sqlstate == kIdleTooLong;
}

}  // namespace

TickResult WorkerInstance::ClassifyOutcome(TickOutcome& outcome, const Grant& grant) const {
  // A late but complete call is good; one that gave up because it was told to stop is not.
  const bool whole = outcome.status == SUMMA_OK && !outcome.backlog && grant.Good();
  if (stuck_ && !whole) {
    outcome.error = StuckError();
    return TickResult::kStuck;
  }
  if (outcome.status == SUMMA_OK) return TickResult::kOk;
  const bool told = stop_.requested() || paused_;
  const bool lease_gone = !stop_.requested() && !grant.Good();
  if (outcome.status == SUMMA_E_FENCED || (lease_gone && EndedForTheLease(outcome.error))) {
    LogError(LogLevel::kWarn, outcome.error, {{"worker", plan_.id}, {"plugin", plan_.plugin}});
    return TickResult::kFenced;
  }
  if (!told && grant.Good()) return TickResult::kError;
  // Told to stop, or the lease ran out: a call that gave up did what it was told.
  LogError(LogLevel::kInfo, outcome.error, {{"worker", plan_.id}, {"plugin", plan_.plugin}});
  return TickResult::kCancelled;
}

WorkerOrders WorkerInstance::FetchOrders() {
  WorkerOrders orders = services_.orders().Read(services_.host_name, {plan_.id}).at(0);
  const MutexLock lock(orders_mutex_);
  orders_ = orders;
  paused_ = orders.paused;
  new_orders_ = false;
  return orders;
}

WorkerOrders WorkerInstance::ReadOrders() {
  const MutexLock lock(orders_mutex_);
  new_orders_ = false;
  return orders_;
}

void WorkerInstance::SetOrders(const WorkerOrders& orders) {
  {
    const MutexLock lock(orders_mutex_);
    const bool asked = orders.lease_asked_for.count() > 0;
    const bool same =
        orders.paused == orders_.paused && orders.parked_error == orders_.parked_error &&
        orders.run_request == orders_.run_request && asked == (orders_.lease_asked_for.count() > 0);
    orders_ = orders;
    paused_ = orders.paused;
    if (same) return;
    new_orders_ = true;
  }
  stop_.Notify();
}

void WorkerInstance::LeaseLost() {
  stop_.Notify();
  // Had again meanwhile: what runs now is good.
  if (!services_.leases->Trusted(plan_.id)) gate_.CancelRunning();
}

WorkerInstance::Span::Span(WorkerInstance& worker) : worker_(worker) {
  const MutexLock lock(worker_.span_mutex_);
  worker_.span_begin_ = worker_.services_.clock->BootNow();
  worker_.overrun_ = Overrun::kNone;
  worker_.stuck_ = false;
}

WorkerInstance::Span::~Span() {
  const MutexLock lock(worker_.span_mutex_);
  worker_.span_begin_.reset();
}

Error WorkerInstance::StuckError() const {
  return {"SH-0328",
          "the worker runs longer than its max_run of " +
              std::to_string(plan_.max_run.count() / 1000) + " ms",
          "raise schedules." + plan_.id + ".max_run when such runs are normal, otherwise report it",
          "worker " + plan_.id, SUMMA_E_INTERNAL};
}

void WorkerInstance::CheckRunTime() {
  const MutexLock lock(span_mutex_);
  if (!span_begin_ || plan_.max_run.count() == 0 || overrun_ == Overrun::kRevoked) return;
  const Microseconds over = services_.clock->BootNow() - *span_begin_ - plan_.max_run;
  if (over < Microseconds(0)) return;
  if (overrun_ == Overrun::kNone) {
    overrun_ = Overrun::kTold;
    stuck_ = true;
    board_.Failed(StuckError());
    stop_.Notify();
  }
  gate_.CancelRunning();
  if (over >= kStuckGrace) RevokeStuckRun();
}

// Its database first, its lease last: the next holder of the lease finds none of its work in
// progress. A worker that returns after all finds both gone and starts again.
void WorkerInstance::RevokeStuckRun() {
  overrun_ = Overrun::kRevoked;
  const bool leased = plan_.leased && services_.leases->Trusted(plan_.id);
  const bool shut = gate_.CloseSql(kCloseTimeout);
  const Error error = StuckError();
  if (leased) {
    try {
      services_.orders().Report(plan_, services_.host_name, "error",
                                error.code + " " + error.message);
    } catch (const Failure& failure) {
      LogError(LogLevel::kWarn, failure.error(), {{"worker", plan_.id}});
    }
    if (shut) {
      services_.leases->Release(plan_.id);
    } else {
      services_.leases->Forget(plan_.id);
    }
    board_.LeaseGone();
  }
  Log(LogLevel::kError, "SH-0329",
      !plan_.leased ? "a stuck worker does not return; it has no lease, so no other host runs it"
      : shut        ? "a stuck worker does not return; its lease was released for other hosts"
                    : "a stuck worker does not return; its lease is left to expire",
      {{"worker", plan_.id}, {"plugin", plan_.plugin}});
  if (services_.stuck) services_.stuck(error);
}

WorkerReport WorkerInstance::Report() const {
  WorkerReport report = board_.Report();
  {
    const MutexLock lock(orders_mutex_);
    report.paused = orders_.paused;
  }
  if (!plan_.leased) return report;
  const LeaseStatus lease = services_.leases->Status(plan_.id);
  report.holder = lease.holder;
  if (lease.ours) report.fence = lease.fence;
  if (lease.remaining > Microseconds(0)) {
    report.lease_until = TimeText(services_.clock->UnixNow() + lease.remaining);
  }
  return report;
}

}  // namespace summa::host
