#include "host/abi/plugin_call.hpp"

#include <algorithm>
#include <atomic>

#include "host/abi/signal_stack.hpp"
#include "summa/error.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

// In the executable itself, so that a signal handler reads it without an allocation.
thread_local const CallPlace* current_place = nullptr;
thread_local bool ever_called = false;

// Held for a few instructions, never while code of a plugin runs.
struct Registry {
  Mutex mutex;
  PluginCall* newest SUMMA_GUARDED_BY(mutex) = nullptr;
};

// Never destroyed: a call that does not return outlives everything.
Registry& TheRegistry() {
  static auto* registry = new Registry;
  return *registry;
}

}  // namespace

PluginCall::PluginCall(std::string_view plugin, std::string_view function, std::string_view worker,
                       Microseconds slow_after) noexcept
    : outer_(current_place) {
  EnsureSignalStack();
  summa::detail::CopyText(place_.plugin, plugin);
  summa::detail::CopyText(place_.function, function);
  summa::detail::CopyText(place_.worker, worker);
  place_.since = SystemClock().BootNow();
  place_.slow_after = slow_after;
  {
    Registry& registry = TheRegistry();
    const MutexLock lock(registry.mutex);
    previous_ = registry.newest;
    if (previous_ != nullptr) previous_->next_ = this;
    registry.newest = this;
  }
  std::atomic_signal_fence(std::memory_order_release);
  current_place = &place_;
  ever_called = true;
}

PluginCall::~PluginCall() {
  current_place = outer_;
  std::atomic_signal_fence(std::memory_order_release);
  Registry& registry = TheRegistry();
  const MutexLock lock(registry.mutex);
  if (previous_ != nullptr) previous_->next_ = next_;
  if (next_ != nullptr) {
    next_->previous_ = previous_;
  } else {
    registry.newest = previous_;
  }
}

const CallPlace* PluginCall::OfThisThread() noexcept { return current_place; }
bool PluginCall::EverOnThisThread() noexcept { return ever_called; }

std::vector<CallPlace> RunningCalls() {
  std::vector<CallPlace> places;
  Registry& registry = TheRegistry();
  const MutexLock lock(registry.mutex);
  for (const PluginCall* call = registry.newest; call != nullptr; call = call->previous_) {
    places.push_back(call->place_);
  }
  std::reverse(places.begin(), places.end());
  return places;
}

}  // namespace summa::host
