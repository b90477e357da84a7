// The one guard around calls of the code of plugins: who is in which function of it, and since
// when, so that a call that hangs, throws or crashes can be named.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/clock.hpp"
#include "summa/abi/plugin.h"

namespace summa::host {

// Texts are cut to fit and end with NUL, so that a signal handler can write them.
struct CallPlace {
  char plugin[64] = {};
  char function[64] = {};  // "start()", "the worker's function"
  char worker[64] = {};    // whose function it is; empty: of no worker
  BootTime since;
  Microseconds slow_after{0};
};

// Start() may wait for a server; whatever else a running host calls is answered from memory.
inline constexpr Microseconds kSlowCall = std::chrono::seconds(2);

// Announces a call of this thread for as long as it lives. Calls nest. Thread-safe.
class PluginCall {
 public:
  PluginCall(std::string_view plugin, std::string_view function, std::string_view worker = {},
             Microseconds slow_after = kSlowCall) noexcept;
  ~PluginCall();
  PluginCall(const PluginCall&) = delete;
  PluginCall& operator=(const PluginCall&) = delete;

  // The innermost call of the calling thread; nullptr: it is in no plugin. Async-signal-safe.
  static const CallPlace* OfThisThread() noexcept;
  // The host calls plugins on the calling thread, now or earlier. Async-signal-safe.
  static bool EverOnThisThread() noexcept;

 private:
  friend std::vector<CallPlace> RunningCalls();
  CallPlace place_;
  const CallPlace* const outer_;  // of this thread
  PluginCall *previous_ = nullptr, *next_ = nullptr;
};

// The calls of all threads, oldest first. [any]
std::vector<CallPlace> RunningCalls();

// What came of a call. Foreign texts are those of the plugin.
struct CallAnswer {
  bool returned = false;              // false: it was given up, and its thread is still in it
  std::optional<std::string> thrown;  // what it threw, as a text for people
  std::int32_t status = SUMMA_OK;
  summa_error error{};
};

// Calls `function`, which calls a plugin: std::int32_t(summa_error*). No exception gets further.
template <typename Function>
CallAnswer GuardedCall(Function&& function) noexcept {
  CallAnswer answer;
  answer.returned = true;
  answer.error.struct_size = sizeof answer.error;
  try {
    try {
      answer.status = function(&answer.error);
      return answer;
    } catch (const std::exception& exception) {
      answer.thrown = std::string(": ") + exception.what();
    } catch (...) {
      answer.thrown = " of an unknown kind";
    }
  } catch (...) {
    answer.thrown.emplace();  // not even its text could be copied
  }
  answer.status = SUMMA_E_INTERNAL;
  return answer;
}

// The way of the host into a plugin: announced as PluginCall says, and guarded.
template <typename Function>
CallAnswer CallPlugin(std::string_view plugin, std::string_view name, std::string_view worker,
                      Function&& function, Microseconds slow_after = kSlowCall) noexcept {
  const PluginCall call(plugin, name, worker, slow_after);
  return GuardedCall(std::forward<Function>(function));
}

}  // namespace summa::host
