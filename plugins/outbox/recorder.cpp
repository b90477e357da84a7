#include "recorder.hpp"

#include <algorithm>
#include <summa/crash_point.hpp>

namespace summa::outbox {

void Recorder::Forget() {
  Abandon();
  unmarked_.clear();
  last_delivery_.reset();
}

void Recorder::MarkConfirmed(Session& session) {
  if (unmarked_.empty()) return;
  session.Begin();
  table_.Mark(session, unmarked_);
  session.Commit();
  unmarked_.clear();
}

void Recorder::Record(Session& session, const Outcome& outcome) {
  if (outcome.confirmed.empty() && outcome.faults.empty()) return;
  unmarked_.insert(unmarked_.end(), outcome.confirmed.begin(), outcome.confirmed.end());
  const bool delivery = !outcome.confirmed.empty() && DeliveryDue();
  if (behind_) {
    Settle();
    writing_count_ = outcome.confirmed.size();
    writing_ = std::async(std::launch::async,
                          [this, outcome, delivery] { return Write(*behind_, outcome, delivery); });
    return;
  }
  const std::int64_t marked = Write(session, outcome, delivery);
  unmarked_.clear();
  Compare(static_cast<std::int64_t>(outcome.confirmed.size()), marked);
}

std::int64_t Recorder::Write(Session& session, const Outcome& outcome, bool record_delivery) const {
  std::vector<Uuid> ids = outcome.confirmed;
  // The order in which rows are locked, the same as everybody else's who goes by id.
  std::sort(ids.begin(), ids.end());
  session.Begin();
  std::int64_t marked = 0;
  if (!ids.empty()) marked = table_.Mark(session, ids);
  if (record_delivery) table_.RecordDelivery(session);
  for (const Outcome::Fault& fault : outcome.faults) {
    if (fault.row.retry_count + 1 >= max_retries_) {
      table_.DeadLetter(session, fault.row, fault.error);
    } else {
      table_.CountRetry(session, fault.row.id, fault.error);
    }
  }
  CrashPoint("outbox.mark");
  session.Commit();
  CrashPoint("outbox.marked");
  return marked;
}

void Recorder::BeginBehind(const summa_sql_v1* sql) {
  try {
    behind_.emplace(sql);
  } catch (const Error& error) {
    // A pool without a second session: the writing is done in front then, slower but done.
    if (error.code() != "SH-0403") throw;
  }
}

void Recorder::EndBehind() {
  Settle();
  behind_.reset();
}

void Recorder::Abandon() noexcept {
  if (writing_.valid()) {
    try {
      Settle();
    } catch (...) {
      // What was not written stays in unmarked_ and is written first of all by the next tick.
      writing_count_ = 0;
    }
  }
  behind_.reset();
}

void Recorder::Settle() {
  if (!writing_.valid()) return;
  const std::size_t count = std::exchange(writing_count_, 0);
  const std::int64_t marked = writing_.get();
  unmarked_.erase(unmarked_.begin(), unmarked_.begin() + static_cast<std::ptrdiff_t>(count));
  Compare(static_cast<std::int64_t>(count), marked);
}

bool Recorder::DeliveryDue() {
  const std::chrono::microseconds now = host_.BootTime();
  if (last_delivery_ && now - *last_delivery_ < kDeliveryInterval) return false;
  last_delivery_ = now;
  return true;
}

void Recorder::Compare(std::int64_t confirmed, std::int64_t marked) const {
  if (marked >= confirmed) return;
  host_.Warn("SH-0505", "rows that were just published had already been marked by somebody else",
             {{"published", std::to_string(confirmed)}, {"marked", std::to_string(marked)}});
}

}  // namespace summa::outbox
