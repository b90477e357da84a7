// The one connection of a process for what its fleet shares about workers: orders, states, due
// times. The statements touch a handful of small rows: a server that needs longer for one than some
// seconds is as good as away. Thread-safe.
#pragma once

#include <atomic>
#include <string>

#include "host/database/reopening_connection.hpp"

namespace summa::host {

// SQL: the time in this column for people, in ISO-8601 with ms and Z.
std::string IsoTime(const std::string& column);

class FleetConnection {
 public:
  explicit FleetConnection(const DatabaseSettings& ledger);

  // One statement, which is its own transaction. Throws SqlFailure.
  TextRows Query(const std::string& sql, const TextParameters& parameters,
                 WhenLost when_lost = WhenLost::kFail);
  // Ends the questions that are under way or wait for their turn. Any thread.
  void Interrupt() noexcept { connection_.Interrupt(); }
  // The time to stop is half over: the same, and leaves the later ones the time that a server needs
  // that is well. Any thread.
  void BeginShutdown() noexcept;
  const std::string& schema() const { return schema_; }  // of the ledger

 private:
  const std::string schema_;
  std::atomic<bool> shutting_down_{false};
  ReopeningConnection connection_;
};

}  // namespace summa::host
