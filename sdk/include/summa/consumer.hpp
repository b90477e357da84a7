// Consuming messages of a bus with a handler:
//
//   #include <summa/message_bus.hpp>
//   summa::MessageBus bus(summa::BusClient(host().FindService(SUMMA_BUS_V1, "bus").service));
//   auto subscription = bus.Subscribe({.topics = {"ledger-account-created"},
//                                      .group = "greeter",
//                                      .consumer = "greeter-1",
//                                      .handler = [](const summa::ConsumedMessage& message) { ...
//                                      }});
//
// Handlers run on `concurrency` threads of the consumer. Messages of one key are handled one at a
// time and in order; a message that fails holds its key until it is tried again, and no other key.
// After max_retries deliveries it goes to the dead letters and its key goes on. Delivery is at
// least once: a handler that writes to the database makes its effect exactly once with
// summa::Inbox. What counts as a failure: SubscribeOptions::handler.
//
// Order per key holds within one reader of the group. Let a reader hold a lease and set
// `exclusive`, so that it holds over a change of readers as well: <summa/leased_consumer.hpp>,
// which plugins use, does so.
#pragma once

#include <ctime>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <summa/backoff.hpp>
#include <summa/bus.hpp>
#include <summa/complaints.hpp>
#include <summa/crash_point.hpp>
#include <summa/guarded_events.hpp>
#include <summa/held_message.hpp>
#include <summa/lanes.hpp>
#include <summa/subscribe_options.hpp>
#include <thread>
#include <utility>
#include <vector>

namespace summa {

class Consumer {
 public:
  // Throws what subscribing throws, SUMMA_E_CONFIG for impossible options.
  Consumer(BusClient bus, SubscribeOptions options)
      : options_(detail::Checked(bus, std::move(options))),
        claim_after_(bus.claim_after()),
        events_(options_.events, options_.group),
        lanes_(options_.max_messages, options_.max_bytes),
        backoff_(options_.retry_base, options_.retry_cap) {
    for (const std::string& topic : options_.topics) {
      auto reader = std::make_unique<Reader>();
      reader->topic = topic;
      reader->index = readers_.size();
      reader->subscription = bus.Subscribe(
          topic, options_.group, options_.consumer,
          SUMMA_BUS_COUNT_STARTS | (options_.exclusive ? std::uint32_t{SUMMA_BUS_EXCLUSIVE} : 0U));
      readers_.push_back(std::move(reader));
    }
    for (auto& reader : readers_) threads_.emplace_back([this, r = reader.get()] { Pump(*r); });
    for (int i = 0; i < options_.concurrency; ++i) threads_.emplace_back([this] { Work(); });
  }
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;
  ~Consumer() { Unsubscribe(); }

  // Ends it: waits for the handlers that run, acknowledges what they did. Messages that wait in
  // memory are delivered again, to this group's next reader. Not from a handler.
  void Unsubscribe() {
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return;
      ended_ = true;
      stop_.store(true);
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    std::unique_lock lock(mutex_);
    FlushAll(lock);
    lock.unlock();
    const Microseconds until = Now() + kLongestReturn;
    for (const auto& reader : readers_) ReturnStarts(*reader, until);
    readers_.clear();
  }

  // No handler starts and nothing more is fetched until Resume(); what is held stays ours.
  void Pause() { SetPaused(true); }
  void Resume() { SetPaused(false); }

  // Fetches no more and waits until everything held is settled. False: the time was over.
  bool Drain(std::chrono::microseconds limit) {
    std::unique_lock lock(mutex_);
    draining_ = true;
    changed_.notify_all();
    return idle_.wait_for(lock, limit, [this] { return Idle(); });
  }

  // Callbacks of `events` that threw or hang; for Plugin::Failing().
  std::vector<Finding> Failing() const { return events_.Failing(); }

  // Everything that was there at the latest poll is settled and acknowledged.
  bool CaughtUp() const {
    const std::lock_guard lock(mutex_);
    const auto empty = [](const auto& reader) { return reader->empty; };
    return lanes_.items() == 0 && pending_acks_ == 0 &&
           std::all_of(readers_.begin(), readers_.end(), empty);
  }

