// Several threads with a session each, which take jobs from one list: the bones of every part of
// the verification that reads much. Knows rates, progress, stopping and broken connections, and
// nothing of what is read.
#pragma once

#include <summa/mutex.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include "verify.hpp"

namespace summa::verify {

// [any thread] Says how many rows a job has seen.
class RowMeter {
 public:
  explicit RowMeter(std::int64_t max_rows_per_second) : most_(max_rows_per_second) {}

  // Counts, and sleeps while the rate is above the limit. False: stop.
  bool Count(std::int64_t rows);
  // A failed attempt is repeated, its rows are not counted twice.
  void Uncount(std::int64_t rows) { rows_ -= rows; }
  // Between two attempts. False: stop.
  bool Pause(std::chrono::milliseconds span);
  void Stop();
  bool stopped() const { return stopped_; }
  std::int64_t rows() const { return rows_; }
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  }

 private:
  const std::int64_t most_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::atomic<std::int64_t> rows_{0};
  std::atomic<std::int64_t> allowed_rows_{0};  // taken under the limit, also by failed attempts
  std::atomic<bool> stopped_{false};
  Mutex mutex_;
  ConditionVariable wake_;
};

// The share of one attempt at a job: what a failed attempt counted is taken back.
class JobMeter {
 public:
  explicit JobMeter(RowMeter& all) : all_(all) {}
  bool Count(std::int64_t rows) {
    counted_ += rows;
    return all_.Count(rows);
  }
  void UncountAll() { all_.Uncount(std::exchange(counted_, 0)); }

 private:
  RowMeter& all_;
  std::int64_t counted_ = 0;
};

class JobPool {
 public:
  static constexpr std::chrono::milliseconds kRetryPause{200};  // grows with the attempt

  // `total`: rows to expect, for the progress.
  JobPool(const summa_sql_v1* sql, const VerifyOptions& options, std::string_view stage,
          std::int64_t total, std::chrono::milliseconds retry_pause = kRetryPause)
      : sql_(sql),
        options_(options),
        stage_(stage),
        total_(total),
        retry_pause_(retry_pause),
        meter_(options.max_rows_per_second) {}

  // Calls work(session, job, meter) for every job in [0, jobs), in order, several at once. A job is
  // a read-only transaction of READ COMMITTED; one that fails because its connection broke or a
  // lock was not to be had is done again, so its effect must be made at its end. Throws the first
  // error, or SH-0904 when told to stop.
  using Work = std::function<void(Session&, std::size_t job, JobMeter&)>;
  void Run(std::size_t jobs, const Work& work);

  std::int64_t rows() const { return meter_.rows(); }
  double Seconds() const { return meter_.Seconds(); }

 private:
  void RunJobs(std::size_t jobs, const Work& work);
  void Attempt(std::optional<Session>& session, std::size_t job, const Work& work);
  void Watch();
  void Report() const;

  const summa_sql_v1* sql_;
  const VerifyOptions& options_;
  const std::string_view stage_;
  const std::int64_t total_;
  const std::chrono::milliseconds retry_pause_;
  RowMeter meter_;
  std::atomic<std::size_t> next_{0};
  Mutex mutex_;
  ConditionVariable ended_;
  int running_ SUMMA_GUARDED_BY(mutex_) = 0;
  std::exception_ptr error_ SUMMA_GUARDED_BY(mutex_);
};

// Throws SH-0904 when the caller wants to stop.
void ThrowIfStopped(const VerifyOptions& options);

// Rows per range that keep a range short under a rate limit.
std::int64_t RowsPerRange(const VerifyOptions& options);

}  // namespace summa::verify
