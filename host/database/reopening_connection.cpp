#include "host/database/reopening_connection.hpp"

#include <utility>

#include "host/database/sql_error.hpp"

namespace summa::host {

ReopeningConnection::ReopeningConnection(DatabaseSettings settings, ReconnectPauses pauses)
    : settings_(std::move(settings)), pauses_(pauses), gate_(pauses.first, pauses.longest) {}

void ReopeningConnection::Interrupt() noexcept {
  {
    const MutexLock lock(mutex_);
    ++interruptions_;
    wake_.Signal();
  }
  turn_changed_.notify_all();
}

void ReopeningConnection::Stop() noexcept {
  stopped_ = true;
  Interrupt();
}

// One question at a time has the connection. Interruptions of before are not meant for it.
class ReopeningConnection::Turn {
 public:
  Turn(ReopeningConnection& connection, TimePoint deadline, std::string_view sql)
      : connection_(connection) {
    MutexLock lock(connection.mutex_);
    const std::uint64_t before = connection.interruptions_;
    const auto interrupted = [&]() SUMMA_REQUIRES(connection.mutex_) {
      return connection.stopped_ || connection.interruptions_ != before;
    };
    const bool in_time = connection.turn_changed_.wait_until(
        lock, deadline,
        [&]() SUMMA_REQUIRES(connection.mutex_) { return !connection.taken_ || interrupted(); });
    if (interrupted()) throw ConnectionLost("told to stop", sql);
    if (!in_time) throw ConnectionLost("earlier queries were not answered in time", sql);
    connection.wake_.Clear();
    connection.taken_ = true;
  }
  ~Turn() {
    {
      const MutexLock lock(connection_.mutex_);
      connection_.taken_ = false;
    }
    connection_.turn_changed_.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  ReopeningConnection& connection_;
};

void ReopeningConnection::Open(TimePoint deadline) {
  if (connection_ && !connection_->usable()) connection_.reset();
  if (connection_) return;
  try {
    connection_ = gate_.Open(
        [&] { return std::make_unique<DeadlineConnection>(settings_, wake_, deadline); });
  } catch (const SqlFailure&) {
    // An interruption says nothing of the server: the next question need not pause for it.
    if (wake_.signalled()) gate_ = ReconnectGate(pauses_.first, pauses_.longest);
    throw;
  }
}

void ReopeningConnection::UseOnce(TimePoint deadline,
                                  const std::function<void(DeadlineConnection&)>& use) {
  Open(deadline);
  try {
    use(*connection_);
  } catch (...) {
    if (!connection_->usable()) connection_.reset();
    throw;
  }
}

void ReopeningConnection::Use(TimePoint deadline,
                              const std::function<void(DeadlineConnection&)>& use) {
  const Turn turn(*this, deadline, "");
  UseOnce(deadline, use);
}

TextRows ReopeningConnection::Query(const std::string& sql, const TextParameters& parameters,
                                    TimePoint deadline, WhenLost when_lost) {
  TextRows rows;
  const auto ask = [&](DeadlineConnection& connection) {
    rows = connection.Query(sql, parameters, deadline);
  };
  const Turn turn(*this, deadline, sql);
  const bool was_open = connection_ != nullptr;
  try {
    UseOnce(deadline, ask);
  } catch (const SqlFailure&) {
    const bool lost = was_open && connection_ == nullptr;
    const bool in_time = std::chrono::steady_clock::now() < deadline;
    if (when_lost != WhenLost::kRepeat || !lost || !in_time || wake_.signalled()) throw;
    UseOnce(deadline, ask);
  }
  return rows;
}

}  // namespace summa::host
