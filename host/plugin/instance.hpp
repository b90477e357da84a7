// One plugin from its file to its end: the states it goes through, and every call into its code
// behind a guard, so that a plugin that fails, lies or throws takes down itself and not the host.
#pragma once

#include <summa/abi/command.h>
#include <summa/abi/health.h>
#include <summa/abi/plugin.h>
#include <summa/abi/worker.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "host/plugin/plugin_file.hpp"

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
std::string_view Word(PluginState state);  // for /status, logs and docs

// What a plugin reported, as an error of the host. `call` is what was called, "start()". Texts that
// do not end are cut; a failure without a message is the plugin's defect (SH-0111). [any]
Error FromPlugin(const Manifest& manifest, std::string_view call, std::int32_t status,
                 const summa_error& error);

// Functions that call the plugin throw Failure and leave the state kFailed. The states are
// thread-safe; everything marked [main] belongs to the host's main thread.
class PluginInstance {
 public:
  explicit PluginInstance(PluginFile file);
  // Calls destroy() of a plugin that was created, after stop().
  ~PluginInstance();
  PluginInstance(const PluginInstance&) = delete;
  PluginInstance& operator=(const PluginInstance&) = delete;

  const Manifest& manifest() const {
    return *file_.manifest;
  }  // has one unless kDiscovered/kRefused
  const PluginFile& file() const { return file_; }
  std::string id() const { return file_.Id(); }
  PluginState state() const;
  std::optional<Error> error() const;  // why it is refused or failed

  void Refuse(Error error);                    // [main] before Load()
  void Load();                                 // [main]
  void Create(const summa_host* host);         // [main] `host` outlives this
  void Configure(const summa_config* config);  // [main] also checks what the manifest promised
  void Start();                                // [main]
  // [main] Also after a failed Start(). Nothing to do when Start() was not called, or it is
  // stopped.
  void Stop();

  // After Configure() succeeded; nullptr: none. [any]
  const void* Extension(const std::string& id) const;
  const summa_worker* Worker(const std::string& id) const;
  const summa_command_v1* Commands() const;
  const summa_status_v1* Status() const;
  const summa_health_v1* Health() const;

 private:
  void SetState(PluginState state);
  [[noreturn]] void Fail(Error error);
  // Runs a function of the plugin; a status that is not SUMMA_OK and an exception become Failure.
  void Call(std::string_view name, const std::function<std::int32_t(summa_error*)>& function);
  void CheckTable();
  void CheckPromises();
  void CheckWorkers();

  const PluginFile file_;
  const summa_entry* entry_ = nullptr;
  summa_plugin* plugin_ = nullptr;
  std::atomic<bool> configured_ = false;  // may be asked for extensions
  bool start_called_ = false;             // and not yet stopped

  mutable std::mutex mutex_;  // guards the two below
  PluginState state_;
  std::optional<Error> error_;
};

}  // namespace summa::host