  std::size_t held_messages() const {
    const std::lock_guard lock(mutex_);
    return lanes_.items();
  }
  std::size_t held_bytes() const {
    const std::lock_guard lock(mutex_);
    return lanes_.bytes();
  }

 private:
  using Microseconds = std::chrono::microseconds;
  static constexpr std::size_t kAckBatch = 500;
  static constexpr std::size_t kMostPolled = 1000;
  // While messages are ready, the fetching thread looks so often whether one slow handler keeps
  // them waiting, and wakes another thread.
  static constexpr Microseconds kLookAgain{20'000};
  // Handlers quicker than this are not worth a second thread: waking it costs more.
  static constexpr double kQuickMicroseconds = 20;
  // A recovered message that was begun so often may be what ends the process: it runs alone, so
  // that it cannot take others with it into the dead letters.
  static constexpr std::int64_t kSuspectDeliveries = 2;
  // Deliveries that ended without an answer until a message is given up for that reason.
  static constexpr std::int64_t kMinimumCrashes = 3;
  // For the starts that are taken back when it ends.
  static constexpr Microseconds kLongestReturn = std::chrono::seconds(2);

  struct Reader {
    std::string topic;
    std::size_t index = 0;
    std::unique_ptr<SubscriptionClient> subscription;
    std::vector<std::string> acks;  // handled, not acknowledged yet
    bool flushing = false;
    bool empty = false;         // the latest poll found nothing
    std::int64_t failures = 0;  // consecutive failures of the bus
    detail::Complaints complaints;
  };
  struct Held : detail::HeldMessage {
    Held() = default;
    Held(Reader& of, const summa_bus_delivery& delivery, Microseconds at)
        : HeldMessage(delivery),
          reader(&of),
          claimed_at(at),
          counted(delivery.recovered == 0),
          live(true) {}

    Reader* reader = nullptr;
    Microseconds claimed_at{}, started_at{};
    detail::Complaints::Moment began = 0;
    bool counted = false;  // the bus knows of the start that runs, or comes next
    bool ended = false;    // no start runs, and the bus did not answer to what was said of the last
    bool suspect = false;  // handled alone: its start was counted more than once
    bool again = false, running = false, overdue = false, live = false;
    std::string verdict;  // not empty: it goes to the dead letters for this reason
  };

  // A fetch that WaitForRoom() announced: what it brings is not there yet, and not nothing.
  class Fetching {
   public:
    explicit Fetching(Consumer& consumer) : consumer_(consumer) {}
    Fetching(const Fetching&) = delete;
    Fetching& operator=(const Fetching&) = delete;
    ~Fetching() {
      const std::lock_guard lock(consumer_.mutex_);
      --consumer_.fetching_;
      if (consumer_.Idle()) consumer_.idle_.notify_all();
    }

   private:
    Consumer& consumer_;
  };

  // A message without a key is a lane of its own.
  static std::string_view KeyOf(const Held& held) {
    return held.key().empty() ? held.delivery_id() : held.key();
  }
  static Microseconds Now() {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return std::chrono::duration_cast<Microseconds>(std::chrono::seconds(time.tv_sec) +
                                                    std::chrono::nanoseconds(time.tv_nsec));
  }
  // Under the lock: nothing is held, under way, or to be acknowledged.
  bool Idle() const { return lanes_.items() == 0 && pending_acks_ == 0 && fetching_ == 0; }
  bool Stopping() const { return stop_.load(std::memory_order_relaxed); }

  void SetPaused(bool paused) {
    {
      const std::lock_guard lock(mutex_);
      paused_ = paused;
      if (!paused) draining_ = false;
    }
    changed_.notify_all();
  }

  // --- fetching: one thread per topic ---

  void Pump(Reader& reader) {
    Microseconds next_renewal = Now() + claim_after_ / 3;
    while (!Stopping()) {
      try {
        if (Now() >= next_renewal) {
          next_renewal = Now() + claim_after_ / 3;
          RenewHeld(reader);
        }
        bool ready = false;
        if (const std::size_t room = WaitForRoom(next_renewal, ready)) {
          const Fetching fetching(*this);
          Fetch(reader, room, ready);
        }
        reader.failures = 0;
      } catch (const std::exception& error) {
        if (Stopping()) return;
        events_.Away(error.what());
        std::unique_lock lock(mutex_);
        const Microseconds pause = backoff_.Pause(++reader.failures);
        changed_.wait_for(lock, pause, [this] { return Stopping(); });
      }
    }
  }

  std::size_t WaitForRoom(Microseconds until, bool& ready) {
    std::unique_lock lock(mutex_);
    const auto has_room = [this] { return lanes_.HasRoom() && !paused_ && !draining_; };
    if (!has_room()) {
      const Microseconds time = std::clamp(until - Now(), Microseconds(1000), kLookAgain);
      room_.wait_for(lock, time, [&] { return Stopping() || has_room(); });
      if (lanes_.HasReady()) changed_.notify_one();
    }
    if (Stopping() || !has_room()) return 0;
    ready = lanes_.HasReady();
    ++fetching_;  // until Fetching ends
    // What came so far tells how large messages are: the bytes held stay near their limit.
    const std::size_t by_bytes =
        (options_.max_bytes - std::min(options_.max_bytes, lanes_.bytes())) /
            std::max<std::size_t>(average_bytes_, 1) +
        1;
    return std::min(options_.max_messages - lanes_.items(), by_bytes);
  }

  void Fetch(Reader& reader, std::size_t room, bool ready) {
    const Microseconds claimed_at = Now();
    const auto deliveries = reader.subscription->Poll(std::min(room, kMostPolled),
                                                      ready ? kLookAgain : options_.poll_wait);
    std::vector<Held> fetched;
    fetched.reserve(deliveries.size());
    for (const summa_bus_delivery& delivery : deliveries) {
      fetched.emplace_back(reader, delivery, claimed_at);
    }
    {
      const std::lock_guard lock(mutex_);
      reader.empty = fetched.empty();
      for (Held& held : fetched) Add(reader, std::move(held));
      if (!lanes_.HasReady()) return;
    }
    changed_.notify_one();
  }

  void Add(Reader& reader, Held held) {
    average_bytes_ = (average_bytes_ * 15 + held.size()) / 16;
    // One that this reader still has: its handler was overdue, and the bus delivers it once more.
    if (held.recovered) {
      for (const Held& other : held_) {
        if (other.live && other.reader == &reader && other.delivery_id() == held.delivery_id())
          return;
      }
    }
    held.suspect = held.recovered && held.deliveries >= kSuspectDeliveries;
    const std::string lane = LaneName(reader.topic, KeyOf(held));
    const LaneSet::Ticket ticket = lanes_.Add(lane, reader.index, held.size(), held.suspect);
    if (ticket >= held_.size()) held_.resize(ticket + 1);
    held_[ticket] = std::move(held);
  }

  // What waits in memory longer than claim_after would be taken over by another reader. Handlers
  // past their deadline are not renewed: another one may have the message.
  void RenewHeld(Reader& reader) {
    std::vector<std::string> ids;
    std::vector<LaneSet::Ticket> tickets;
    std::vector<std::string> overdue;
    const Microseconds now = Now();
    {
      const std::lock_guard lock(mutex_);
      for (LaneSet::Ticket ticket = 0; ticket < held_.size(); ++ticket) {
        Held& held = held_[ticket];
        if (!held.live || held.reader != &reader) continue;
        if (held.running && now - held.started_at > options_.handler_deadline) {
          if (!std::exchange(held.overdue, true)) overdue.emplace_back(held.id());
          continue;
        }
        ids.emplace_back(held.delivery_id());
        tickets.push_back(ticket);
      }
    }
    for (const std::string& id : overdue) events_.Overdue(reader.topic, id);
    if (ids.empty()) return;
    std::vector<summa_str> abi_ids;
    abi_ids.reserve(ids.size());
    for (const std::string& id : ids) abi_ids.push_back(ToAbi(id));
    std::vector<std::uint8_t> still(ids.size());
    reader.subscription->Renew(abi_ids, SUMMA_BUS_START_NONE, still);
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      Held& held = held_[tickets[i]];
      if (still[i] != 0 && held.live && held.delivery_id() == ids[i]) held.claimed_at = now;
    }
  }

