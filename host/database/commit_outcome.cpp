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
constexpr std::chrono::seconds kResolveTimeout{15};
// A stop has host.drain_timeout (10 s) in all.
constexpr std::chrono::seconds kResolveTimeoutAtStop{3};
// A COMMIT takes milliseconds, and one that is not done by then may be waiting forever.
constexpr std::chrono::seconds kCommitTimeout{1};
constexpr std::chrono::seconds kAnswerTimeout{2};  // for connecting or one answer
constexpr milliseconds kFirstPause{10};
constexpr milliseconds kLongestPause{250};

const char* ToText(CommitOutcome outcome) {
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

DatabaseSettings ResolverSettings(DatabaseSettings settings) {
  settings.application_name += " commits";
  settings.statement_timeout = kAnswerTimeout;
  return settings;
}

class CommitResolver {
 public:
  CommitResolver(const DatabaseSettings& settings, const InDoubtCommit& commit)
      : connection_(ResolverSettings(settings), kOwnersPauses), commit_(commit) {}

  // nullopt: no final answer yet; why() says what was found.
  std::optional<CommitResolution> TryResolve(TimePoint deadline) {
    deadline = std::min(deadline, std::chrono::steady_clock::now() + kAnswerTimeout);
    try {
      auto resolution = ReadOutcome(deadline);
      failure_.clear();
      return resolution;
    } catch (const SqlFailure& failure) {
      failure_ = failure.error().message;
      if (failure.sqlstate() != "22023") return std::nullopt;
      return CommitResolution{CommitOutcome::kUnknown,
                              "the server has not yet assigned transaction number " +
                                  commit_.transaction_id +
                                  ": it is another server, was restored, or lost its last "
                                  "transactions in a crash"};
    }
  }
  // What the server said last, and what kept it from saying more.
  std::string why() const {
    return found_ + (found_.empty() || failure_.empty() ? "" : "; then ") + failure_;
  }

 private:
  std::optional<CommitResolution> ReadOutcome(TimePoint deadline) {
    static const std::string& sql =
        *new std::string(std::string("SELECT pg_catalog.pg_is_in_recovery(), ") +
                         kServerLifeColumns + ", pg_catalog.pg_xact_status($1::xid8)");
    const TextRows rows =
        connection_.Query(sql, {commit_.transaction_id}, deadline, WhenLost::kFail);
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
      return CommitResolution{
          CommitOutcome::kUnknown,
          "the server recovered from a crash meanwhile, and transaction number " +
              commit_.transaction_id + " may have been assigned a second time"};
    }
    if (status == "committed")
      return CommitResolution{CommitOutcome::kCommitted, "it was committed"};
    if (status == "aborted" || (status == "in progress" && !same_life)) {
      return CommitResolution{CommitOutcome::kAborted, "nothing was committed"};
    }
    if (status != "in progress") {
      return CommitResolution{
          CommitOutcome::kUnknown,
          "transaction number " + commit_.transaction_id + " is too old for the server to know"};
    }
    found_ = "the commit is still in progress in backend " + std::to_string(commit_.backend.pid);
    EndBackendInTime(deadline);
    return std::nullopt;
  }

  // It could still commit after the last check.
  void EndBackendInTime(TimePoint deadline) {
    const auto now = std::chrono::steady_clock::now();
    if (!under_way_since_) under_way_since_ = now;
    if (now - *under_way_since_ < kCommitTimeout) return;
    connection_.Query(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_get_activity($1::int) "
        "WHERE (extract(epoch FROM backend_start) * 1000000)::bigint = $2::bigint",
        {std::to_string(commit_.backend.pid), commit_.backend.started_at}, deadline,
        WhenLost::kFail);
    under_way_since_ = now;
  }

  ReopeningConnection connection_;
  const InDoubtCommit& commit_;
  std::optional<TimePoint> under_way_since_;
  std::string found_, failure_;
};

CommitResolution ResolveInTime(const DatabaseSettings& settings, const InDoubtCommit& commit,
                               const std::function<bool()>& told_to_stop) {
  auto deadline = std::chrono::steady_clock::now() + kResolveTimeout;
  bool stopping = false;
  Backoff backoff(kFirstPause, kLongestPause);
  CommitResolver resolver(settings, commit);
  for (;;) {
    if (!stopping && told_to_stop()) {
      stopping = true;
      deadline = std::min(deadline, std::chrono::steady_clock::now() + kResolveTimeoutAtStop);
    }
    if (auto resolution = resolver.TryResolve(deadline)) return *resolution;
    const auto pause = backoff.Next();
    if (std::chrono::steady_clock::now() + pause >= deadline) {
      return {CommitOutcome::kUnknown, resolver.why()};
    }
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace

CommitResolution ResolveCommit(const DatabaseSettings& settings, const InDoubtCommit& commit,
                               const std::function<bool()>& told_to_stop) {
  const auto begin = std::chrono::steady_clock::now();
  CommitResolution resolution = ResolveInTime(settings, commit, told_to_stop);
  const auto took =
      std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
  const bool unknown = resolution.outcome == CommitOutcome::kUnknown;
  Log(unknown ? LogLevel::kError : LogLevel::kWarn, unknown ? "SH-0404" : "SH-0421",
      Sentence(resolution.outcome),
      {{"outcome", ToText(resolution.outcome)},
       {"why", resolution.why},
       {"transaction", commit.transaction_id},
       {"backend", std::to_string(commit.backend.pid)},
       {"milliseconds", std::to_string(took.count())}});
  HostMetric("summa_db_ambiguous_commits_total", {ToText(resolution.outcome)}).Add(1);
  return resolution;
}

}  // namespace summa::host
