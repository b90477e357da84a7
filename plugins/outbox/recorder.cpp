#include "recorder.hpp"

#include <algorithm>
#include <summa/assert.hpp>
#include <summa/crash_point.hpp>
#include <summa/refused_rows.hpp>

namespace summa::outbox {

ParkedRow ToParked(const Row& row, const Settings& settings) {
  return {row.id, {settings.StreamOf(row.topic), row.key}, row.position, row.correlation_id};
}

void Outcome::Append(const Outcome& later) {
  confirmed.insert(confirmed.end(), later.confirmed.begin(), later.confirmed.end());
  faults.insert(faults.end(), later.faults.begin(), later.faults.end());
  parked.insert(parked.end(), later.parked.begin(), later.parked.end());
  done.insert(done.end(), later.done.begin(), later.done.end());
  waiting = waiting || later.waiting;
}

void Recorder::Forget() {
  Abandon();
  unmarked_.clear();
  remembered_ = true;  // an earlier host may have died before it marked them
  last_delivery_.reset();
}

void Recorder::MarkConfirmed(Session& session) {
  if (unmarked_.empty()) return;
  Outcome outcome;
  outcome.confirmed = unmarked_;
  const Written written = Write(session, outcome, false);
  remembered_ = remembered_ || written.remembered;
  unmarked_.clear();
}

void Recorder::Record(Session& session, const Outcome& outcome) {
  if (outcome.empty()) return;
  unmarked_.insert(unmarked_.end(), outcome.confirmed.begin(), outcome.confirmed.end());
  if (behind_) {
    queued_.Append(outcome);
    const bool writing =
        writing_.valid() && writing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
    const auto most = static_cast<std::size_t>(kMaxBatchesQueued * settings_.batch_size);
    if (writing && queued_.confirmed.size() < most) return;
    WriteQueued();
    return;
  }
  const bool delivery = !outcome.confirmed.empty() && DeliveryDue();
  const Written written = Write(session, outcome, delivery);
  unmarked_.clear();
  Compare(static_cast<std::int64_t>(outcome.confirmed.size()), written);
}

void Recorder::WriteQueued() {
  Settle();
  if (queued_.empty()) return;
  writing_count_ = queued_.confirmed.size();
  const bool delivery = writing_count_ > 0 && DeliveryDue();
  writing_ =
      std::async(std::launch::async, [this, outcome = std::exchange(queued_, Outcome()), delivery] {
        return Write(*behind_, outcome, delivery);
      });
}

Recorder::Written Recorder::Write(Session& session, const Outcome& outcome,
                                  bool record_delivery) const {
  try {
    return {WriteTogether(session, outcome, record_delivery), false};
  } catch (const Error& error) {
    if (!RefusesRows(session, error)) throw;
  }
  Remember(session, outcome, record_delivery);
  for (const Outcome::Fault& fault : outcome.faults) WriteFaultAlone(session, fault);
  return {0, true};
}

bool Recorder::RefusesRows(Session& session, const Error& error) const {
  return summa::RefusesRows(session, error, [&] { table_.Settle(session, keeping_, {}); });
}

// What every host must know before anything else is tried: none of these tables is Summa's.
void Recorder::Remember(Session& session, const Outcome& outcome, bool record_delivery) const {
  std::vector<Uuid> ids = outcome.confirmed;
  session.Begin();
  if (record_delivery) table_.RecordDelivery(session, keeping_);
  table_.Remember(session, ids);
  if (!outcome.parked.empty()) table_.Park(session, outcome.parked);
  if (outcome.waiting) {
    ids.insert(ids.end(), outcome.done.begin(), outcome.done.end());
    table_.Unpark(session, ids);
  }
  session.Commit();
}

void Recorder::WriteFaultAlone(Session& session, const Outcome::Fault& fault) const {
  try {
    session.Begin();
    WriteFaults(session, {&fault, 1}, {});
    session.Commit();
    return;
  } catch (const Error& error) {
    if (!RefusesRows(session, error)) throw;
    host_.Log(SUMMA_LOG_ERROR, "SH-0511", "the ledger refuses to count the attempt of a row",
              {{"id", ToText(fault.row.id)},
               {"topic", fault.row.topic},
               {"attempt_error", fault.error},
               {"error", error.what()}});
  }
  const ParkedRow parked = ToParked(fault.row, settings_);
  session.Begin();
  table_.Park(session, {&parked, 1});
  session.Commit();
}

std::int64_t Recorder::WriteTogether(Session& session, const Outcome& outcome,
                                     bool record_delivery) const {
  std::vector<Uuid> ids = outcome.confirmed;
  // The order in which rows are locked, the same as that of every other program that locks by id.
  std::sort(ids.begin(), ids.end());
  session.Begin();
  // Before the marks: `outbox verify` looks at what was marked from then on.
  if (record_delivery) table_.RecordDelivery(session, keeping_);
  std::int64_t marked = 0;
  if (!ids.empty()) marked = table_.Settle(session, keeping_, ids);
  WriteFaults(session, outcome.faults, outcome.parked);
  if (outcome.waiting) {
    ids.insert(ids.end(), outcome.done.begin(), outcome.done.end());
    table_.Unpark(session, ids);
  }
  CrashPoint("outbox.mark");
  session.Commit();
  CrashPoint("outbox.marked");
  return marked;
}

void Recorder::WriteFaults(Session& session, std::span<const Outcome::Fault> faults,
                           std::vector<ParkedRow> parked) const {
  parked.reserve(parked.size() + faults.size());
  const auto last = [&](const Outcome::Fault& fault) {
    return fault.row.retry_count + 1 >= settings_.max_retries;
  };
  for (const Outcome::Fault& fault : faults) {
    // Where the row itself cannot say that it failed, it stays first in its lane.
    if (last(fault) && keeping_ == Keeping::kOwn) continue;
    parked.push_back(ToParked(fault.row, settings_));
  }
  if (!parked.empty()) table_.Park(session, parked);
  for (const Outcome::Fault& fault : faults) {
    if (last(fault)) {
      table_.DeadLetter(session, keeping_, fault.row, fault.error);
    } else {
      table_.CountAttempt(session, keeping_, fault.row, fault.error);
    }
  }
}

void Recorder::BeginBehind(const summa_sql_v1* sql) {
  try {
    behind_.emplace(sql);
  } catch (const Error& error) {
    // A pool without a second session: the rows are then written before the next batch, which is
    // slower.
    if (error.code() != "SH-0403") throw;
  }
}

void Recorder::EndBehind() {
  WriteQueued();
  Settle();
  behind_.reset();
}

void Recorder::Abandon() noexcept {
  try {
    Settle();
  } catch (...) {
    writing_count_ = 0;
  }
  // What was not written stays in unmarked_ and is written first of all by the next tick; failed
  // and parked rows are read again.
  queued_ = Outcome();
  behind_.reset();
}

void Recorder::Settle() {
  if (!writing_.valid()) return;
  const std::size_t count = std::exchange(writing_count_, 0);
  const Written written = writing_.get();
  SUMMA_ASSERT(count <= unmarked_.size());
  unmarked_.erase(unmarked_.begin(), unmarked_.begin() + static_cast<std::ptrdiff_t>(count));
  Compare(static_cast<std::int64_t>(count), written);
}

bool Recorder::DeliveryDue() {
  const BootTime now = host_.BootNow();
  if (last_delivery_ && now - *last_delivery_ < kDeliveryInterval) return false;
  last_delivery_ = now;
  return true;
}

void Recorder::Compare(std::int64_t confirmed, const Written& written) {
  remembered_ = remembered_ || written.remembered;
  if (written.remembered || written.marked >= confirmed) return;
  foreign_marks_ += confirmed - written.marked;
  if (keeping_ == Keeping::kHandOver) return;  // Summa's processor may still end its last run
  host_.Warn(
      "SH-0505", "rows that were just published had already been marked by another program",
      {{"published", std::to_string(confirmed)}, {"marked", std::to_string(written.marked)}});
}

}  // namespace summa::outbox
