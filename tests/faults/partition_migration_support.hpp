// A ledger that hosts migrate to partitions, hosts that die while they do it, and what must hold in
// the end: it is the end of a migration that nobody disturbed.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/summa_host.hpp"
#include "tests/faults/crash_points.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/process.hpp"

namespace summa::test {

// Everything here is done by an action, a verb of a host:
//
//   begin             copies, then waits for a decision; here it has done so, and events have come
//   swap              goes on to the exchange of the tables
//   abort             of a migration that has stopped half-way before the exchange
//   rollback          after the exchange
//   finalize          the same
//   slice             strategy attach, after the exchange: the old table is put into slices
//   restore           the old table takes the place of its slices again
//   slice again       after that
//   leave slices      finalizes while the slices are made
//   finalize slices   after their exchange
//
// What is not expected: std::runtime_error.
class MigratedLedger {
 public:
  // strategy: "online" or "attach". Three hosts have a configuration of their own.
  MigratedLedger(PostgresServer& server, const std::string& strategy);

  const std::string& url() const { return url_; }
  void StartTraffic();
  // What the action needs to be there, by the first host. half: where that host dies before "abort"
  // and "leave slices"; without a name, at a place that is always the same.
  void Prepare(const std::string& action, const CrashAt& half = {});
  // Without the actions before: events, or time, that have to come, and the death half-way.
  void Arrange(const std::string& action, const CrashAt& half = {});

  // To the end of the action, unless it has come there. Returns how often the host was started:
  // again where it lost its lease.
  int GoOn(int host, const std::string& action,
           const std::map<std::string, std::string>& environment = {});
  // The host dies there. False: it came to the end of the action first.
  bool Dies(int host, const std::string& action, const CrashAt& at);
  // The host freezes there, and is returned so.
  std::unique_ptr<Process> Freezes(int host, const std::string& action, const CrashAt& at);
  // Nothing of the action is left to do. The exchange leaves some work behind: false after it.
  bool IsDone(const std::string& action);

  // Ends the traffic. A line for each thing that is not as after the action when nobody disturbs
  // it; something lost, doubled or left over, a writer that saw an error.
  std::vector<std::string> Problems(const std::string& action);

  // Tables, indexes, sequences, triggers, functions and constraints, a line for each.
  std::vector<std::string> Inventory();
  // Of the migration and its operation.
  std::string State();

 private:
  std::vector<std::string> Arguments(int host, const std::string& action) const;
  RunResult Migrate(int host, const std::string& action,
                    const std::map<std::string, std::string>& environment) const;
  void LetATailGrow();
  void LetTimePass();
  void CheckEvents(const std::string& action, std::vector<std::string>& problems);
  void CheckEnd(const std::string& action, std::vector<std::string>& problems);
  long long Differences(const std::string& one, const std::string& other);

  PostgresServer& server_;
  const std::string strategy_, url_;
  Db db_;
  std::vector<std::unique_ptr<TemporaryFile>> files_;
  std::unique_ptr<TrafficGenerator> traffic_;
  const std::string months_;  // when it was made
};

// An action that nobody disturbed, without writers.
struct Undisturbed {
  std::string months;               // in which the ranges of this ledger begin
  std::vector<std::string> points;  // the crash points that it came to, in this order
  std::vector<std::string> inventory;
  std::string state;
};
// Made when it is asked for first.
const Undisturbed& UndisturbedRun(PostgresServer& server, const std::string& strategy,
                                  const std::string& action);

}  // namespace summa::test
