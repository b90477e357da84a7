#include "host/database/server_watch.hpp"

#include "host/database/known_servers.hpp"
#include "host/database/pq_connection.hpp"

namespace summa::host {
namespace {

// A machine that swaps or starts may miss one.
constexpr int kUnansweredChecks = 2;
// A statement that runs for an hour is not checked every five seconds.
constexpr int kLongestPause = 4;  // times the first

}  // namespace

ServerWatch::ServerWatch(const DatabaseSettings& settings, std::string address,
                         ConnectionParameters parameters, ServerLife server)
    : url_(settings.url),
      address_(std::move(address)),
      must_write_(settings.must_write),
      timeout_(settings.silence),
      parameters_(std::move(parameters)),
      server_(std::move(server)),
      silences_(KnownServers::Of().Silences(url_, address_)) {}

std::string ServerWatch::Outdated() const {
  const KnownServers& known = KnownServers::Of();
  if (known.Silences(url_, address_) != silences_) return address_ + " is silent";
  const auto primary = known.Primary(url_);
  if (must_write_ && primary && *primary != server_) {
    return address_ + " is no longer the primary";
  }
  return {};
}

bool ServerWatch::Answers(WakeUp& wake) const {
  try {
    const PqConnection another(parameters_, wake, PqConnection::OnWake::kGiveUp,
                               std::chrono::steady_clock::now() + timeout_);
    return true;
  } catch (const SqlFailure& failure) {
    return !failure.sqlstate().empty() || wake.signalled();
  }
}

void ServerWatch::ReportSilence() const { KnownServers::Of().RecordSilence(url_, address_); }

AnswerWait::AnswerWait(const ServerWatch* watch) : watch_(watch) {
  if (watch_ == nullptr) return;
  const Microseconds timeout = watch_->timeout();
  pauses_.emplace(timeout, kLongestPause * timeout, Jitter::kNone);
  next_check_ = std::chrono::steady_clock::now() + timeout;
}

bool AnswerWait::CheckServer(WakeUp& wake) {
  if (!next_check_ || std::chrono::steady_clock::now() < *next_check_) return true;
  if (unanswered_ == kUnansweredChecks) {
    watch_->ReportSilence();
    return false;
  }
  if (!watch_->Outdated().empty()) return false;
  if (watch_->Answers(wake)) {
    unanswered_ = 0;
    next_check_ = std::chrono::steady_clock::now() + pauses_->Next();
  } else {
    ++unanswered_;
    next_check_ = std::chrono::steady_clock::now();  // the answer itself may have come meanwhile
  }
  return true;
}

}  // namespace summa::host