  // --- handling ---

  void Work() {
    std::unique_lock lock(mutex_);
    while (!Stopping()) {
      std::optional<LaneSet::Ticket> ticket;
      if (!paused_) ticket = lanes_.Take(Now());
      if (!ticket) {
        FlushAll(lock);
        if (!Stopping() && (paused_ || !lanes_.HasReady() || lanes_.running() > 0)) Wait(lock);
        continue;
      }
      if (lanes_.HasReady() && mean_microseconds_ > kQuickMicroseconds) changed_.notify_one();
      Handle(lock, *ticket);
    }
  }

  void Wait(std::unique_lock<std::mutex>& lock) {
    const std::optional<Microseconds> due = lanes_.NextDue();
    Microseconds time = lanes_.items() > 0 ? kLookAgain : options_.poll_wait;
    if (due) time = std::clamp(*due - Now(), Microseconds(0), time);
    changed_.wait_for(lock, time);
  }

  void Handle(std::unique_lock<std::mutex>& lock, LaneSet::Ticket ticket) {
    Held& held = held_[ticket];  // a deque: stays where it is
    held.running = true;
    held.overdue = false;
    held.started_at = Now();
    held.began = ++begun_;
    const bool stale = held.started_at - held.claimed_at > claim_after_ - options_.handler_deadline;
    // Without an answer nobody knows who has it by now.
    const bool unsure = std::exchange(held.ended, false);
    const bool begin = !held.counted || stale || unsure;
    lock.unlock();
    std::string error;
    Outcome outcome = Call(held, begin, error);
    if (outcome == Outcome::kFailed) outcome = Fail(held, error);
    if (outcome == Outcome::kDead) outcome = Bury(held, error);
    lock.lock();
    held.running = false;
    const double took = static_cast<double>((Now() - held.started_at).count());
    mean_microseconds_ += (took - mean_microseconds_) / 16;
    Settle(lock, ticket, outcome, error);
  }

