#include "job_pool.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <summa/backoff.hpp>
#include <summa/ledger/exchange.hpp>
#include <system_error>
#include <thread>
#include <vector>

namespace summa::verify {
namespace {

using std::chrono::milliseconds;

constexpr int kAttempts = 5;      // of one job; a take-over of a lock is over by then
constexpr int kLongestRetry = 4;  // pauses between them, at most: so many of the first one
constexpr milliseconds kStopPollInterval{100};  // how often the caller is asked
constexpr milliseconds kProgressPause{500};
// Under a rate limit the server may still sort a range as fast as it can before its first row: so
// ranges are short, and no more connections do that at once than the rate needs.
constexpr std::int64_t kThrottledRangesPerSecond = 4;
constexpr std::int64_t kRowsPerSecondOfAConnection = 250'000;
constexpr std::int64_t kMinRowsPerRange = 1000;

int Connections(const VerifyOptions& options) {
  const int most = std::max(options.connections, 1);
  if (options.max_rows_per_second <= 0) return most;
  const std::int64_t needed = 1 + (options.max_rows_per_second - 1) / kRowsPerSecondOfAConnection;
  return static_cast<int>(std::min<std::int64_t>(most, needed));
}

// The connections are the parallelism, as much as the caller allowed: workers of the server would
// take more cores than that, for a plan that sorts on disk what an index gives in order. And to
// compile expressions as short as these never pays.
//
// One snapshot, of the first statement behind LOCK TABLE: what is recorded of detached partitions
// and which partitions are read must be of the same moment. DETACH CONCURRENTLY does not wait for a
// reader before it hides the rows from new snapshots.
void BeginReading(Session& session) {
  session.Begin(SUMMA_SQL_READ_ONLY | SUMMA_SQL_REPEATABLE_READ);
  session.Exec("SET LOCAL max_parallel_workers_per_gather = 0");
  session.Exec("SET LOCAL jit = off");
}

// Of this thread. It then does not take a core from a server on the same machine for every 8 KiB
// that the server sends, but waits until several have come together. Where this is not allowed,
// everything works as well, but more slowly.
void ScheduleAsBatch() {
  const sched_param none{};
  static_cast<void>(pthread_setschedparam(pthread_self(), SCHED_BATCH, &none));
}

[[noreturn]] void ThrowStopped() {
  throw Error(SUMMA_E_CANCELLED, "SH-0904", "the verification was stopped before its end",
              "Run it again; nothing was written");
}

// Broken connections, locks not granted, deadlocks: another attempt may succeed.
bool IsRetryable(const Error& error) {
  return error.status() == SUMMA_E_UNAVAILABLE || error.sqlstate() == "55P03" ||
         error.sqlstate() == "40P01" || error.sqlstate() == "40001";
}

}  // namespace

bool RowMeter::Count(std::int64_t rows) {
  rows_ += rows;
  if (most_ <= 0) return !stopped_;
  const std::int64_t taken = allowed_rows_ += rows;
  const auto due = started_ + std::chrono::microseconds(taken * 1'000'000 / most_);
  MutexLock lock(mutex_);
  wake_.wait_until(lock, due, [this]() SUMMA_REQUIRES(mutex_) { return stopped_.load(); });
  return !stopped_;
}

bool RowMeter::Pause(milliseconds span) {
  MutexLock lock(mutex_);
  return !wake_.wait_for(lock, span, [this]() SUMMA_REQUIRES(mutex_) { return stopped_.load(); });
}

void RowMeter::Stop() {
  const MutexLock lock(mutex_);
  stopped_ = true;
  wake_.notify_all();
}

void JobPool::Run(std::size_t jobs, const Work& work) {
  ThrowIfStopped(options_);
  const auto thread_count =
      std::clamp<std::size_t>(jobs, 1, static_cast<std::size_t>(Connections(options_)));
  std::vector<std::thread> threads;
  threads.reserve(thread_count);
  {
    const MutexLock lock(mutex_);
    running_ = static_cast<int>(thread_count);
  }
  try {
    while (threads.size() < thread_count) threads.emplace_back([&] { RunJobs(jobs, work); });
  } catch (const std::system_error&) {  // no more threads: those that there are do the work
    if (threads.empty()) throw;
    const MutexLock lock(mutex_);
    running_ -= static_cast<int>(thread_count - threads.size());
  }
  try {
    Watch();
  } catch (...) {  // a callback of the caller threw
    const MutexLock lock(mutex_);
    if (!error_) error_ = std::current_exception();
    meter_.Stop();
  }
  for (std::thread& thread : threads) thread.join();
  {
    const MutexLock lock(mutex_);
    if (error_) std::rethrow_exception(error_);
  }
  if (meter_.stopped()) ThrowStopped();
  Report();
}

void JobPool::RunJobs(std::size_t jobs, const Work& work) {
  ScheduleAsBatch();
  try {
    std::optional<Session> session;
    while (!meter_.stopped()) {
      const std::size_t job = next_++;
      if (job >= jobs) break;
      Attempt(session, job, work);
    }
  } catch (...) {
    const MutexLock lock(mutex_);
    if (!error_) error_ = std::current_exception();
    meter_.Stop();
  }
  const MutexLock lock(mutex_);
  --running_;
  ended_.notify_all();
}

void JobPool::Attempt(std::optional<Session>& session, std::size_t job, const Work& work) {
  Backoff backoff(retry_pause_, kLongestRetry * retry_pause_, Jitter::kNone);
  for (int attempt = 1;; ++attempt) {
    JobMeter meter(meter_);
    try {
      if (!session) session.emplace(sql_, options_.database);
      const bool gave_way = ledger::GiveWay(*session, [&](auto time) {
        return !meter_.Pause(std::chrono::ceil<milliseconds>(time));
      });
      if (!gave_way) return;
      BeginReading(*session);
      work(*session, job, meter);
      break;
    } catch (const Error& error) {
      session.reset();  // the transaction ends with it
      meter.UncountAll();
      if (attempt == kAttempts || !IsRetryable(error)) throw;
    }
    if (!meter_.Pause(std::chrono::ceil<milliseconds>(backoff.Next()))) return;
  }
  try {
    session->Rollback();
  } catch (const Error&) {
    session.reset();  // the job is done all the same, and must not be done again
  }
}

void JobPool::Watch() {
  auto report_at = std::chrono::steady_clock::now() + kProgressPause;
  MutexLock lock(mutex_);
  while (!ended_.wait_for(lock, kStopPollInterval,
                          [this]() SUMMA_REQUIRES(mutex_) { return running_ == 0; })) {
    lock.unlock();
    if (options_.should_stop && options_.should_stop()) meter_.Stop();
    if (std::chrono::steady_clock::now() >= report_at) {
      Report();
      report_at += kProgressPause;
    }
    lock.lock();
  }
}

void JobPool::Report() const {
  if (!options_.on_progress) return;
  Progress progress;
  progress.stage = stage_;
  progress.done = meter_.rows();
  progress.total = std::max(total_, progress.done);
  options_.on_progress(progress);
}

void ThrowIfStopped(const VerifyOptions& options) {
  if (options.should_stop && options.should_stop()) ThrowStopped();
}

std::int64_t RowsPerRange(const VerifyOptions& options) {
  std::int64_t rows = options.rows_per_range;
  if (options.max_rows_per_second > 0) {
    rows = std::min(rows, options.max_rows_per_second / kThrottledRangesPerSecond);
  }
  return std::max(rows, kMinRowsPerRange);
}

}  // namespace summa::verify
