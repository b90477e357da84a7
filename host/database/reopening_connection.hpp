// The connection for what the fleet shares: leases, orders, the state of workers, views of them. It
// is opened on demand and anew after it broke, every question has a deadline, and any thread may
// end the one that is under way. Thread-safe: questions take turns, and the wait for a turn counts.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "host/database/deadline_connection.hpp"
#include "host/database/reconnect_gate.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

// Ceilings of the pauses between attempts to open a connection while the server is away.
struct ReconnectPauses {
  Microseconds first = kFirstReconnectPause, longest = kLongestReconnectPause;
};
// For an owner that makes pauses of its own.
inline constexpr ReconnectPauses kOwnersPauses{std::chrono::milliseconds(1),
                                               std::chrono::milliseconds(1)};

// What becomes of a question whose answer was lost with a connection that had been open before.
enum class WhenLost {
  kFail,    // the statement may have been done
  kRepeat,  // it may be done twice: it is asked once more, over a new connection
};

class ReopeningConnection {
 public:
  using TimePoint = DeadlineConnection::TimePoint;

  explicit ReopeningConnection(DatabaseSettings settings, ReconnectPauses pauses = {});
  ReopeningConnection(const ReopeningConnection&) = delete;
  ReopeningConnection& operator=(const ReopeningConnection&) = delete;

  // One statement, which is its own transaction. Throws what DeadlineConnection throws; SH-0402
  // also when it was not this question's turn until the deadline.
  TextRows Query(const std::string& sql, const TextParameters& parameters, TimePoint deadline,
                 WhenLost when_lost);
  // For more than one statement on one connection, or one in two halves.
  void Use(TimePoint deadline, const std::function<void(DeadlineConnection&)>& use);

  // Ends the questions that are under way or wait for their turn, at once and with SH-0402.
  void Interrupt() noexcept;
  // The same, and every later one.
  void Stop() noexcept;
  bool stopped() const noexcept { return stopped_; }

 private:
  class Turn;
  void Open(TimePoint deadline);
  void UseOnce(TimePoint deadline, const std::function<void(DeadlineConnection&)>& use);

  const DatabaseSettings settings_;
  const ReconnectPauses pauses_;
  WakeUp wake_;  // outlives the connection
  std::atomic<bool> stopped_{false};
  Mutex mutex_;
  ConditionVariable turn_changed_;
  bool taken_ SUMMA_GUARDED_BY(mutex_) = false;
  std::uint64_t interruptions_ SUMMA_GUARDED_BY(mutex_) = 0;
  // Of whoever has the turn.
  ReconnectGate gate_;
  std::unique_ptr<DeadlineConnection> connection_;
};

}  // namespace summa::host
