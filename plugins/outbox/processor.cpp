#include "processor.hpp"

#include <algorithm>
#include <map>
#include <summa/assert.hpp>
#include <summa/crash_point.hpp>
#include <utility>

namespace summa::outbox {
namespace {

// After work: how soon the next rows are looked for.
constexpr Microseconds kPollSoon = std::chrono::milliseconds(1);

}  // namespace

Processor::Processor(Host host, ProcessorSettings settings, BusClient bus)
    : host_(host),
      settings_(std::move(settings)),
      table_(settings_.outbox),
      publisher_(bus, settings_.outbox),
      recorder_(host, table_, settings_.outbox),
      backoff_(settings_.retry_base, settings_.retry_cap),
      metrics_(host, settings_.outbox.sink),
      problems_(settings_.outbox.sink) {}

TickResult Processor::Run(const Tick& tick) {
  try {
    return RunOnce(tick);
  } catch (...) {
    // Its progress is unknown: the next tick looks at everything.
    full_poll_wanted_ = true;
    throw;
  }
}

TickResult Processor::RunOnce(const Tick& tick) {
  // Not by new_lease(), which stays true until a tick succeeded: what is confirmed under this fence
  // must not be forgotten because marking it failed.
  if (fence_ != tick.fence()) {
    Forget();
    fence_ = tick.fence();
  }
  const BootTime now = host_.BootNow();
  problems_.Refresh(now);
  if (lanes_.Expire(now)) full_poll_wanted_ = true;
  const bool one_stream_paused =
      settings_.outbox.route != "topic" && lanes_.Paused(settings_.outbox.route);
  if (sink_paused_until_ > now || one_stream_paused) return Result(0, false, tick.once());
  sink_paused_until_ = BootTime();

  Session session(tick.sql());
  if (tick.new_lease()) table_.CheckPrivileges(session);
  if (!prepared_) Prepare(session);
  recorder_.MarkConfirmed(session);
  if (recorder_.remembered() || (!problems_.refused().empty() && now >= next_marks_)) {
    MarkRemembered(session, tick);
  }
  FullPollDue(session, now);
  if (NothingNew(session)) return Result(0, false, tick.once());

  const bool everything = full_poll_wanted_;
  const std::vector<Row> rows = Poll(session);
  if (!rows.empty()) CrashPoint("outbox.polled");
  const bool backlog = static_cast<std::int64_t>(rows.size()) > settings_.outbox.batch_size;
  std::int64_t delivered =
      backlog ? DrainBacklog(session, tick) : Deliver(session, rows, tick, false);
  if (!backlog && !tick.ShouldStop() && sink_paused_until_ == BootTime()) {
    Passed(session, everything);
  }
  delivered += SendWaiting(session, tick);
  const bool more = !rows.empty() || !lanes_.Released(1).empty();
  idle_ = !more;
  if (idle_) metrics_.empty_polls.Add();
  if (tick.once()) ObservePending(session);
  return Result(delivered, more, tick.once());
}

void Processor::Forget() {
  lanes_ = Lanes();
  horizon_ = Horizon();
  problems_.Forget();
  prepared_ = false;
  snapshot_.clear();
  idle_ = false;
  full_poll_wanted_ = true;
  low_.reset();
  next_horizon_ = BootTime();
  sink_paused_until_ = BootTime();
  sink_faults_ = 0;
  recorder_.Forget();
}

void Processor::Prepare(Session& session) {
  SinkState state = table_.ReadSink(session);
  session.Begin();
  table_.Reroute(session);
  if (settings_.outbox.observe && !state.observed_until) {
    table_.BeginObserving(session, kSettledMargin);
  }
  session.Commit();
  CrashPoint("outbox.prepared");
  state = table_.ReadSink(session);
  keeping_ = settings_.outbox.observe ? Keeping::kObserve
             : state.observed_until   ? Keeping::kHandOver
                                      : Keeping::kOwn;
  recorder_.SetKeeping(keeping_);
  observed_until_ = state.observed_until.value_or(DatabaseTime());
  foreign_marks_ = recorder_.foreign_marks();
  foreign_seen_ = host_.BootNow();
  prepared_ = true;
}

void Processor::MarkRemembered(Session& session, const Tick& tick) {
  std::vector<Refusal> refused;
  // Summa's processor marks what is only observed.
  while (keeping_ != Keeping::kObserve && !tick.ShouldStop()) {
    // More than can be refused, so that the others have their turn.
    const std::vector<Uuid> ids =
        table_.ReadComplete(session, static_cast<std::int64_t>(2 * kMaxRefusals));
    refused = WriteApart(session, ids, "SH-0511", [&](std::span<const Uuid> part) {
                return table_.Mark(session, part);
              }).refused;
    if (ids.size() == refused.size()) break;
  }
  if (tick.ShouldStop()) return;
  recorder_.RememberedAreMarked();
  const BootTime now = host_.BootNow();
  next_marks_ = now + kRefusedInterval;
  metrics_.refused_rows.Set(static_cast<double>(refused.size()));
  const std::string listed = Listed(refused);
  if (problems_.Refused(std::move(refused), now)) {
    host_.Log(SUMMA_LOG_ERROR, "SH-0511",
              "rows were delivered, and the ledger refuses to mark them",
              {{"sink", settings_.outbox.sink}, {"rows", listed}});
  }
}

bool Processor::NothingNew(Session& session) {
  if (!idle_ || full_poll_wanted_ || !lanes_.Released(1).empty()) {
    snapshot_.clear();
    return false;
  }
  // Taken before the read, so that a commit in between is seen as a change the next time.
  std::string snapshot = table_.Snapshot(session);
  const bool unchanged = snapshot == snapshot_;
  snapshot_ = std::move(snapshot);
  return unchanged;
}

void Processor::FullPollDue(Session& session, BootTime now) {
  if (!full_poll_wanted_) {
    if (now < next_full_poll_) return;
    // Nothing was committed since the last one: no late row can be there to be found.
    if (table_.Snapshot(session) == full_poll_snapshot_ && keeping_ != Keeping::kHandOver) {
      next_full_poll_ = now + kFullPollInterval;
      return;
    }
  }
  full_poll_wanted_ = true;
  lanes_.SetBlocked(table_.BlockedLanes(session));
  lanes_.SetBackedUp(table_.WaitingLanes(session));
  counters_.blocked_keys = static_cast<std::int64_t>(lanes_.blocked_count());
  metrics_.blocked_keys.Set(static_cast<double>(lanes_.blocked_count()));
  problems_.Blocked(counters_.blocked_keys, now);
}

std::vector<Row> Processor::Poll(Session& session) {
  if (full_poll_wanted_) return PollEverything(session);
  UpdateHorizon(session);
  poll_time_ = ServerNow();
  return table_.Poll(session, keeping_, Bounds(false));
}

std::vector<Row> Processor::PollEverything(Session& session) {
  const BootTime started = host_.BootNow();
  full_poll_snapshot_ = table_.Snapshot(session);
  const DatabaseTime server_now = table_.Now(session);
  server_at_boot_ = server_now - started.time_since_epoch();
  poll_time_ = server_now;
  std::vector<Row> rows = table_.Poll(session, keeping_, Bounds(true));
  DatabaseTime oldest = server_now;
  for (const Row& row : rows) oldest = std::min(oldest, row.created_at);
  low_ = oldest - kLateCommitMargin;
  full_poll_wanted_ = false;
  ObservePending(session);
  const BootTime finished = host_.BootNow();
  next_full_poll_ =
      finished + std::max(kFullPollInterval, kFullPollCostFactor * (finished - started));
  return rows;
}

Range Processor::Bounds(bool everything) const {
  Range range;
  if (!everything) range.created_from = low_;
  range.settled_from = everything || !low_ ? observed_until_ - kSettledMargin : *low_;
  range.paused_streams = lanes_.PausedStreams();
  range.needs_sent_rows = NeedsSentRows();
  return range;
}

void Processor::UpdateHorizon(Session& session) {
  const BootTime now = host_.BootNow();
  if (now < next_horizon_) return;
  next_horizon_ = now + kHorizonInterval;
  horizon_.Update(table_.ReadOpenTransactions(session));
}

void Processor::Passed(Session& session, bool everything) {
  const DatabaseTime late = poll_time_ - kLateCommitMargin;
  low_ = std::max({low_.value_or(late), late, horizon_.time().value_or(late)});
  if (!everything || keeping_ == Keeping::kOwn || !lanes_.PausedStreams().empty()) return;
  session.Begin();
  table_.RecordObserved(session, poll_time_);
  session.Commit();
  observed_until_ = poll_time_;
  if (keeping_ == Keeping::kHandOver) HandOver(session);
}

void Processor::HandOver(Session& session) {
  const BootTime now = host_.BootNow();
  if (std::exchange(foreign_marks_, recorder_.foreign_marks()) != recorder_.foreign_marks()) {
    foreign_seen_ = now;
  }
  if (now - foreign_seen_ < kHandOverQuiet || lanes_.any_backed_up()) return;
  session.Begin();
  table_.EndHandOver(session);
  session.Commit();
  CrashPoint("outbox.handed_over");
  keeping_ = Keeping::kOwn;
  recorder_.SetKeeping(keeping_);
  full_poll_wanted_ = true;
  host_.Info("the hand-over from Summa's own processor is complete",
             {{"sink", settings_.outbox.sink}});
}

std::int64_t Processor::DrainBacklog(Session& session, const Tick& tick) {
  table_.OpenBacklog(session, keeping_, Bounds(true));
  recorder_.BeginBehind(tick.sql());
  std::int64_t delivered = 0;
  try {
    // Lanes are not released while the list is read: their earlier rows come before it.
    while (!tick.ShouldStop() && sink_paused_until_ == BootTime()) {
      std::size_t fetched = 0;
      const std::vector<Row> page = table_.NextPage(session, keeping_, &fetched);
      if (fetched == 0) break;
      delivered += Deliver(session, page, tick, false);
    }
    recorder_.EndBehind();
  } catch (...) {
    recorder_.Abandon();
    throw;
  }
  table_.CloseBacklog(session);
  full_poll_wanted_ = true;
  return delivered;
}

std::int64_t Processor::SendWaiting(Session& session, const Tick& tick) {
  if (tick.ShouldStop() || sink_paused_until_ > BootTime()) return 0;
  const std::vector<Lane> lanes = lanes_.Released(kLanesTogether);
  if (lanes.empty()) return 0;
  WaitingRows waiting = table_.ReadWaiting(session, keeping_, lanes, NeedsSentRows());
  // Only this thread can add rows of them to the table, after this.
  for (const Lane& lane : waiting.empty) lanes_.Emptied(lane);
  const std::int64_t delivered = Deliver(session, waiting.rows, tick, true);
  Outcome outcome;
  outcome.waiting = true;
  outcome.done = std::move(waiting.done);
  recorder_.Record(session, outcome);
  return delivered;
}

std::int64_t Processor::Deliver(Session& session, const std::vector<Row>& rows, const Tick& tick,
                                bool waiting) {
  SUMMA_ASSERT(fence_ == tick.fence());  // the lease that all we know was learned under
  std::vector<const Row*> open;
  open.reserve(rows.size());
  for (const Row& row : rows) open.push_back(&row);
  std::int64_t delivered = 0;
  while (!open.empty() && !tick.ShouldStop()) {
    const BootTime started = host_.BootNow();
    CrashPoint("outbox.publish");
    const Delivery delivery = publisher_.Publish(open, lanes_, waiting);
    CrashPoint("outbox.confirmed");
    SUMMA_ASSERT(delivery.delivered.size() + delivery.faults.size() + delivery.unsent.size() +
                     delivery.parked.size() <=
                 open.size());
    SUMMA_ASSERT(!waiting || delivery.parked.empty());
    metrics_.publish_seconds.Observe(static_cast<double>((host_.BootNow() - started).count()) /
                                     1e6);
    // The lanes first: what comes next must not overtake a row that failed, written or not.
    for (const RowFault& fault : delivery.faults) HoldFault(fault);
    PauseStreams(delivery);
    recorder_.Record(session, OutcomeOf(delivery, waiting));
    Count(delivery);
    delivered += static_cast<std::int64_t>(delivery.delivered.size());
    if (!delivery.bus_error.empty()) {
      PauseSink(delivery.bus_error, delivery.bus_hint);
      break;
    }
    const bool progress =
        !delivery.delivered.empty() || !delivery.faults.empty() || !delivery.stream_faults.empty();
    if (!progress && !delivery.unsent.empty()) {
      PauseSink("the bus answered, but sent nothing and gave no reason", "");
      break;
    }
    if (progress && std::exchange(sink_faults_, 0) > 0) {
      host_.Info("the bus accepts messages again", {{"sink", settings_.outbox.sink}});
      problems_.SinkWorks();
    }
    open = delivery.unsent;
  }
  return delivered;
}

Outcome Processor::OutcomeOf(const Delivery& delivery, bool waiting) const {
  Outcome outcome;
  outcome.waiting = waiting;
  outcome.confirmed.reserve(delivery.delivered.size());
  for (const Row* row : delivery.delivered) outcome.confirmed.push_back(row->id);
  outcome.faults.reserve(delivery.faults.size());
  for (const RowFault& fault : delivery.faults) outcome.faults.push_back({*fault.row, fault.error});
  outcome.parked.reserve(delivery.parked.size());
  for (const Row* row : delivery.parked) {
    outcome.parked.push_back(ToParked(*row, settings_.outbox));
  }
  return outcome;
}

void Processor::Count(const Delivery& delivery) {
  const DatabaseTime server_now = ServerNow();
  std::map<std::string_view, double> topics;
  for (const Row* row : delivery.delivered) {
    const std::chrono::duration<double> age =
        std::max(Microseconds(0), server_now - row->created_at);
    metrics_.end_to_end_seconds.Observe(age.count());
    lanes_.Succeeded(settings_.outbox.StreamOf(row->topic));
    problems_.StreamWorks(settings_.outbox.StreamOf(row->topic));
    ++topics[row->topic];
  }
  for (const auto& [topic, count] : topics) metrics_.Delivered(std::string(topic), count);
  const auto count = static_cast<std::int64_t>(delivery.delivered.size());
  counters_.delivered += count;
  counters_.pending = std::max<std::int64_t>(0, counters_.pending - count);
  for (const Row* row : delivery.parked) {
    lanes_.BackUp({settings_.outbox.StreamOf(row->topic), row->key});
  }
}

void Processor::PauseStreams(const Delivery& delivery) {
  for (const auto& [stream, error] : delivery.stream_faults) {
    const std::int64_t attempt = lanes_.StreamFaults(stream);
    const BootTime now = host_.BootNow();
    const BootTime until = now + backoff_.Pause(attempt);
    lanes_.PauseStream(stream, until);
    problems_.StreamFailed(stream, error, now, until);
    host_.Warn("SH-0502", "a stream accepts no messages; it is tried again",
               {{"stream", stream}, {"error", error}, {"attempt", std::to_string(attempt)}});
  }
}

void Processor::HoldFault(const RowFault& fault) {
  const Row& row = *fault.row;
  const Lane lane{settings_.outbox.StreamOf(row.topic), row.key};
  const std::int64_t attempt = row.retry_count + 1;
  if (attempt < settings_.outbox.max_retries) {
    lanes_.HoldUntil(lane, host_.BootNow() + backoff_.Pause(attempt));
    lanes_.BackUp(lane);
    ++counters_.retried;
    metrics_.Retried(row.topic);
    host_.Warn("SH-0503", "a row was refused by the bus; only its key waits",
               {{"id", ToText(row.id)},
                {"topic", row.topic},
                {"attempt", std::to_string(attempt)},
                {"error", fault.error}});
    return;
  }
  ++counters_.dead_lettered;
  metrics_.Dead(row.topic);
  if (settings_.outbox.block_key_on_dead_letter) {
    lanes_.Block(lane);
    lanes_.BackUp(lane);
    counters_.blocked_keys = static_cast<std::int64_t>(lanes_.blocked_count());
    metrics_.blocked_keys.Set(static_cast<double>(lanes_.blocked_count()));
    problems_.Blocked(counters_.blocked_keys, host_.BootNow());
  }
  host_.Log(SUMMA_LOG_ERROR, "SH-0504", "a row went to the dead letter queue",
            {{"id", ToText(row.id)},
             {"topic", row.topic},
             {"attempts", std::to_string(attempt)},
             {"error", fault.error},
             {"key", settings_.outbox.block_key_on_dead_letter ? "blocked" : "continues"}});
}

void Processor::PauseSink(const std::string& error, const std::string& hint) {
  ++sink_faults_;
  sink_error_ = error;
  const BootTime now = host_.BootNow();
  sink_paused_until_ = now + backoff_.Pause(sink_faults_);
  problems_.SinkFailed(error, hint, now, sink_paused_until_);
  full_poll_wanted_ = true;
  if (sink_faults_ == 1) {
    host_.Warn("SH-0501", "the bus cannot be reached; rows wait, nothing is lost",
               {{"sink", settings_.outbox.sink}, {"error", error}, {"hint", hint}});
  }
}

void Processor::ObservePending(Session& session) {
  const std::vector<TopicCount> topics = table_.CountPending(session);
  std::int64_t pending = 0;
  for (const TopicCount& topic : topics) pending += topic.messages;
  counters_.pending = pending;
  metrics_.Pending(topics);
  metrics_.DeadLetters(table_.CountDeadLetters(session));
}

TickResult Processor::Result(std::int64_t items, bool backlog, bool once) const {
  TickResult result;
  result.items = items;
  const BootTime now = host_.BootNow();
  std::optional<BootTime> due = lanes_.NextDue();
  if (sink_paused_until_ > now) due = sink_paused_until_;
  if (due) result.wait_hint = std::max(Microseconds(0), *due - now);
  // Where there was work, there is soon more.
  if (items > 0) result.wait_hint = std::min(result.wait_hint.value_or(kPollSoon), kPollSoon);
  result.backlog = backlog && sink_paused_until_ <= now;
  if (!once) return result;
  // A run that ends must not report success while rows wait for a bus or stream that accepts none.
  if (sink_paused_until_ > now) {
    throw Error(SUMMA_E_UNAVAILABLE, "SH-0501", "the bus cannot be reached: " + sink_error_,
                "nothing is lost; start the bus and run it again");
  }
  if (const auto streams = lanes_.PausedStreams(); !streams.empty()) {
    throw Error(SUMMA_E_UNAVAILABLE, "SH-0502",
                "stream " + streams.front() + " accepts no messages",
                "nothing is lost; repair the stream and run it again");
  }
  if (due) result.backlog = true;  // a row is tried again in a moment
  if (!result.backlog && !problems_.refused().empty()) {
    throw Error(SUMMA_E_DATA, "SH-0511",
                "rows were delivered, and the ledger refuses to mark them: " +
                    Listed(problems_.refused().Get()),
                "repair the trigger or constraint that refuses them and run it again");
  }
  return result;
}

}  // namespace summa::outbox