  // kWaits: its key alone is tried again; kAway: so is its topic. Neither counts.
  enum class Outcome { kHandled, kFailed, kDead, kBuried, kGone, kWaits, kAway };

  Outcome Call(Held& held, bool begin, std::string& error) {
    try {
      if (begin && !Begin(held)) return Outcome::kGone;
    } catch (const std::exception& e) {
      error = e.what();
      return BusFailed(held);
    }
    if (!held.verdict.empty() || GivenUp(held)) return Outcome::kDead;
    try {
      options_.handler(View(held));
      return Outcome::kHandled;
    } catch (const Error& e) {
      error = e.what();
      return detail::IsComplaint(e.status()) ? Weigh(held, e, error) : Outcome::kFailed;
    } catch (const std::exception& e) {
      error = e.what();
    } catch (...) {
      error = "an exception that is no std::exception";
    }
    return Outcome::kFailed;
  }

  // The handler says that it is not the message's fault. It may be.
  Outcome Weigh(Held& held, const Error& complaint, std::string& error) {
    const detail::Complaints::Sight sight = Complain(held);
    auto verdict = detail::Verdict::kTopic;
    if (!Stopping()) {
      std::optional<bool> away;
      // Many that say the same need no further witness.
      if (!sight.others) away = Look(complaint);
      verdict = detail::Judge(complaint.status(), sight, away);
    }
    if (verdict == detail::Verdict::kMessage) return Outcome::kFailed;
    if (!EndStart(held)) return Outcome::kGone;
    if (verdict == detail::Verdict::kTopic) return Outcome::kAway;
    error += " (message " + std::string(held.id()) + "; other keys go on)";
    return Outcome::kWaits;
  }
  std::optional<bool> Look(const Error& complaint) const {
    if (!options_.look) return std::nullopt;
    try {
      return options_.look(complaint);
    } catch (const std::exception&) {
      return true;  // whoever cannot look finds nobody there
    }
  }
  // The bus does not do what this message needs; others may need something else of it.
  Outcome BusFailed(Held& held) { return Complain(held).others ? Outcome::kAway : Outcome::kWaits; }
  detail::Complaints::Sight Complain(Held& held) {
    const std::lock_guard lock(mutex_);
    return held.reader->complaints.Complain(KeyOf(held), begun_);
  }

