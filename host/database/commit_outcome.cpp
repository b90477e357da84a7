#include "host/database/commit_outcome.hpp"

#include <algorithm>
#include <summa/backoff.hpp>
#include <thread>

#include "host/database/reopening_connection.hpp"
#include "host/observe/host_metrics.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;
using TimePoint = std::chrono::steady_clock::time_point;

// A restart of the server takes some seconds; a thread that hangs for longer is worse than a run
// that is repeated.
constexpr std::chrono::seconds kLongestDoubt{15};
// A stop has host.drain_timeout (10 s) in all.
constexpr std::chrono::seconds kLongestDoubtAtStop{3};
// A COMMIT takes milliseconds, and one that is not done by then may be waiting forever.
constexpr std::chrono::seconds kCommitPatience{1};
constexpr std::chrono::seconds kAnswerPatience{2};  // for connecting or one answer
constexpr milliseconds kFirstPause{10};
constexpr milliseconds kLongestPause{250};

const char* Word(CommitOutcome outcome) {
  if (outcome == CommitOutcome::kCommitted) return "committed";
  return outcome == CommitOutcome::kAborted ? "aborted" : "unknown";
}

// Constant texts, so that equal outcomes fold into one line and different ones do not.
const char* Sentence(CommitOutcome outcome) {
  if (outcome == CommitOutcome::kCommitted) {
    return "the answer to a COMMIT was lost; the server says that it was committed";
  }
  return outcome == CommitOutcome::kAborted
             ? "the answer to a COMMIT was lost; the server says that nothing was committed"
             : "the answer to a COMMIT was lost, and the server could not report its outcome";
}

DatabaseSettings AskerSettings(DatabaseSettings settings) {
  settings.application_name += " commits";
  settings.statement_timeout = kAnswerPatience;
  return settings;
}

class Asker {
 public:
  Asker(const DatabaseSettings& settings, const DoubtfulCommit& commit)
      : connection_(AskerSettings(settings), kOwnersPauses), commit_(commit) {}

  // nullopt: no final answer yet; why() says what was found.
  std::optional<CommitVerdict> Ask(TimePoint deadline) {
    deadline = std::min(deadline, std::chrono::steady_clock::now() + kAnswerPatience);
    try {
      auto verdict = Judge(deadline);
      trouble_.clear();
      return verdict;
    } catch (const SqlFailure& failure) {
      trouble_ = failure.error().message;
      if (failure.sqlstate() != "22023") return std::nullopt;
      return CommitVerdict{CommitOutcome::kUnknown,
                           "the server has not yet assigned transaction number " +
                               commit_.transaction_id +
                               ": it is another server, was restored, or lost its last "
                               "transactions in a crash"};
    }
  }
  // What the server said last, and what kept it from saying more.
  std::string why() const {
    return found_ + (found_.empty() || trouble_.empty() ? "" : "; then ") + trouble_;
  }

 private:
  std::optional<CommitVerdict> Judge(TimePoint deadline) {
    static const std::string sql = std::string("SELECT pg_catalog.pg_is_in_recovery(), ") +
                                   kServerLifeColumns + ", pg_catalog.pg_xact_status($1::xid8)";
    const TextRows rows = connection_.Ask(sql, {commit_.transaction_id}, deadline, WhenLost::kFail);
    const auto& row = rows.at(0);
    if (row.at(0) == "t") {
      found_ = "the server that answers is a standby";
      return std::nullopt;
    }
    const ServerLife life{row.at(1).value_or(""), row.at(2).value_or("")};
    const bool same_life = life == commit_.backend.server;
    // A crash, or a standby that took over, may have lost our number and assigned it again.
    const bool number_may_be_anothers = !same_life && !life.recovered_to.empty();
    const std::string status = row.at(3).value_or("");
    if (status == "committed" && number_may_be_anothers) {
      return CommitVerdict{CommitOutcome::kUnknown,
                           "the server recovered from a crash meanwhile, and transaction number " +
                               commit_.transaction_id + " may have been assigned a second time"};
    }
    if (status == "committed") return CommitVerdict{CommitOutcome::kCommitted, "it was committed"};
    if (status == "aborted" || (status == "in progress" && !same_life)) {
      return CommitVerdict{CommitOutcome::kAborted, "nothing was committed"};
    }
    if (status != "in progress") {
      return CommitVerdict{CommitOutcome::kUnknown, "transaction number " + commit_.transaction_id +
                                                        " is too old for the server to know"};
    }
    found_ = "the commit is still in progress in backend " + std::to_string(commit_.backend.pid);
    EndBackendInTime(deadline);
    return std::nullopt;
  }

  // It could still commit after the last check.
  void EndBackendInTime(TimePoint deadline) {
    const auto now = std::chrono::steady_clock::now();
    if (!under_way_since_) under_way_since_ = now;
    if (now - *under_way_since_ < kCommitPatience) return;
    connection_.Ask(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_get_activity($1::int) "
        "WHERE (extract(epoch FROM backend_start) * 1000000)::bigint = $2::bigint",
        {std::to_string(commit_.backend.pid), commit_.backend.started_at}, deadline,
        WhenLost::kFail);
    under_way_since_ = now;
  }

  ReopeningConnection connection_;
  const DoubtfulCommit& commit_;
  std::optional<TimePoint> under_way_since_;
  std::string found_, trouble_;
};

CommitVerdict AskInTime(const DatabaseSettings& settings, const DoubtfulCommit& commit,
                        const std::function<bool()>& told_to_stop) {
  auto deadline = std::chrono::steady_clock::now() + kLongestDoubt;
  bool stopping = false;
  Backoff backoff(kFirstPause, kLongestPause);
  Asker asker(settings, commit);
  for (;;) {
    if (!stopping && told_to_stop()) {
      stopping = true;
      deadline = std::min(deadline, std::chrono::steady_clock::now() + kLongestDoubtAtStop);
    }
    if (auto verdict = asker.Ask(deadline)) return *verdict;
    const auto pause = backoff.Next();
    if (std::chrono::steady_clock::now() + pause >= deadline) {
      return {CommitOutcome::kUnknown, asker.why()};
    }
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace

CommitVerdict ResolveCommit(const DatabaseSettings& settings, const DoubtfulCommit& commit,
                            const std::function<bool()>& told_to_stop) {
  const auto begin = std::chrono::steady_clock::now();
  CommitVerdict verdict = AskInTime(settings, commit, told_to_stop);
  const auto took =
      std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
  const bool unknown = verdict.outcome == CommitOutcome::kUnknown;
  Log(unknown ? LogLevel::kError : LogLevel::kWarn, unknown ? "SH-0404" : "SH-0421",
      Sentence(verdict.outcome),
      {{"outcome", Word(verdict.outcome)},
       {"why", verdict.why},
       {"transaction", commit.transaction_id},
       {"backend", std::to_string(commit.backend.pid)},
       {"milliseconds", std::to_string(took.count())}});
  if (MetricHandle* metric =
          HostMetric("summa_db_ambiguous_commits_total", {Word(verdict.outcome)})) {
    metric->Add(1);
  }
  return verdict;
}

}  // namespace summa::host
