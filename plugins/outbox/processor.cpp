#include "processor.hpp"

#include <algorithm>
#include <summa/crash_point.hpp>

namespace summa::outbox {
namespace {

Outcome OutcomeOf(const Delivery& delivery) {
  Outcome outcome;
  outcome.confirmed.reserve(delivery.delivered.size());
  for (const Row* row : delivery.delivered) outcome.confirmed.push_back(row->id);
  for (const RowFault& fault : delivery.faults) outcome.faults.push_back({*fault.row, fault.error});
  return outcome;
}

}  // namespace

Processor::Processor(Host host, ProcessorSettings settings, BusClient bus)
    : host_(host),
      settings_(std::move(settings)),
      table_(settings_.outbox),
      publisher_(bus, settings_.outbox),
      recorder_(host, table_, settings_.outbox.max_retries),
      backoff_(settings_.retry_base, settings_.retry_cap,
               [this] { return std::uniform_real_distribution<double>(0, 1)(random_); }),
      metrics_(host, settings_.sink) {}

TickResult Processor::Run(const Tick& tick) {
  try {
    return Look(tick);
  } catch (...) {
    // How far it came is not known: the next tick looks at everything.
    full_poll_wanted_ = true;
    throw;
  }
}

TickResult Processor::Look(const Tick& tick) {
  // Not by new_lease(), which is said until a tick succeeded: what is confirmed under this fence
  // must not be forgotten because marking it failed.
  if (fence_ != tick.fence()) {
    Forget();
    fence_ = tick.fence();
  }
  const Microseconds now = host_.BootTime();
  troubles_.Seen(now);
  if (lanes_.Expire(now)) full_poll_wanted_ = true;
  const bool one_stream_paused =
      settings_.outbox.route != "topic" && lanes_.Paused(settings_.outbox.route);
  if (sink_paused_until_ > now || one_stream_paused) return Result(0, false, tick.once());
  sink_paused_until_ = Microseconds(0);

  Session session(tick.sql());
  if (tick.new_lease()) table_.CheckPrivileges(session);
  recorder_.MarkConfirmed(session);
  FullPollDue(session, now);
  if (NothingNew(session)) return Result(0, false, tick.once());
  idle_ = false;

  const std::vector<Row> rows = Poll(session);
  if (!rows.empty()) CrashPoint("outbox.polled");
  const bool backlog = static_cast<std::int64_t>(rows.size()) > settings_.outbox.batch_size;
  const std::int64_t delivered =
      backlog ? DrainBacklog(session, tick) : Deliver(session, rows, tick);
  idle_ = rows.empty();
  if (idle_) metrics_.empty_polls.Add();
  if (tick.once()) ObservePending(session);
  return Result(delivered, !rows.empty(), tick.once());
}

void Processor::Forget() {
  lanes_ = Lanes();
  troubles_.Forget();
  snapshot_.clear();
  idle_ = false;
  full_poll_wanted_ = true;
  low_.reset();
  sink_paused_until_ = Microseconds(0);
  sink_faults_ = 0;
  recorder_.Forget();
}

bool Processor::NothingNew(Session& session) {
  if (!idle_ || full_poll_wanted_) {
    snapshot_.clear();
    return false;
  }
  // Taken before the read, so that a commit in between is seen as a change the next time.
  std::string snapshot = table_.Snapshot(session);
  const bool unchanged = snapshot == snapshot_;
  snapshot_ = std::move(snapshot);
  return unchanged;
}

void Processor::FullPollDue(Session& session, Microseconds now) {
  if (!full_poll_wanted_) {
    if (now < next_full_poll_) return;
    // Nothing was committed since the last one: no late row can be there to be found.
    if (table_.Snapshot(session) == full_poll_snapshot_) {
      next_full_poll_ = now + kFullPollInterval;
      return;
    }
  }
  full_poll_wanted_ = true;
  lanes_.SetBlocked(table_.BlockedLanes(session));
  counters_.blocked_keys = static_cast<std::int64_t>(lanes_.blocked_count());
  metrics_.blocked_keys.Set(static_cast<double>(lanes_.blocked_count()));
  troubles_.Blocked(counters_.blocked_keys, now);
}

std::vector<Row> Processor::Poll(Session& session) {
  if (!full_poll_wanted_) return table_.Poll(session, low_, Excluded());
  const Microseconds started = host_.BootTime();
  full_poll_snapshot_ = table_.Snapshot(session);
  const std::int64_t server_now = table_.Now(session);
  server_clock_offset_ = server_now - started.count();
  std::vector<Row> rows = table_.Poll(session, std::nullopt, Excluded());
  std::int64_t oldest = server_now;
  for (const Row& row : rows) oldest = std::min(oldest, row.created_at_microseconds);
  low_ = oldest - kLateCommitMargin.count();
  full_poll_wanted_ = false;
  ObservePending(session);
  const Microseconds finished = host_.BootTime();
  next_full_poll_ =
      finished + std::max(kFullPollInterval, kFullPollCostFactor * (finished - started));
  return rows;
}

std::int64_t Processor::DrainBacklog(Session& session, const Tick& tick) {
  table_.OpenBacklog(session, Excluded());
  recorder_.BeginBehind(tick.sql());
  std::int64_t delivered = 0;
  try {
    // Lanes are not let go while the list is read: their earlier rows stand in front of it.
    while (!tick.ShouldStop() && sink_paused_until_ == Microseconds(0)) {
      std::size_t fetched = 0;
      const std::vector<Row> page = table_.NextPage(session, &fetched);
      if (fetched == 0) break;
      delivered += Deliver(session, page, tick);
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

std::int64_t Processor::Deliver(Session& session, const std::vector<Row>& rows, const Tick& tick) {
  std::vector<const Row*> open;
  open.reserve(rows.size());
  for (const Row& row : rows) open.push_back(&row);
  std::int64_t delivered = 0;
  while (!open.empty() && !tick.ShouldStop()) {
    const Microseconds started = host_.BootTime();
    CrashPoint("outbox.publish");
    const Delivery delivery = publisher_.Publish(open, lanes_);
    CrashPoint("outbox.confirmed");
    metrics_.publish_seconds.Observe(static_cast<double>((host_.BootTime() - started).count()) /
                                     1e6);
    // The lanes first: what comes next must not overtake a row that failed, written or not.
    for (const RowFault& fault : delivery.faults) HoldFault(fault);
    PauseStreams(delivery);
    recorder_.Record(session, OutcomeOf(delivery));
    Count(delivery);
    delivered += static_cast<std::int64_t>(delivery.delivered.size());
    if (!delivery.bus_error.empty()) {
      PauseSink(delivery.bus_error, delivery.bus_hint);
      break;
    }
    const bool progress =
        !delivery.delivered.empty() || !delivery.faults.empty() || !delivery.stream_faults.empty();
    if (!progress && !delivery.unsent.empty()) {
      PauseSink("the bus answered, but sent nothing and said no reason", "");
      break;
    }
    if (sink_faults_ > 0) {
      host_.Info("the bus takes messages again");
      troubles_.SinkWorks();
    }
    sink_faults_ = 0;
    open = delivery.unsent;
  }
  return delivered;
}

void Processor::Count(const Delivery& delivery) {
  const std::int64_t server_now = host_.BootTime().count() + server_clock_offset_;
  for (const Row* row : delivery.delivered) {
    const auto age = std::max<std::int64_t>(0, server_now - row->created_at_microseconds);
    metrics_.Delivered(row->topic, static_cast<double>(age) / 1e6);
    lanes_.Succeeded(settings_.outbox.StreamOf(row->topic));
    troubles_.StreamWorks(settings_.outbox.StreamOf(row->topic));
  }
  const auto count = static_cast<std::int64_t>(delivery.delivered.size());
  counters_.delivered += count;
  counters_.pending = std::max<std::int64_t>(0, counters_.pending - count);
}

void Processor::PauseStreams(const Delivery& delivery) {
  for (const auto& [stream, error] : delivery.stream_faults) {
    const std::int64_t attempt = lanes_.StreamFaults(stream);
    const Microseconds now = host_.BootTime();
    const Microseconds until = now + backoff_.Pause(attempt);
    lanes_.PauseStream(stream, until);
    troubles_.StreamFailed(stream, error, now, until);
    host_.Warn("SH-0502", "a stream takes no messages; it is tried again",
               {{"stream", stream}, {"error", error}, {"attempt", std::to_string(attempt)}});
  }
}

void Processor::HoldFault(const RowFault& fault) {
  const Row& row = *fault.row;
  const std::string lane = LaneName(settings_.outbox.StreamOf(row.topic), row.key);
  const std::int64_t attempt = row.retry_count + 1;
  if (attempt < settings_.outbox.max_retries) {
    lanes_.HoldUntil(lane, host_.BootTime() + backoff_.Pause(attempt));
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
    counters_.blocked_keys = static_cast<std::int64_t>(lanes_.blocked_count());
    metrics_.blocked_keys.Set(static_cast<double>(lanes_.blocked_count()));
    troubles_.Blocked(counters_.blocked_keys, host_.BootTime());
  }
  host_.Log(SUMMA_LOG_ERROR, "SH-0504", "a row went to the dead letter queue",
            {{"id", ToText(row.id)},
             {"topic", row.topic},
             {"attempts", std::to_string(attempt)},
             {"error", fault.error},
             {"key", settings_.outbox.block_key_on_dead_letter ? "blocked" : "goes on"}});
}

void Processor::PauseSink(const std::string& error, const std::string& hint) {
  ++sink_faults_;
  sink_error_ = error;
  const Microseconds now = host_.BootTime();
  sink_paused_until_ = now + backoff_.Pause(sink_faults_);
  troubles_.SinkFailed(error, hint, now, sink_paused_until_);
  full_poll_wanted_ = true;
  if (sink_faults_ == 1) {
    host_.Warn("SH-0501", "the bus cannot be reached; rows wait, nothing is lost",
               {{"error", error}, {"hint", hint}});
  }
}

void Processor::ObservePending(Session& session) {
  const Counts counts = table_.CountPending(session);
  counters_.pending = counts.pending;
  metrics_.pending.Set(static_cast<double>(counts.pending));
  metrics_.oldest_pending_age_seconds.Set(counts.oldest_pending_age_seconds.value_or(0));
}

TickResult Processor::Result(std::int64_t items, bool backlog, bool once) const {
  TickResult result;
  result.items = items;
  const Microseconds now = host_.BootTime();
  std::optional<Microseconds> due = lanes_.NextDue();
  if (sink_paused_until_ > now) due = sink_paused_until_;
  if (due) result.wait_hint = std::max(Microseconds(0), *due - now);
  result.backlog = backlog && sink_paused_until_ <= now;
  if (!once) return result;
  // A run that ends must not call it done while rows wait for a bus or stream that takes none.
  if (sink_paused_until_ > now) {
    throw Error(SUMMA_E_UNAVAILABLE, "SH-0501", "the bus cannot be reached: " + sink_error_,
                "nothing is lost; start the bus and run it again");
  }
  if (const auto streams = lanes_.PausedStreams(); !streams.empty()) {
    throw Error(SUMMA_E_UNAVAILABLE, "SH-0502", "stream " + streams.front() + " takes no messages",
                "nothing is lost; repair the stream and run it again");
  }
  if (due) result.backlog = true;  // a row is tried again in a moment
  return result;
}

Exclusions Processor::Excluded() const { return {lanes_.HeldLanes(), lanes_.PausedStreams()}; }

}  // namespace summa::outbox
