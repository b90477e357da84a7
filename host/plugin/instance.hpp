// One plugin from its file to its end: the states it goes through, and every call into its code
// behind a guard, so that a plugin that fails, lies or throws takes down itself and not the host.
#pragma once

#include <summa/abi/activity.h>
#include <summa/abi/command.h>
#include <summa/abi/endpoint.h>
#include <summa/abi/health.h>
#include <summa/abi/plugin.h>
#include <summa/abi/reload.h>
#include <summa/abi/worker.h>

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/abi/plugin_call.hpp"
#include "host/clock.hpp"
#include "host/plugin/call_thread.hpp"
#include "host/plugin/plugin_file.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

enum class PluginState {
  kDiscovered,  // a file, nothing known yet
  kInspected,   // its manifest is known, nothing of it has run
  kRefused,     // will not be loaded
  kLoaded,
  kCreated,
  kConfigured,
  kStarted,
  kFailed,  // was loaded and broke; never called again but for stop and destroy
  kStopped
};
std::string_view ToText(PluginState state);  // for /status, logs and docs

// What a plugin reported, as an error of the host. `call` is what was called, "start()". Texts that
// do not end are cut; a failure without a message is the plugin's defect (SH-0111). [any]
Error FromPlugin(const Manifest& manifest, std::string_view call, std::int32_t status,
                 const summa_error& error);

// How long calls of a plugin may take.
struct CallLimits {
  Microseconds start{std::chrono::seconds(30)};  // each one up to and with start(); examine()
  // The host was told to stop; may be empty.
  std::function<bool()> stopping;
  // What is left for stop(), destroy(), and for a call that was under way when told to stop.
  std::function<Microseconds()> end = [] { return Microseconds(std::chrono::seconds(10)); };
};

// Functions that call the plugin throw Failure and leave the state kFailed. They run on one thread
// of the plugin's own, while the caller waits within the limits: a call that does not return is
// given up (SH-0128), and the plugin is lost, never to be called again. The states are thread-safe;
// everything marked [main] belongs to the host's main thread.
class PluginInstance {
 public:
  explicit PluginInstance(PluginFile file, CallLimits limits = {});
  ~PluginInstance();  // Destroy()
  PluginInstance(const PluginInstance&) = delete;
  PluginInstance& operator=(const PluginInstance&) = delete;

  const Manifest& manifest() const {
    return *file_.manifest;
  }  // has one unless kDiscovered/kRefused
  std::string id() const { return file_.Id(); }
  const CallLimits& limits() const { return limits_; }
  PluginState state() const;
  std::optional<Error> error() const;  // why it is refused or failed

  void Refuse(Error error);                    // [main] before Load()
  void Load();                                 // [main]
  void Create(const summa_host* host);         // [main] `host` outlives this
  void Configure(const summa_config* config);  // [main] also checks what the manifest promised
  void Start();                                // [main] again after it failed: Stop() first
  // [main] Of a plugin that has started: what it does by itself begins (summa.activity/1). False:
  // what it needs is away; to be called again. error() says why meanwhile.
  bool Activate();
  void Deactivate();  // [main] the counterpart; nothing to do without, or lost
  // [main] Of a configured plugin: its part of the configuration, read again (summa.reload/1). The
  // keys that are in force from now on; none when it has no such extension. Throws Failure when it
  // took nothing; it goes on as before, unless it is lost.
  std::vector<std::string> Reload(const Value& config);
  // [main] Also after a failed Start(). Nothing to do when Start() was not called, it is stopped,
  // or lost.
  void Stop();
  // [main] After Stop(): the last call. Throws nothing.
  void Destroy() noexcept;
  // A call was given up: what the plugin was given must live until the process ends. [any]
  bool lost() const { return lost_; }
  // [main] A call on another thread has not returned after this time and is given up: SH-0128.
  void GiveUp(const std::string& name, Microseconds elapsed);

  using Function = std::function<std::int32_t(summa_error*)>;
  // [main] Calls a function of the plugin on its thread. longest: zero: as long as it takes, until
  // the host is told to stop. What `function` refers to lives until the process ends when the call
  // is given up. Throws Failure for a plugin that is lost already.
  CallAnswer TryCall(const std::string& name, Microseconds longest, Function function);
  // What went wrong in a call that returned; nullopt: nothing. `name` as given to TryCall(). [any]
  std::optional<Error> ErrorOf(const std::string& name, const CallAnswer& answer) const;

  // After Configure() succeeded; nullptr: none. [any]
  const void* Extension(const std::string& id) const;
  // The same, as the table of functions that the id stands for.
  template <typename T>
  const T* Table(const char* id) const {
    return static_cast<const T*>(Extension(id));
  }
  const summa_worker* Worker(const std::string& id) const;
  const summa_route* Route(const std::string& method, const std::string& path) const;

 private:
  void SetState(PluginState state);
  [[noreturn]] void Fail(Error error);
  [[noreturn]] void BrokenPromise(const std::string& problem);  // SH-0123
  // TryCall(); whatever is not SUMMA_OK becomes Failure.
  void Call(const std::string& name, Microseconds longest, Function function);
  bool KeepWaiting(const std::string& name, Microseconds longest, Microseconds elapsed,
                   std::optional<Microseconds>& told_to_stop, bool& named) const;
  void CheckTable();
  void ReadExtensions();
  void CheckPromises();
  void CheckWorkers();
  void CheckRoutes();
  // Each declared name is found once, and no other.
  void CheckNames(const std::string& what, const std::vector<std::string>& declared,
                  std::vector<std::string> found);

  const PluginFile file_;
  const CallLimits limits_;
  CallThread thread_;
  std::atomic<bool> lost_ = false;
  const summa_entry* entry_ = nullptr;
  summa_plugin* plugin_ = nullptr;
  std::map<std::string, const void*> extensions_;  // complete once configured_ is true
  std::atomic<bool> configured_ = false;           // may be asked for extensions
  bool start_called_ = false;                      // and not yet stopped
  bool active_ = false;  // activate() was called, and deactivate() not yet

  mutable Mutex mutex_;
  PluginState state_ SUMMA_GUARDED_BY(mutex_);
  std::optional<Error> error_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::host
