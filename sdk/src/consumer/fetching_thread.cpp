#include "fetching_thread.hpp"

#include <algorithm>
#include <summa/error.hpp>
#include <utility>

namespace summa::detail {
namespace {

constexpr std::size_t kMaxPolled = 1000;
// A recovered message that was started this often may be what ends the process: it runs alone, so
// that it cannot take others with it into the dead letters.
constexpr std::int64_t kSuspectDeliveries = 2;
constexpr Microseconds kShortestWait{1000};
// Memory of messages that are done, for those to come: small ones only, which are many.
constexpr std::size_t kSpareTexts = kMaxPolled;
constexpr std::size_t kSpareBytes = 1024;

// A fetch that WaitForRoom() announced: its result is not there yet, which is not the same as
// empty.
class Fetching {
 public:
  explicit Fetching(ConsumerState& state) : state_(state) {}
  Fetching(const Fetching&) = delete;
  Fetching& operator=(const Fetching&) = delete;
  ~Fetching() {
    const MutexLock lock(state_.mutex);
    --state_.fetching;
    if (state_.Idle()) state_.idle.notify_all();
  }

 private:
  ConsumerState& state_;
};

// Messages of a reader that are to be renewed: they wait, or are handled within their deadline.
struct Renewal {
  std::vector<std::string> ids;
  std::vector<LaneSet::Ticket> tickets;
  std::vector<std::string> overdue;  // message ids of those that are not, seen for the first time
};

Renewal ToRenew(ConsumerState& state, const TopicReader& reader, Microseconds now)
    SUMMA_REQUIRES(state.mutex) {
  Renewal renewal;
  for (LaneSet::Ticket ticket = 0; ticket < state.held.size(); ++ticket) {
    Held& held = state.held[ticket];
    if (!held.live || held.reader != &reader) continue;
    if (held.running && now - held.started_at > state.options.handler_deadline) {
      if (!std::exchange(held.overdue, true)) renewal.overdue.emplace_back(held.id());
      continue;
    }
    renewal.ids.emplace_back(held.delivery_id());
    renewal.tickets.push_back(ticket);
  }
  return renewal;
}

}  // namespace

FetchingThread::FetchingThread(ConsumerState& state, TopicReader& reader)
    : state_(state), reader_(reader) {
  spare_texts_.reserve(kSpareTexts);
}

void FetchingThread::Run() {
  next_renewal_ = state_.clock.Now() + state_.claim_after / 3;
  while (!state_.Stopping()) {
    try {
      FetchOnce();
      failures_ = 0;
    } catch (const std::exception& error) {
      if (state_.Stopping()) return;
      state_.events.Away(error.what());
      WaitAfterFailure();
    }
  }
}

void FetchingThread::FetchOnce() {
  if (!state_.claims()) {
    SubscribeIfMissing();
    DropRevoked();
  }
  if (state_.clock.Now() >= next_renewal_) {
    next_renewal_ = state_.clock.Now() + state_.claim_after / 3;
    RenewHeld();
  }
  const Room room = WaitForRoom();
  if (room.messages == 0) return;
  const Fetching fetching(state_);
  Fetch(room);
}

void FetchingThread::WaitAfterFailure() {
  const MutexLock lock(state_.mutex);
  const Microseconds pause = state_.Pause(++failures_);
  state_.clock.WaitUntil(state_.changed, state_.mutex, state_.clock.Now() + pause,
                         [this] { return state_.Stopping(); });
}

// What waits behind a message that takes long is handled and comes again all the same when the
// process dies: only this much of it.
bool FetchingThread::HasRoom() const {
  return state_.lanes.HasRoom() && reader_.handled.open() < state_.options.max_messages &&
         !state_.paused && !state_.draining;
}

FetchingThread::Room FetchingThread::WaitForRoom() {
  const SubscribeOptions& options = state_.options;
  const MutexLock lock(state_.mutex);
  if (!HasRoom()) {
    const Microseconds now = state_.clock.Now();
    const Microseconds time = std::clamp(next_renewal_ - now, kShortestWait, kPollInterval);
    state_.clock.WaitUntil(
        state_.room, state_.mutex, now + time,
        [this]() SUMMA_REQUIRES(state_.mutex) { return state_.Stopping() || HasRoom(); });
    if (state_.lanes.HasReady()) state_.changed.notify_one();
  }
  if (state_.Stopping() || !HasRoom()) return {};
  ++state_.fetching;  // until Fetching ends
  // What came so far tells how large messages are: the bytes held stay near their limit.
  const std::size_t by_bytes =
      (options.max_bytes - std::min(options.max_bytes, state_.lanes.bytes())) /
          std::max<std::size_t>(state_.average_bytes, 1) +
      1;
  return {std::min(options.max_messages - state_.lanes.items(), by_bytes), state_.lanes.HasReady()};
}

void FetchingThread::Fetch(const Room& room) {
  const Microseconds claimed_at = state_.clock.Now();
  const auto deliveries = reader_.subscription->Poll(
      std::min(room.messages, kMaxPolled), room.ready ? kPollInterval : state_.options.poll_wait);
  try {
    TakeNote(deliveries, claimed_at);
  } catch (...) {
    // Settling a later message would settle what was delivered here and is not known.
    if (!state_.claims()) EndSubscription();
    throw;
  }
}

void FetchingThread::EndSubscription() noexcept {
  std::shared_ptr<SubscriptionClient> ended;  // without the lock
  const MutexLock lock(state_.mutex);
  ended.swap(reader_.subscription);
  state_.Drop(reader_, std::nullopt);
}

void FetchingThread::SubscribeIfMissing() {
  {
    const MutexLock lock(state_.mutex);
    if (reader_.subscription != nullptr) return;
  }
  std::shared_ptr<SubscriptionClient> fresh = state_.Subscribe(reader_.topic);
  const MutexLock lock(state_.mutex);
  reader_.subscription = std::move(fresh);
}

void FetchingThread::DropRevoked() {
  const auto partitions = reader_.subscription->Revoked();
  if (partitions.empty()) return;
  const MutexLock lock(state_.mutex);
  for (const std::uint32_t partition : partitions) state_.Drop(reader_, partition);
}

void FetchingThread::TakeNote(std::span<const summa_bus_delivery> deliveries,
                              Microseconds claimed_at) {
  std::vector<Held> fetched;
  fetched.reserve(deliveries.size());
  for (const summa_bus_delivery& delivery : deliveries) {
    fetched.emplace_back(reader_, delivery, claimed_at, state_.counts(), SpareText());
    Remember(fetched.back());
  }
  {
    const MutexLock lock(state_.mutex);
    reader_.empty = fetched.empty();
    for (Held& held : fetched) Add(std::move(held));
    if (!state_.lanes.HasReady()) return;
  }
  state_.changed.notify_one();
}

std::string FetchingThread::SpareText() {
  if (spare_texts_.empty()) return {};
  std::string text = std::move(spare_texts_.back());
  spare_texts_.pop_back();
  return text;
}

void FetchingThread::KeepMemoryOf(Held& done) {
  if (spare_texts_.size() >= kSpareTexts || done.size() > kSpareBytes) return;
  spare_texts_.push_back(done.TakeMemory());
}

// What an earlier consumer knew of the message.
void FetchingThread::Remember(Held& held) {
  if (state_.options.memory == nullptr) return;
  const DeliveryMemory::Entry known =
      state_.options.memory->Take(reader_.topic, held.partition, held.delivery_id());
  if (!state_.counts()) held.deliveries += known.attempts;
  held.handled = known.handled && !state_.claims();
}

void FetchingThread::Add(Held held) {
  state_.average_bytes = (state_.average_bytes * 15 + held.size()) / 16;
  if ((held.recovered || !state_.claims()) && HasAlready(held)) return;
  // Before anything knows of it: from here on nothing is missing when there is no memory.
  if (state_.held.size() <= state_.lanes.tickets()) {
    state_.held.resize(state_.lanes.tickets() + 1);
  }
  held.number = reader_.handled.Given(held.partition, held.delivery_id());
  if (held.handled) {
    reader_.handled.Add(held.partition, held.number, held.delivery_id());
    ++state_.pending_acks;
    return;
  }
  held.suspect = held.recovered && held.deliveries >= kSuspectDeliveries;
  WriteLaneName(reader_.topic, held.order_key(), lane_name_);
  const LaneSet::Ticket ticket =
      state_.lanes.Add(lane_name_, reader_.index, held.size(), held.suspect);
  KeepMemoryOf(state_.held[ticket]);
  state_.held[ticket] = std::move(held);
}

// The bus delivers it once more: its handler was overdue, or it has no claims and delivers again
// within a subscription.
bool FetchingThread::HasAlready(const Held& held) const {
  if (!state_.claims()) return reader_.handled.Knows(held.partition, held.delivery_id());
  return std::any_of(state_.held.begin(), state_.held.end(), [&](const Held& other) {
    return other.live && other.reader == &reader_ && other.delivery_id() == held.delivery_id();
  });
}

// What waits in memory longer than claim_after would be taken over by another reader. Handlers
// past their deadline are not renewed: another one may have the message.
void FetchingThread::RenewHeld() {
  const Microseconds now = state_.clock.Now();
  Renewal renewal;
  {
    const MutexLock lock(state_.mutex);
    renewal = ToRenew(state_, reader_, now);
  }
  for (const std::string& id : renewal.overdue) state_.events.Overdue(reader_.topic, id);
  if (renewal.ids.empty() || !state_.claims()) return;
  std::vector<summa_str> ids;
  ids.reserve(renewal.ids.size());
  for (const std::string& id : renewal.ids) ids.push_back(ToAbi(id));
  std::vector<std::uint8_t> still(ids.size());
  reader_.subscription->Renew(ids, SUMMA_BUS_START_NONE, still);
  const MutexLock lock(state_.mutex);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    Held& held = state_.held[renewal.tickets[i]];
    if (still[i] != 0 && held.live && held.delivery_id() == renewal.ids[i]) held.claimed_at = now;
  }
}

}  // namespace summa::detail
