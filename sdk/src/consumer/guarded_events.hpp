// The callbacks of a consumer, called so that none of them can end or stop it: what they throw ends
// here, none is called under a lock, and what went wrong is remembered by name. Thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <summa/clock.hpp>
#include <summa/health.hpp>
#include <summa/mutex.hpp>
#include <summa/subscribe_options.hpp>
#include <utility>
#include <vector>

namespace summa::detail {

class GuardedEvents {
 public:
  // Borrows both; events: nullptr: nobody is told.
  GuardedEvents(ConsumerEvents* events, std::string group, const Clock& clock)
      : events_(events), group_(std::move(group)), clock_(clock) {}

  void Failed(const ConsumedMessage& message, const std::string& error) noexcept {
    Call("Failed", [&](ConsumerEvents& events) { events.Failed(message, error); });
  }
  void DeadLettered(const ConsumedMessage& message, const std::string& error) noexcept {
    Call("DeadLettered", [&](ConsumerEvents& events) { events.DeadLettered(message, error); });
  }
  void Overdue(std::string_view topic, std::string_view id) noexcept {
    Call("Overdue", [&](ConsumerEvents& events) { events.Overdue(topic, id); });
  }
  void Away(const std::string& error) noexcept {
    Call("Away", [&](ConsumerEvents& events) { events.Away(error); });
  }

  // The bus refuses the dead letter of this message; an empty error: it has it now.
  void SetRefused(std::string_view topic, std::string_view id, const std::string& error) noexcept {
    try {
      const MutexLock lock(mutex_);
      const std::string message = std::string(id) + " of topic " + std::string(topic);
      if (error.empty()) {
        refused_.erase(message);
      } else {
        refused_[message] = error;
      }
    } catch (...) {
      // Out of memory: it is told with the next attempt.
    }
  }

  // Callbacks that threw when they were last called, those that have not returned for long, and
  // dead letters that the bus refuses.
  std::vector<Finding> Failing() const {
    const MutexLock lock(mutex_);
    std::vector<Finding> failing;
    for (const auto& [name, what] : thrown_) {
      failing.push_back(Describe(name, Severity::kWarning, "it threw " + what));
    }
    for (const auto& [message, error] : refused_) {
      failing.push_back({Severity::kError, "consumer " + group_ + ", message " + message,
                         "its dead letter is refused: " + error, "",
                         "Let the bus accept it. The other messages of its key wait"});
    }
    const std::chrono::microseconds now = clock_.Now();
    for (const Running& call : running_) {
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - call.since);
      if (seconds < kLong) continue;
      failing.push_back(Describe(
          call.name, Severity::kError,
          "it has not returned for " + std::to_string(seconds.count()) + " s; its thread waits"));
    }
    return failing;
  }

 private:
  // A callback writes a line and counts: far below this.
  static constexpr std::chrono::seconds kLong{5};
  struct Running {
    const char* name;
    std::chrono::microseconds since;
  };

  template <typename Function>
  void Call(const char* name, Function function) noexcept {
    if (events_ == nullptr) return;
    try {
      std::list<Running>::iterator running;
      {
        const MutexLock lock(mutex_);
        running = running_.insert(running_.end(), {name, clock_.Now()});
      }
      std::string thrown;
      try {
        function(*events_);
      } catch (const std::exception& exception) {
        thrown = std::string("an exception: ") + exception.what();
      } catch (...) {
        thrown = "an exception that is not a std::exception";
      }
      const MutexLock lock(mutex_);
      running_.erase(running);
      if (thrown.empty()) {
        thrown_.erase(name);
      } else {
        thrown_[name] = std::move(thrown);
      }
    } catch (...) {
      // Out of memory: a callback that is not told is better than a consumer that ends.
    }
  }

  Finding Describe(const std::string& name, Severity severity, std::string found) const {
    return {severity, "consumer " + group_ + ", callback " + name, std::move(found), "",
            "Fix ConsumerEvents::" + name + " of the plugin"};
  }

  ConsumerEvents* const events_;
  const std::string group_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::list<Running> running_ SUMMA_GUARDED_BY(mutex_);
  std::map<std::string, std::string> refused_ SUMMA_GUARDED_BY(mutex_);  // by message
  std::map<std::string, std::string> thrown_ SUMMA_GUARDED_BY(mutex_);   // by callback
};

}  // namespace summa::detail