  // Another attempt begins: counts it at the server. False: another reader has the message.
  bool Begin(Held& held) {
    const summa_str id = ToAbi(held.delivery_id());
    std::uint8_t still = 0;
    const bool counts = !held.counted;
    const Microseconds now = Now();
    try {
      held.reader->subscription->Renew(
          {&id, 1}, counts ? SUMMA_BUS_START_BEGINS : SUMMA_BUS_START_NONE, {&still, 1});
    } catch (...) {
      // Without an answer it may be counted. Counted twice it would look like a crash; not at all,
      // a handler that ends the process has one attempt more.
      const std::lock_guard lock(mutex_);
      if (counts) ++held.deliveries;
      held.counted = held.ended = true;
      throw;
    }
    if (still == 0) return false;
    const std::lock_guard lock(mutex_);  // against RenewHeld()
    held.claimed_at = held.started_at = now;
    if (counts) ++held.deliveries;
    held.counted = true;
    return true;
  }

  // The handler ended in good order and blames nobody: its start must not look like a crash. One
  // that cannot be taken back is used for the next attempt. False: another reader has the message.
  bool EndStart(Held& held) {
    {
      const std::lock_guard lock(mutex_);
      if (!held.counted || held.overdue) return true;
    }
    const summa_str id = ToAbi(held.delivery_id());
    std::uint8_t still = 0;
    const Microseconds now = Now();
    try {
      held.reader->subscription->Renew({&id, 1}, SUMMA_BUS_START_ENDED, {&still, 1});
    } catch (const std::exception&) {
      const std::lock_guard lock(mutex_);
      held.ended = true;
      return true;
    }
    if (still == 0) return false;
    const std::lock_guard lock(mutex_);
    held.claimed_at = now;
    held.counted = false;
    --held.deliveries;
    return true;
  }

  // Starts that the bus counted and that were no crash: its reading counted as the first one, which
  // never came, or the handler ended and the bus could not be told. At the end, when no thread is
  // left; for a limited time, and not at all without the bus: they stay counted, which is allowed.
  void ReturnStarts(Reader& reader, Microseconds until) noexcept {
    try {
      for (Held& held : held_) {
        if (!held.live || held.reader != &reader || !held.counted) continue;
        if (held.began != 0 && !held.ended) continue;
        if (Now() >= until) return;
        const summa_str id = ToAbi(held.delivery_id());
        std::uint8_t still = 0;
        reader.subscription->Renew({&id, 1}, SUMMA_BUS_START_ENDED, {&still, 1});
        held.counted = false;
      }
    } catch (const std::exception&) {
      return;
    }
  }

  // Begun again and again, and never answered: the handler ends the process, or hangs.
  bool GivenUp(Held& held) const {
    const std::int64_t most = std::max<std::int64_t>(options_.max_retries, kMinimumCrashes);
    if (!held.recovered || held.again || held.deliveries <= most) return false;
    held.verdict = "delivered " + std::to_string(held.deliveries - 1) +
                   " times, and no handler ever answered: it ends the process or hangs";
    return true;
  }

  ConsumedMessage View(const Held& held) const {
    return {held.reader->topic,
            held.id(),
            held.type(),
            held.key(),
            held.payload(),
            held.timestamp(),
            held.correlation_id(),
            held.position,
            held.deliveries,
            held.started_at + options_.handler_deadline,
            &stop_};
  }

  Outcome Fail(Held& held, const std::string& error) {
    if (held.deliveries < options_.max_retries) {
      events_.Failed(View(held), error);
      return Outcome::kFailed;
    }
    held.verdict = error.empty() ? "the handler failed without a word" : error;
    return Outcome::kDead;
  }

