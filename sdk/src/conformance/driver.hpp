// One instance of the plugin, from create() to destroy(), and what is asked of each call.
#pragma once

#include <summa/abi/plugin.h>
#include <summa/abi/worker.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <summa/conformance.hpp>
#include <summa/mutex.hpp>
#include "calling_thread.hpp"
#include "lent_config.hpp"
#include "lent_memory.hpp"
#include "watched_host.hpp"

namespace summa::conformance {

struct Stuck {};   // a call has not returned; nothing of the plugin can be called any more
struct Broken {};  // what was found forbids every further call

// What a call gave.
struct Answer {
  std::int32_t status = SUMMA_OK;
  std::string code, message;
  bool away() const { return status == SUMMA_E_UNAVAILABLE || status == SUMMA_E_TRY_LATER; }
};

// Tells a call to stop: when the suite says so, or when a lease is lost. Thread-safe.
class StopSwitch {
 public:
  explicit StopSwitch(std::shared_ptr<WatchedLease> lease = nullptr) : lease_(std::move(lease)) {}
  StopSwitch(const StopSwitch&) = delete;
  StopSwitch& operator=(const StopSwitch&) = delete;

  void Stop();
  bool stopped() const { return stop_; }
  bool Asked();  // by should_stop(); a thread that hears of it knows of the loss
  bool Wait(std::int64_t microseconds);
  // Waits until the call has asked, or for so long at most.
  void AwaitQuestion(std::chrono::microseconds most);

 private:
  bool Told();
  const std::shared_ptr<WatchedLease> lease_;
  std::atomic<bool> stop_{false};
  Mutex mutex_;
  ConditionVariable changed_;
  std::uint64_t questions_ SUMMA_GUARDED_BY(mutex_) = 0;
};

// Functions throw Stuck or Broken. One thread at a time.
class Driver {
 public:
  Driver(std::string_view check, const Subject& subject, Observer& observer,
         Sizes sizes = Sizes::kExact);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  void Create();
  void Configure();
  Answer Start();
  void Stop();
  void Destroy();  // and looks at what is left
  // create(), configure(), start(). False: it could not start, which was said.
  bool StartUp();
  void ShutDown() {
    Stop();
    Destroy();
  }

  using Function = std::function<std::int32_t(summa_error*)>;
  // Calls the plugin on its thread. told: what is done when it has not returned after the deadline,
  // before it gets as long again (telling it to stop); empty: it is stuck then.
  Answer Call(const std::string& name, const Function& function,
              const std::function<void()>& told = {});
  // The same without waiting: Await() follows.
  void Begin(const std::string& name, const Function& function);
  bool Returned(std::chrono::microseconds time);  // within this time
  Answer Await(const std::function<void()>& told = {});
  // What the plugin is configured with, until it is revoked.
  std::shared_ptr<LentConfig> LendConfig(const char* what) const;

  const void* Extension(const char* id);
  template <typename T>
  const T* Table(const char* id) {
    return static_cast<const T*>(Extension(id));
  }
  struct WorkerOfPlugin {
    const summa_worker* worker;
    bool lease;
  };
  std::vector<WorkerOfPlugin> Workers();
  WatchedHost& host() { return *host_; }
  const Subject& subject() const { return subject_; }
  Sizes sizes() const { return sizes_; }
  std::chrono::microseconds deadline() const { return subject_.deadline; }

  // One tick. The result is what the host may rely on.
  struct Ticked {
    Answer answer;
    summa_tick_result result;
  };
  Ticked Tick(const WorkerOfPlugin& worker, const std::shared_ptr<StopSwitch>& stop,
              const std::shared_ptr<WatchedLease>& lease, std::uint32_t flags,
              const std::function<void()>& meanwhile = {});

  // Findings are said once. [any]
  void Fail(const std::string& found, const std::string& expected);
  void Unable(const std::string& found, const std::string& expected);
  void Skip(const std::string& found);
  bool silent() const;  // nothing was found

 private:
  struct CallState;
  void Say(Outcome outcome, const std::string& found, const std::string& expected);
  Answer Judge(const CallState& call);
  void JudgeError(const CallState& call, const Answer& answer);
  void JudgeLog(const std::string& call);
  void CheckExtensions();
  void CheckTable(const std::string& id, const void* table);
  // Of a struct that is larger than this suite knows.
  void CheckBehind(const std::string& what, const void* table, std::uint32_t known);
  void CheckPromises();
  void CheckNames(const std::string& what, std::vector<std::string> declared,
                  std::vector<std::string> found);
  void CheckTaskEnds(const std::string& when);
  void CheckSurroundings();
  void CheckMetrics();

  const std::string check_;
  const Subject& subject_;
  Observer& observer_;
  const Sizes sizes_;
  Surroundings before_;
  std::unique_ptr<CallingThread> thread_;
  std::unique_ptr<WatchedHost> host_;
  std::shared_ptr<CallState> call_;
  summa_plugin* plugin_ = nullptr;
  std::map<std::string, const void*> extensions_;
  std::int64_t fence_ = 0;
  bool threads_left_ = false;
  mutable Mutex mutex_;
  std::set<std::string> said_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::conformance
