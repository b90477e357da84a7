// What keeps the outbox from delivering to one sink, for /readyz. Written by the processor, read by
// any thread.
//
// What is known of a sink or stream holds until it is tried again: a processor that was tried no
// more (another host has the lease) says nothing of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <summa/health.hpp>
#include <summa/mutex.hpp>
#include <summa/refused_rows.hpp>
#include <summa/time.hpp>
#include <utility>
#include <vector>

namespace summa::outbox {

class SinkProblems {
 public:
  explicit SinkProblems(std::string sink) : name_(std::move(sink)) {}

  // `until`: when it is tried again.
  void SinkFailed(const std::string& error, const std::string& hint, BootTime now, BootTime until);
  void SinkWorks();
  void StreamFailed(const std::string& stream, const std::string& error, BootTime now,
                    BootTime until);
  void StreamWorks(std::string_view stream);
  void Blocked(std::int64_t keys, BootTime now);
  // Delivered rows that the ledger refuses to mark; true: a new one is among them.
  bool Refused(std::vector<Refusal> rows, BootTime now) {
    return refused_.Set(std::move(rows), now);
  }
  const RefusedRows& refused() const { return refused_; }
  void Refresh(BootTime now);  // the processor runs: what it knew of blocked keys is still true
  void Forget();               // another lease: nothing is known

  std::vector<Finding> Failing(BootTime now) const;

 private:
  struct Problem {
    std::string error, hint;
    BootTime since, until;
  };
  static void Note(Problem& problem, const std::string& error, const std::string& hint,
                   BootTime now, BootTime until);

  const std::string name_;  // of the sink
  mutable Mutex mutex_;
  bool sink_failed_ SUMMA_GUARDED_BY(mutex_) = false;
  Problem sink_ SUMMA_GUARDED_BY(mutex_);
  std::map<std::string, Problem, std::less<>> streams_ SUMMA_GUARDED_BY(mutex_);
  std::int64_t blocked_keys_ SUMMA_GUARDED_BY(mutex_) = 0;
  RefusedRows refused_{"SH-0511"};
  BootTime seen_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::outbox
