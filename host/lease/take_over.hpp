// Taking a lease whose time is over while a session keeps its row locked: a backend whose client
// was frozen or cut off in the middle of a COMMIT or COPY, which no timeout of the server ends
// (decision 0008). One thread at a time.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "host/database/deadline_connection.hpp"

namespace summa::host {

class TakeOver {
 public:
  using TimePoint = DeadlineConnection::TimePoint;

  // `stop` must outlive the object; its signal ends a wait at once.
  TakeOver(DatabaseSettings settings, WakeUp& stop);

  // Runs `acquire` on `waiter` and looks meanwhile, over a connection of its own, who blocks it.
  // Sessions of summa-host are ended, each exactly by process id and start; any other is named in
  // the log (SH-0307), once. Its rows, or nullopt: the row is still locked. SqlFailure as
  // DeadlineConnection::Query.
  std::optional<TextRows> Acquire(DeadlineConnection& waiter, const std::string& worker_id,
                                  const std::string& acquire, const TextParameters& parameters,
                                  TimePoint deadline);

 private:
  struct Blocker;
  bool EndBlockers(std::optional<DeadlineConnection>& watcher, int waiting_pid,
                   const std::string& worker_id, TimePoint deadline);
  void EndBlocker(DeadlineConnection& watcher, const Blocker& blocker, const std::string& worker_id,
                  TimePoint deadline);
  void ReportOnce(const std::string& worker_id, const Blocker& blocker, std::string_view message,
                  const std::string& why);

  const DatabaseSettings settings_;
  WakeUp& stop_;
  std::map<std::string, std::string> reported_;         // worker -> the blocker that was named last
  std::map<std::string, std::set<std::string>> ended_;  // worker -> those that were told to end
};

}  // namespace summa::host
