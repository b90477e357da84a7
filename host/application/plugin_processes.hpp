// The plugins of a host that run in processes of their own (decision 0055): what the host shows of
// them, asks of them and tells them.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/application/process_view.hpp"
#include "host/application/settings.hpp"
#include "host/http/router.hpp"
#include "host/process/plugin_process.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

// The first words of the command line of such a process; the id of its plugin follows.
inline constexpr const char* kPluginProcess = "--plugin-process";

// What a process is told first, and how it reads it.
struct ProcessSetUp {
  std::string plugin;
  std::string file, text;  // the configuration: its path, and what it contained
  std::int64_t memory_bytes = 0;
  int open_files = 0;
  std::vector<std::string> only;         // workers; empty: all of the plugin
  std::vector<std::string> directories;  // of plugins
};
std::vector<std::string> ToParts(const ProcessSetUp& set_up);
std::optional<ProcessSetUp> SetUpOf(const std::vector<std::string>& parts);

// Requests that only a host can make: no path over HTTP has this method.
inline constexpr const char* kHostMethod = "HOST";
inline constexpr const char* kViewPath = "/view";
inline constexpr const char* kMetricsPath = "/metrics";

// Takes the plugins that run in processes of their own out of the plan of a host.
Plan TakeIsolated(Plan& plan, const Configuration& configuration);

class PluginProcesses {
 public:
  // Lets go of what a process that has died held of these workers' leases. May take some seconds.
  // Throws Failure.
  using Release =
      std::function<void(const std::vector<std::string>& workers, const std::string& holder)>;

  // isolated: their plan; only: which workers they run; empty: all. These, the configuration and
  // the discovery outlive this.
  PluginProcesses(const LoadedConfiguration& loaded, const Plan& isolated,
                  const std::vector<std::string>& only, const Discovery& discovery,
                  Release release);
  PluginProcesses(const PluginProcesses&) = delete;
  PluginProcesses& operator=(const PluginProcesses&) = delete;

  void Start();
  // The configuration was read again, and is valid: running processes take what they can, those
  // that wait are started with it.
  void Reload(const std::string& text);
  void TellToStop();
  // What went wrong; also the processes that had to be killed.
  std::vector<Error> AwaitStop();

  // From memory.
  std::vector<PluginReport> Report() const;
  // Asks all processes at once, and waits at most `timeout` for their answers. Thread-safe.
  struct Probed {
    std::vector<PluginReport> plugins;
    std::vector<std::string> workers;  // JSON
    Readiness readiness;
  };
  Probed Probe(Microseconds timeout);
  // The texts of their metrics, by plugin; those that do not answer in time are missing.
  std::vector<std::pair<std::string, std::string>> Metrics(Microseconds timeout);
  // Their workers, by name.
  std::vector<std::string> workers() const;
  // Paths that are answered by the processes. longest: as long as a request may take.
  std::vector<HttpRoute> Routes(Microseconds longest);

 private:
  // A question that is asked again only when it was answered: one that hangs is no reason to ask
  // for ever.
  struct Question {
    mutable Mutex mutex;
    std::shared_ptr<ProcessAnswer> asked SUMMA_GUARDED_BY(mutex);
    BootTime asked_at SUMMA_GUARDED_BY(mutex);

    Microseconds OpenFor() const;  // zero: it was answered
  };
  struct Member {
    const PlannedPlugin* planned = nullptr;
    std::vector<std::string> workers;  // that are enabled
    std::unique_ptr<PluginProcess> process;
    Question view, metrics;
    mutable Mutex mutex;
    std::optional<ProcessView> last SUMMA_GUARDED_BY(mutex);
    BootTime last_at SUMMA_GUARDED_BY(mutex);
    std::int64_t last_start SUMMA_GUARDED_BY(mutex) = 0;  // of the process that said it
  };
  // What is known of one now.
  struct Known {
    ProcessReport process;
    std::optional<ProcessView> view;  // of this process
    Microseconds age{0};              // of the view
    Microseconds silent{0};           // for how long it has owed the next one
    bool fresh = false;
  };

  ProcessSetUp SetUp(const Member& member) const;
  void ReleaseLeases(const Member& member, const std::string& holder) noexcept;
  static std::shared_ptr<ProcessAnswer> Ask(Member& member, Question& question, const char* path);
  static Known KnownOf(const Member& member, bool fresh);
  static PluginReport ReportOf(const Member& member, const Known& known);
  void AddWorkers(const Member& member, const Known& known, Probed& probed) const;
  static void AddReadiness(const Member& member, const Known& known, Readiness& readiness);

  const LoadedConfiguration& loaded_;
  const Plan& plan_;
  const std::vector<std::string>& only_;
  const Discovery& discovery_;
  const Release release_;
  mutable Mutex text_mutex_;
  std::string text_ SUMMA_GUARDED_BY(text_mutex_);  // of the configuration
  std::deque<Member> members_;
};

}  // namespace summa::host
