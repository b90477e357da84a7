#include "handling_thread.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "acknowledge.hpp"

namespace summa::detail {
namespace {

constexpr std::size_t kAckBatch = 500;
// Handlers quicker than this are not worth a second thread: waking it costs more.
constexpr double kQuickMicroseconds = 20;

// Whether the bus must be told before the handler starts. Records that it starts now.
bool MarkAsRunning(ConsumerState& state, Held& held, Microseconds now) SUMMA_REQUIRES(state.mutex) {
  held.running = true;
  held.overdue = false;
  held.started_at = now;
  held.began = ++state.begun;
  const bool stale =
      held.started_at - held.claimed_at > state.claim_after - state.options.handler_deadline;
  // Without an answer it is unknown who has it by now.
  const bool unsure = std::exchange(held.ended, false);
  return !held.counted || stale || unsure;
}

// Gives the lock up meanwhile.
Outcome RunAttempt(ConsumerState& state, Attempt& attempt, bool begin) SUMMA_REQUIRES(state.mutex) {
  const MutexUnlock unlock(state.mutex);
  return attempt.Run(begin);
}

}  // namespace

void HandlingThread::Run() {
  const MutexLock lock(state_.mutex);
  ++state_.awake;
  while (!state_.Stopping()) {
    std::optional<LaneSet::Ticket> ticket;
    const Microseconds now = state_.clock.Now();
    if (!state_.paused) ticket = state_.lanes.Take(now);
    if (!ticket) {
      AcknowledgeAll(state_);
      const bool nothing = state_.paused || !state_.lanes.HasReady() || state_.lanes.running() > 0;
      if (!state_.Stopping() && nothing) Wait();
      continue;
    }
    if (state_.lanes.HasReady() && state_.mean_microseconds > kQuickMicroseconds) {
      state_.changed.notify_one();
    }
    Handle(*ticket, now);
  }
}

void HandlingThread::Wait() {
  --state_.awake;
  do {
    const Microseconds now = state_.clock.Now();
    const std::optional<Microseconds> due = state_.lanes.NextDue();
    Microseconds time = state_.lanes.items() > 0 ? kPollInterval : state_.options.poll_wait;
    if (due) time = std::clamp(*due - now, Microseconds(0), time);
    state_.clock.Wait(state_.changed, state_.mutex, now + time);
  } while (OthersAreEnough());
  ++state_.awake;
}

// Where handlers are quick, a second thread would only wait for the lock. The first one is not
// enough when its handler does not return.
bool HandlingThread::OthersAreEnough() const {
  return !state_.Stopping() && state_.awake > 0 && state_.mean_microseconds <= kQuickMicroseconds &&
         state_.clock.Now() - state_.last_ended < kPollInterval / 4;
}

void HandlingThread::Handle(LaneSet::Ticket ticket, Microseconds now) {
  Held& held = state_.held[ticket];
  if (held.lost) return Done(ticket, Outcome::kGone);
  const bool begin = MarkAsRunning(state_, held, now);
  Attempt attempt(state_, held);
  const Outcome outcome = RunAttempt(state_, attempt, begin);
  held.running = false;
  state_.last_ended = state_.clock.Now();
  const double took = static_cast<double>((state_.last_ended - held.started_at).count());
  state_.mean_microseconds += (took - state_.mean_microseconds) / 16;
  Settle(ticket, held.lost ? Outcome::kGone : outcome, attempt.error());
}

void HandlingThread::Settle(LaneSet::Ticket ticket, Outcome outcome, const std::string& error) {
  switch (outcome) {
    case Outcome::kFailed:
      TryAgain(ticket, outcome);
      return;
    case Outcome::kWaits:
    case Outcome::kAway: {
      TryAgain(ticket, outcome);
      const MutexUnlock unlock(state_.mutex);
      state_.events.Away(error);
      return;
    }
    default:
      Done(ticket, outcome);
  }
}

void HandlingThread::TryAgain(LaneSet::Ticket ticket, Outcome outcome) {
  Held& held = state_.held[ticket];
  if (outcome == Outcome::kFailed) {
    held.again = true;
    held.counted = false;
  }
  LaneSet& lanes = state_.lanes;
  const Microseconds due = state_.clock.Now() + state_.Pause(lanes.CountFailure(ticket));
  if (outcome == Outcome::kAway) lanes.PauseGroup(held.reader->index, due);
  lanes.Retry(ticket, due);
}

void HandlingThread::Done(LaneSet::Ticket ticket, Outcome outcome) {
  Held& held = state_.held[ticket];
  TopicReader& reader = *held.reader;
  if (outcome == Outcome::kHandled) {
    reader.transient_failures.Succeeded(held.order_key(), held.began);
  } else {
    reader.transient_failures.Settled(held.order_key());
  }
  const bool dead_lettered = outcome == Outcome::kDeadLettered && !state_.dead_letters_whole();
  if (outcome == Outcome::kHandled || dead_lettered) {
    reader.handled.Add(held.partition, held.number, held.delivery_id());
    ++state_.pending_acks;
  }
  if (!held.give_up_reason.empty()) state_.events.SetRefused(reader.topic, held.id(), "");
  held.live = false;
  held.give_up_reason.clear();
  LaneSet& lanes = state_.lanes;
  const bool was_full = !lanes.HasRoom();
  // Immediately after a suspect: if the next one ended the process, the suspect would be blamed
  // again.
  const std::size_t enough = held.suspect ? 1 : kAckBatch;
  lanes.Done(ticket);
  if (was_full || lanes.items() * 2 == state_.options.max_messages) state_.room.notify_all();
  if (reader.handled.messages() >= enough) Acknowledge(state_, reader);
  if (state_.Idle()) state_.idle.notify_all();
}

}  // namespace summa::detail
