#include "sink_problems.hpp"

namespace summa::outbox {
namespace {

// Something that should have been tried again this long ago, but was not, belongs to another host
// by now.
constexpr std::chrono::minutes kForgotten{1};

std::string For(std::chrono::microseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

}  // namespace

void SinkProblems::Note(Problem& problem, const std::string& error, const std::string& hint,
                        BootTime now, BootTime until) {
  if (problem.until == BootTime()) problem.since = now;
  problem.error = error;
  problem.hint = hint;
  problem.until = until;
}

void SinkProblems::SinkFailed(const std::string& error, const std::string& hint, BootTime now,
                              BootTime until) {
  const MutexLock lock(mutex_);
  sink_failed_ = true;
  Note(sink_, error, hint, now, until);
}

void SinkProblems::SinkWorks() {
  const MutexLock lock(mutex_);
  sink_failed_ = false;
  sink_ = {};
}

void SinkProblems::StreamFailed(const std::string& stream, const std::string& error, BootTime now,
                                BootTime until) {
  const MutexLock lock(mutex_);
  Note(streams_[stream], error, "repair the stream; delivery continues by itself", now, until);
}

void SinkProblems::StreamWorks(std::string_view stream) {
  const MutexLock lock(mutex_);
  if (const auto found = streams_.find(stream); found != streams_.end()) streams_.erase(found);
}

void SinkProblems::Blocked(std::int64_t keys, BootTime now) {
  const MutexLock lock(mutex_);
  blocked_keys_ = keys;
  seen_ = now;
}

void SinkProblems::Refresh(BootTime now) {
  refused_.Refresh(now);
  const MutexLock lock(mutex_);
  seen_ = now;
}

void SinkProblems::Forget() {
  refused_.Set({}, BootTime());
  const MutexLock lock(mutex_);
  sink_failed_ = false;
  sink_ = {};
  streams_.clear();
  blocked_keys_ = 0;
}

std::vector<Finding> SinkProblems::Failing(BootTime now) const {
  const MutexLock lock(mutex_);
  std::vector<Finding> failing;
  if (sink_failed_ && now <= sink_.until + kForgotten) {
    failing.push_back(
        {Severity::kError, "outbox: " + name_,
         "SH-0501 has accepted no messages for " + For(now - sink_.since) + ": " + sink_.error, "",
         sink_.hint.empty() ? "`summa-host explain SH-0501`" : sink_.hint});
  }
  for (const auto& [stream, problem] : streams_) {
    if (now > problem.until + kForgotten) continue;
    failing.push_back(
        {Severity::kError, "outbox: stream " + stream + " of " + name_,
         "SH-0502 has accepted no messages for " + For(now - problem.since) + ": " + problem.error,
         "", problem.hint});
  }
  if (blocked_keys_ > 0 && now <= seen_ + kForgotten) {
    failing.push_back(
        {Severity::kWarning, "outbox: blocked keys of " + name_,
         "SH-0504 " + std::to_string(blocked_keys_) + " wait for a dead letter to be redriven", "",
         "find the cause in last_error of the rows named in "
         "summa_host.outbox_blocked_key, then `summa-host outbox redrive --id ID`"});
  }
  for (Finding& finding : refused_.Failing(now, kForgotten, "outbox: rows of " + name_,
                                           "delivered, and the ledger refuses to mark them")) {
    failing.push_back(std::move(finding));
  }
  return failing;
}

}  // namespace summa::outbox
