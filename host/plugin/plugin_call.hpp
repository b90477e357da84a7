// Who is in the code of a plugin, in which function, and since when. Every call of a plugin's
// function is announced here, so that one that hangs, throws or crashes can be named.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/clock.hpp"

namespace summa::host {

// Texts are cut to fit and end with NUL, so that a signal handler can write them.
struct CallPlace {
  char plugin[64] = {};
  char function[64] = {};  // "start()", "the worker's function"
  char worker[64] = {};    // whose function it is; empty: of no worker
  BootTime since;
};

// Announces a call of this thread for as long as it lives. Calls nest. Thread-safe.
class PluginCall {
 public:
  PluginCall(std::string_view plugin, std::string_view function,
             std::string_view worker = {}) noexcept;
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

// Runs foreign code. What it threw, as a text for people; nullopt: it returned.
template <typename Function>
std::optional<std::string> ThrownBy(Function function) noexcept {
  try {
    try {
      function();
      return std::nullopt;
    } catch (const std::exception& exception) {
      return std::string(": ") + exception.what();
    } catch (...) {
      return std::string(" of an unknown kind");
    }
  } catch (...) {
    return std::string();  // not even its text could be copied
  }
}

}  // namespace summa::host
