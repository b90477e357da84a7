// Workers: one class with one function.
#pragma once

#include <summa/abi/worker.h>
#include <summa/error.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace summa {

// What a worker may use during one tick; do not keep it.
class Tick {
 public:
  explicit Tick(const summa_tick* tick) : tick_(tick) {}
  const summa_sql_v1* sql() const { return tick_->sql; }  // sessions fenced by this worker's lease
  std::int64_t fence() const { return tick_->fence; }
  bool once() const { return (tick_->flags & SUMMA_TICK_ONCE) != 0; }
  bool new_lease() const { return (tick_->flags & SUMMA_TICK_NEW_LEASE) != 0; }
  bool ShouldStop() const { return tick_->should_stop(tick_) != 0; }
  // Sleeps up to this long; returns true when told to stop.
  bool Wait(std::chrono::microseconds time) const { return tick_->wait(tick_, time.count()) != 0; }

 private:
  const summa_tick* tick_;
};

struct TickResult {
  std::int64_t items = 0;                              // work done, in the worker's own unit
  bool backlog = false;                                // there is more work: call again immediately
  std::optional<std::chrono::microseconds> wait_hint;  // call again after this long at the latest
};

class Worker {
 public:
  virtual ~Worker() = default;
  // Does a bounded piece of work. May throw; the host retries with backoff. One thread at a time.
  virtual TickResult Run(const Tick& tick) = 0;
};

namespace detail {

// The worker behind the C interface; both are borrowed.
inline summa_worker WorkerTable(Worker* worker, std::string_view id) {
  return {sizeof(summa_worker), 0, worker, ToAbi(id),
          [](void* self, const summa_tick* tick, summa_tick_result* result, summa_error* error) {
            return Guard(error, [&] {
              const TickResult done = static_cast<Worker*>(self)->Run(Tick(tick));
              result->items = done.items;
              result->backlog = done.backlog ? 1 : 0;
              result->wait_hint_microseconds = done.wait_hint ? done.wait_hint->count() : -1;
              return SUMMA_OK;
            });
          }};
}

}  // namespace detail
}  // namespace summa