  // The dead letters may be out of reach as well: then it is tried again.
  Outcome Bury(Held& held, std::string& error) {
    try {
      held.reader->subscription->DeadLetter(held.delivery_id(), held.verdict);
    } catch (const std::exception& e) {
      error = "the dead letter of message " + std::string(held.id()) + ": " + e.what();
      return BusFailed(held);
    }
    events_.DeadLettered(View(held), held.verdict);
    return Outcome::kBuried;
  }

  void Settle(std::unique_lock<std::mutex>& lock, LaneSet::Ticket ticket, Outcome outcome,
              const std::string& error) {
    Held& held = held_[ticket];
    Reader& reader = *held.reader;
    if (outcome == Outcome::kFailed) {
      held.again = true;
      held.counted = false;
      lanes_.Retry(ticket, Now() + backoff_.Pause(lanes_.CountFailure(ticket)));
      return;
    }
    if (outcome == Outcome::kAway || outcome == Outcome::kWaits) {
      const Microseconds due = Now() + backoff_.Pause(lanes_.CountFailure(ticket));
      if (outcome == Outcome::kAway) lanes_.PauseGroup(reader.index, due);
      lanes_.Retry(ticket, due);
      lock.unlock();
      events_.Away(error);
      lock.lock();
      return;
    }
    if (outcome == Outcome::kHandled) {
      reader.complaints.Succeeded(KeyOf(held), held.began);
    } else {
      reader.complaints.Settled(KeyOf(held));
    }
    if (outcome == Outcome::kHandled) {
      reader.acks.emplace_back(held.delivery_id());
      ++pending_acks_;
    }
    held.live = false;
    held.verdict.clear();
    const bool was_full = !lanes_.HasRoom();
    const bool suspect = held.suspect;
    lanes_.Done(ticket);
    if (was_full || lanes_.items() * 2 == options_.max_messages) room_.notify_all();
    // At once after a suspect: were the next one to end the process, it would look guilty again.
    const std::size_t enough = suspect ? 1 : kAckBatch;
    if (reader.acks.size() >= enough) Flush(lock, reader);
    if (Idle()) idle_.notify_all();
  }

  // --- acknowledging: by whichever thread finds that there is something ---

  void FlushAll(std::unique_lock<std::mutex>& lock) {
    for (auto& reader : readers_) {
      if (!reader->acks.empty()) Flush(lock, *reader);
    }
  }

  void Flush(std::unique_lock<std::mutex>& lock, Reader& reader) {
    if (reader.flushing) return;
    reader.flushing = true;
    std::vector<std::string> acks = std::exchange(reader.acks, {});
    lock.unlock();
    bool done = true;
    try {
      CrashPoint("consumer.ack");
      std::vector<summa_str> ids;
      ids.reserve(acks.size());
      for (const std::string& id : acks) ids.push_back(ToAbi(id));
      reader.subscription->Ack(ids);
    } catch (const std::exception& error) {
      done = false;
      events_.Away(error.what());
    }
    lock.lock();
    reader.flushing = false;
    if (done) {
      pending_acks_ -= acks.size();
      if (Idle()) idle_.notify_all();
    } else {  // with the next ones; without an answer they come again, which is allowed
      reader.acks.insert(reader.acks.end(), std::make_move_iterator(acks.begin()),
                         std::make_move_iterator(acks.end()));
      if (!Stopping()) changed_.wait_for(lock, Microseconds(50'000));
    }
  }

  SubscribeOptions options_;
  const Microseconds claim_after_;
  detail::GuardedEvents events_;
  std::atomic<bool> stop_{false};

  mutable std::mutex mutex_;
  std::condition_variable changed_, room_, idle_;
  LaneSet lanes_;
  std::deque<Held> held_;  // by ticket
  const Backoff backoff_;
  detail::Complaints::Moment begun_ = 0;  // handlers
  std::size_t average_bytes_ = 1024;
  std::size_t pending_acks_ = 0;
  std::size_t fetching_ = 0;         // readers that poll
  double mean_microseconds_ = 1000;  // not quick until that is known
  bool paused_ = false, draining_ = false, ended_ = false;

  std::vector<std::unique_ptr<Reader>> readers_;
  std::vector<std::thread> threads_;
};

}  // namespace summa
