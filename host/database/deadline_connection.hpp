// A connection whose every answer has a deadline, for the leases: a server that does not answer is
// as good as one that refuses. Writes by default, every statement is its own transaction. One
// thread at a time. Never reconnects; after a failure of the connection it is broken for ever.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "host/database/session.hpp"
#include "host/database/text_rows.hpp"
#include "host/database/wake_up.hpp"

namespace summa::host {

class DeadlineConnection {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // What OpenConnection throws when there is no connection until the deadline. A signal of `stop`
  // ends a wait at once and breaks the connection; it must outlive the connection.
  DeadlineConnection(const DatabaseSettings& settings, WakeUp& stop, TimePoint deadline);
  ~DeadlineConnection();

  // All values as text; an absent parameter is NULL. SqlFailure; without an answer until the
  // deadline SH-0402, and the connection is broken.
  TextRows Query(const std::string& sql, const TextParameters& parameters, TimePoint deadline);
  // Query in two halves, to look meanwhile from elsewhere why the server does not answer. Between
  // them nothing else may be asked.
  void Send(const std::string& sql, const TextParameters& parameters, TimePoint deadline);
  // The answer, or nullopt when there is none until `timeout`; the deadline of Send holds.
  std::optional<TextRows> Receive(TimePoint timeout);
  int backend_pid() const;
  bool usable();  // not broken, and the server has not closed it meanwhile

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace summa::host
