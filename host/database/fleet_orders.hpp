// What people and commands ask of the workers of a fleet, in schema summa_host: pauses, parked
// workers, requests to run one or to let its lease go. One statement per call. Thread-safe; throws
// SqlFailure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/database/fleet_connection.hpp"
#include "host/worker.hpp"

namespace summa::host {

// What is asked of one worker on one host.
struct WorkerOrders {
  bool paused = false;
  std::string parked_error;         // why this host gave it up; empty: it did not
  bool parked_everywhere = false;   // no host tries it before it is resumed
  std::int64_t run_request = 0;     // the oldest that nobody took; 0: none
  Microseconds lease_asked_for{0};  // a command wants the lease for so long; 0: none does

  // The worker must not run here now.
  bool hold() const { return paused || !parked_error.empty() || lease_asked_for.count() > 0; }
};

// What came of a request to run a worker.
struct RequestedRun : RunSummary {  // ok | error | skipped
  bool seen = false, finished = false;
  std::string host;  // that took it; empty: nobody yet
};

// What became of the last hosts that called a worker.
struct EarlierStarts {
  int deaths = 0;     // consecutive: gone before a call had returned, for an unknown reason
  int crashes = 0;    // that hosts reported of themselves, lately
  std::string crash;  // what the last one said
};

// No id of a worker has a colon.
inline constexpr const char* kPluginPrefix = "plugin:";

// A plugin that crashed its hosts outside its workers.
struct CrashingPlugin {
  std::string id;
  int crashes = 0;    // each soon after the one before
  std::string crash;  // what the last one said
};

class FleetOrders {
 public:
  explicit FleetOrders(std::shared_ptr<FleetConnection> connection);
  // Over a connection of its own.
  explicit FleetOrders(const DatabaseSettings& ledger);

  // One for each of the workers, in their order.
  std::vector<WorkerOrders> Read(const std::string& host, const std::vector<std::string>& workers);

  void Pause(const WorkerName& worker, const std::string& by, const std::string& reason);
  // Ends a pause and lets every host that parked the worker try it again. False: neither was so.
  bool Resume(const std::string& worker_id);
  // Writes the state without a run: what a worker cannot say itself.
  void Report(const WorkerName& worker, const std::string& host, const std::string& state,
              const std::string& error);
  // everywhere: on every host, until it is resumed. `host` says so.
  void Park(const WorkerName& worker, const std::string& host, const std::string& error,
            bool everywhere = false);

  // The worker is about to be called here, for the first time under this fence (0: without a
  // lease).
  EarlierStarts Begin(const std::string& worker_id, const std::string& host, std::int64_t fence);
  // A call has returned; or none was made, and none will be under this fence.
  void Returned(const std::string& worker_id, std::int64_t fence, bool called);
  // This process crashed in the worker, and is about to end. holder: of its leases. What happened
  // in a plugin and in none of its workers is kPluginPrefix and the id of the plugin.
  void Crashed(const std::string& worker_id, const std::string& host, const std::string& holder,
               const std::string& crash);
  // Those of the plugins that no host starts before they are resumed.
  std::vector<CrashingPlugin> CrashingPlugins(const std::vector<std::string>& plugins);
  // False: it was none of them.
  bool ResumePlugin(const std::string& plugin);
  // This host runs it again. Others that parked it are not told.
  void Unpark(const std::string& worker_id, const std::string& host);

  // A request ends by itself after its lifetime.
  std::int64_t RequestRun(const std::string& worker_id, const std::string& by,
                          Microseconds lifetime) {
    return Request("run", worker_id, by, lifetime);
  }
  std::int64_t RequestLease(const std::string& worker_id, const std::string& by,
                            Microseconds lifetime) {
    return Request("lease", worker_id, by, lifetime);
  }
  void Extend(std::int64_t request, Microseconds lifetime);
  // False: a host has taken it, or it is gone.
  bool Withdraw(std::int64_t request);
  // The hosts' part of a request to run: it was noticed; is ours now (false: somebody was faster).
  void Seen(std::int64_t request, const std::string& host);
  bool Take(std::int64_t request, const std::string& host);
  void Finish(std::int64_t request, const RunSummary& result);
  std::optional<RequestedRun> ReadRun(std::int64_t request);

 private:
  std::int64_t Request(const char* kind, const std::string& worker_id, const std::string& by,
                       Microseconds lifetime);

  const std::shared_ptr<FleetConnection> connection_;
};

}  // namespace summa::host
