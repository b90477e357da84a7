#include <summa/consumer.hpp>

#include <algorithm>
#include <thread>
#include <utility>

#include "acknowledge.hpp"
#include "consumer_state.hpp"
#include "fetching_thread.hpp"
#include "handling_thread.hpp"
#include "starts.hpp"

namespace summa {

namespace {

// For the consumer that follows. Without memory for it, attempts are counted again.
void KeepInMemory(detail::ConsumerState& state) noexcept SUMMA_REQUIRES(state.mutex) {
  DeliveryMemory* const memory = state.options.memory;
  if (memory == nullptr) return;
  try {
    for (const detail::Held& held : state.held) {
      if (!held.live || held.lost || held.attempts() <= 0 || state.counts()) continue;
      memory->Keep(held.reader->topic, held.partition, held.delivery_id(),
                   {held.attempts(), false});
    }
    for (const auto& reader : state.readers) {
      reader->handled.VisitBlocked([&](std::uint32_t partition, const std::string& delivery_id) {
        memory->Keep(reader->topic, partition, delivery_id, {0, true});
      });
    }
  } catch (const std::exception&) {
    // What is missing is handled as if it came for the first time.
  }
}

}  // namespace

// The state of a consumer with the threads that work on it.
class Consumer::Threads {
 public:
  Threads(BusClient bus, SubscribeOptions options) : state_(bus, std::move(options)) {
    try {
      Start();
    } catch (...) {  // the system has no more threads
      End();
      throw;
    }
  }

  detail::ConsumerState& state() { return state_; }

  void End() {
    {
      const MutexLock lock(state_.mutex);
      if (std::exchange(ended_, true)) return;
      state_.stop.store(true);
    }
    state_.changed.notify_all();
    state_.room.notify_all();
    for (std::thread& thread : threads_) thread.join();
    MutexLock lock(state_.mutex);
    detail::AcknowledgeAll(state_);
    detail::ReturnStarts(state_);
    KeepInMemory(state_);
    const auto readers = std::exchange(state_.readers, {});
    lock.unlock();  // the bus is told without it
  }

 private:
  void Start() {
    MutexLock lock(state_.mutex);  // they wait for it until all are there
    for (const auto& reader : state_.readers) {
      threads_.emplace_back([this, r = reader.get()] { detail::FetchingThread(state_, *r).Run(); });
    }
    lock.unlock();
    for (int i = 0; i < state_.options.concurrency; ++i) {
      threads_.emplace_back([this] { detail::HandlingThread(state_).Run(); });
    }
  }

  detail::ConsumerState state_;
  std::vector<std::thread> threads_;
  bool ended_ SUMMA_GUARDED_BY(state_.mutex) = false;
};

namespace {

void SetPaused(detail::ConsumerState& state, bool paused) {
  {
    const MutexLock lock(state.mutex);
    state.paused = paused;
    if (!paused) state.draining = false;
  }
  state.changed.notify_all();
  state.room.notify_all();
}

}  // namespace

Consumer::Consumer(BusClient bus, SubscribeOptions options)
    : threads_(std::make_unique<Threads>(bus, std::move(options))) {}
Consumer::~Consumer() { Unsubscribe(); }

void Consumer::Unsubscribe() { threads_->End(); }
void Consumer::Pause() { SetPaused(threads_->state(), true); }
void Consumer::Resume() { SetPaused(threads_->state(), false); }

bool Consumer::Drain(std::chrono::microseconds limit) {
  detail::ConsumerState& state = threads_->state();
  const MutexLock lock(state.mutex);
  state.draining = true;
  state.changed.notify_all();
  return state.clock.WaitUntil(state.idle, state.mutex, state.clock.Now() + limit,
                               [&]() SUMMA_REQUIRES(state.mutex) { return state.Idle(); });
}

std::vector<Finding> Consumer::Failing() const { return threads_->state().events.Failing(); }

bool Consumer::CaughtUp() const {
  const detail::ConsumerState& state = threads_->state();
  const MutexLock lock(state.mutex);
  return state.lanes.items() == 0 && state.pending_acks == 0 &&
         std::all_of(state.readers.begin(), state.readers.end(),
                     [](const auto& reader) { return reader->empty; });
}

std::size_t Consumer::held_messages() const {
  const detail::ConsumerState& state = threads_->state();
  const MutexLock lock(state.mutex);
  return state.lanes.items();
}
std::size_t Consumer::held_bytes() const {
  const detail::ConsumerState& state = threads_->state();
  const MutexLock lock(state.mutex);
  return state.lanes.bytes();
}

}  // namespace summa
