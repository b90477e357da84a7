// The process of one plugin, as its host sees it (decision 0055): started, watched, ended when it
// exceeds its limits, started again when it has ended, with pauses that grow, and asked for what a
// host shows of its plugins. One thread for each.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "host/clock.hpp"
#include "host/database/wake_up.hpp"
#include "host/error.hpp"
#include "host/process/link.hpp"
#include "host/process/process_answer.hpp"
#include "host/process/process_usage.hpp"
#include "host/process/restart_policy.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

enum class ProcessState {
  kStarting,  // also: about to be
  kRunning,   // its plugin has started
  kWaiting,   // it has ended, and is started again soon
  kParked,    // it has ended too often, and is tried seldom
  kStopped,   // with its host
};
std::string_view ToText(ProcessState state);

struct ProcessReport {
  ProcessState state = ProcessState::kStarting;
  std::optional<Error> error;  // why it does not run, or why it ended last; until it runs again
  pid_t pid = 0;               // 0: there is none
  std::int64_t starts = 0;
  std::string next_try_at;  // when it is waiting or parked
};

struct ProcessPlan {
  std::string plugin;
  // The words of the command line that make this program the process of the plugin.
  std::vector<std::string> arguments;
  std::int64_t memory_bytes = 0;  // limits; zero: none
  Microseconds cpu_time{0};       // within a minute
  Microseconds drain_timeout{0};
};

// Thread-safe.
class PluginProcess {
 public:
  struct Callbacks {
    // What a new process is told first. Any thread.
    std::function<std::vector<std::string>()> set_up;
    // A process has died without releasing what this holder may still hold. On the thread of this
    // object; throws nothing.
    std::function<void(const std::string& holder)> release_leases;
  };

  PluginProcess(ProcessPlan plan, Callbacks callbacks, const Clock& clock);
  ~PluginProcess();  // ends it at once
  PluginProcess(const PluginProcess&) = delete;
  PluginProcess& operator=(const PluginProcess&) = delete;

  const std::string& plugin() const { return plan_.plugin; }

  void Start();
  // The configuration was read again. One that waits is started now.
  void Reload(const std::string& configuration);
  // Lets its work end, and the process with it.
  void TellToStop();
  // After TellToStop(). What went wrong; nullopt: it ended as it was told. Ends it when it does not
  // within its drain_timeout and a moment.
  std::optional<Error> AwaitStop();

  ProcessReport Report() const;
  std::optional<ProcessUsage> Usage() const;
  // nullptr: there is no process that could answer.
  std::shared_ptr<ProcessAnswer> Ask(const HttpRequest& request);

 private:
  // One process, from its start to its end. Of the thread.
  struct Life;
  struct Ended {
    RestartPolicy::End end = RestartPolicy::End::kOfItself;
    const char* reason = "exit";  // as the metric names it
    std::optional<Error> error;
  };

  void Run();
  Ended Live();
  void Watch(Life& life);
  void CheckLimits(Life& life);
  void Handle(Life& life, Message message);
  void Kill(Life& life, const char* reason, Error error);
  Ended Classify(const Life& life, int status) const;
  Error DeathOf(pid_t pid, int status) const;
  void Decide(const Ended& ended, Microseconds ran);
  void WaitForTurn();
  void ForgetAnswers();
  std::string Named() const { return "plugin \"" + plan_.plugin + "\""; }

  const ProcessPlan plan_;
  const Callbacks callbacks_;
  const Clock& clock_;
  WakeUp wake_;           // of the thread
  RestartPolicy policy_;  // of the thread
  std::atomic<bool> stopping_{false}, at_once_{false}, try_now_{false};

  mutable Mutex mutex_;
  ProcessReport report_ SUMMA_GUARDED_BY(mutex_);
  BootTime next_try_ SUMMA_GUARDED_BY(mutex_);
  std::shared_ptr<Link> link_ SUMMA_GUARDED_BY(mutex_);  // while there is a process
  // A configuration that was read while a process was being started with the one before.
  std::optional<std::string> missed_ SUMMA_GUARDED_BY(mutex_);
  std::map<std::uint64_t, std::weak_ptr<ProcessAnswer>> answers_ SUMMA_GUARDED_BY(mutex_);
  std::uint64_t last_id_ SUMMA_GUARDED_BY(mutex_) = 0;
  std::optional<Error> stop_error_ SUMMA_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace summa::host
