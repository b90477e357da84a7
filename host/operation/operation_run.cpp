#include "host/operation/operation_run.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>

#include "host/observe/log.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

// Orders for an operation are read as often as orders for a worker.
constexpr Microseconds kPollInterval = std::chrono::seconds(1);
// The pause after a step that found nothing to do, and the longest one when this continues.
constexpr Microseconds kFirstPause = std::chrono::milliseconds(100);
constexpr Microseconds kLongestPause = std::chrono::seconds(5);
// They are shown to people, and read with every batch.
constexpr std::size_t kMaxPhaseBytes = 64;
constexpr std::size_t kMaxCursorBytes = 4000;
constexpr std::int64_t kMaxRows = 1'000'000'000'000;  // in one batch

// Not a failure of the operation: it is temporary, or this host has a problem.
bool IsOfTheHost(std::int32_t status) {
  return status == SUMMA_E_UNAVAILABLE || status == SUMMA_E_TRY_LATER || status == SUMMA_E_FENCED ||
         status == SUMMA_E_CONFIG || status == SUMMA_E_DENIED;
}

summa::Error Misused(const std::string& what) {
  return {SUMMA_E_INTERNAL, "SH-0386", "a step of an operation " + what,
          "This is a defect of the plugin; report it to its author."};
}

JournalEntry EntryOf(const summa_operation_progress& progress, double speed) {
  JournalEntry entry;
  entry.phase = FromAbi(progress.phase);
  entry.cursor = FromAbi(progress.cursor);
  entry.rows = progress.rows;
  entry.total = progress.total;
  entry.finished = progress.finished != 0;
  entry.speed = speed;
  if (entry.phase.size() > kMaxPhaseBytes || entry.cursor.size() > kMaxCursorBytes) {
    throw Misused(
        "returned a phase or a cursor that is too long: at most 64 and 4,000 bytes are allowed");
  }
  if (entry.rows < 0 || entry.rows > kMaxRows || entry.total < -1) {
    throw Misused("reported an impossible number of rows: " + std::to_string(entry.rows) + " of " +
                  std::to_string(entry.total));
  }
  return entry;
}

}  // namespace

// What a step is given, behind the function pointers of summa_operation_step.
class OperationRun::Step {
 public:
  Step(OperationRun& run, JournalRow& row)
      : run_(run),
        row_(row),
        begun_(row),
        rate_(row.rate),
        read_at_(run.clock_.BootNow()),
        undo_(row.state == SUMMA_OPERATION_ABORTED) {
    table_.struct_size = sizeof table_;
    table_.flags = undo_ ? SUMMA_STEP_UNDO : 0;
    table_.self = this;
    table_.id = begun_.id;
    table_.kind = ToAbi(run.kind_.kind);
    table_.phase = ToAbi(begun_.phase);
    table_.cursor = ToAbi(begun_.cursor);
    table_.arguments = ToAbi(begun_.arguments);
    table_.done = begun_.done;
    table_.total = begun_.total;
    table_.rows_wanted = run.size_.Next(begun_.rate);
    table_.sql = run.call_.sql;
    table_.rate = [](const summa_operation_step* step) -> std::int64_t {
      Step* self = Self(step);
      self->ReadState();
      return self->rate_;
    };
    table_.should_stop = [](const summa_operation_step* step) -> std::int32_t {
      return Self(step)->ShouldStop() ? 1 : 0;
    };
    table_.wait = [](const summa_operation_step* step, std::int64_t microseconds) -> std::int32_t {
      return Self(step)->Wait(Microseconds(microseconds)) ? 1 : 0;
    };
    table_.save = [](const summa_operation_step* step, summa_sql_session* session,
                     const summa_operation_progress* progress, summa_error* error) -> std::int32_t {
      return summa::detail::Guard(error, [&] {
        Self(step)->Save(session, *progress);
        return SUMMA_OK;
      });
    };
  }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  const summa_operation_step* table() const { return &table_; }
  bool saved() const { return saved_; }
  std::int64_t rows() const { return rows_; }
  // The operation was aborted, or another host has worked on it: what was not saved is lost.
  bool refused() const { return refused_; }
  // Why a save failed; nothing that the step said afterwards counts.
  const std::optional<summa::Error>& save_error() const { return save_error_; }
  // An order says that it must not continue.
  bool halted() const { return halted_; }

 private:
  static Step* Self(const summa_operation_step* step) { return static_cast<Step*>(step->self); }

  bool ShouldStop() noexcept {
    ReadState();
    return halted_ || IsToldToStop();
  }
  bool IsToldToStop() const noexcept {
    try {
      return run_.call_.should_stop();
    } catch (...) {
      return true;  // asked wrongly is answered safely
    }
  }
  // In pieces: orders have no signal that would wake it.
  bool Wait(Microseconds time) noexcept {
    try {
      const BootTime until = run_.clock_.BootNow() + std::min(time, Microseconds(kForever));
      for (;;) {
        if (ShouldStop()) return true;
        const Microseconds left = until - run_.clock_.BootNow();
        if (left <= Microseconds(0)) return false;
        if (run_.call_.wait(std::min(left, kPollInterval))) return true;
      }
    } catch (...) {
      return true;
    }
  }

  // At most once a second, and for one thread: the others are told what it saw.
  void ReadState() noexcept {
    if (!read_mutex_.try_lock()) return;
    const MutexLock lock(read_mutex_, std::adopt_lock);
    try {
      const BootTime now = run_.clock_.BootNow();
      if (now - read_at_ < kPollInterval) return;
      read_at_ = now;
      const std::optional<JournalRow> seen = run_.journal_.Read(begun_.id);
      if (!seen) return;
      rate_ = seen->rate;
      halted_ = !seen->open || seen->state != begun_.state;
    } catch (...) {
      // Not available now; the step continues with what it was told before.
    }
  }

  void Save(summa_sql_session* session, const summa_operation_progress& progress) {
    if (save_error_ || refused_) throw Misused("continues after a save that failed");
    if (!row_.open) throw Misused("continues after the save that finished the operation");
    const BootTime now = run_.clock_.BootNow();
    Speed speed = run_.speed_;
    speed.Add(progress.rows, now - run_.saved_at_);
    try {
      refused_ = !run_.journal_.Advance(session, row_, EntryOf(progress, speed.rows_per_second()));
    } catch (const summa::Error& error) {
      save_error_ = error;
      throw;
    }
    if (refused_) {
      throw summa::Error(
          SUMMA_E_CANCELLED, "SH-0384",
          "operation " + std::to_string(begun_.id) +
              " was aborted, or another host works on it; the batch was not committed",
          "Nothing is needed: end this step.");
    }
    run_.speed_ = speed;
    run_.saved_at_ = run_.clock_.BootNow();
    rate_ = row_.rate;
    halted_ = row_.open && row_.state != begun_.state;
    saved_ = true;
    rows_ += progress.rows;
    run_.rows_ += progress.rows;
  }

  static constexpr std::chrono::hours kForever{24};

  OperationRun& run_;
  JournalRow& row_;         // follows what is saved
  const JournalRow begun_;  // what the step was told
  summa_operation_step table_{};
  std::atomic<std::int64_t> rate_;
  std::atomic<bool> halted_{false};
  Mutex read_mutex_;
  BootTime read_at_ SUMMA_GUARDED_BY(read_mutex_);
  const bool undo_;
  bool saved_ = false, refused_ = false;
  std::int64_t rows_ = 0;
  std::optional<summa::Error> save_error_;
};

OperationRun::OperationRun(std::string plugin, const OperationKind& kind, std::string host,
                           const Clock& clock, const OperationCall& call)
    : plugin_(plugin),
      kind_(kind),
      clock_(clock),
      call_(call),
      journal_(call.sql, std::move(plugin), kind, std::move(host)),
      begin_(clock.BootNow()),
      pause_(kFirstPause, kLongestPause, Jitter::kNone) {}

bool OperationRun::IsOver() const {
  if (call_.should_stop()) return true;
  return call_.limit > Microseconds(0) && clock_.BootNow() - begin_ >= call_.limit;
}

std::optional<JournalRow> OperationRun::Run() {
  std::optional<JournalRow> last;
  while (std::optional<JournalRow> row = journal_.Claim(call_.id)) {
    speed_ = Speed(row->speed);
    if (row->speed > 0) size_ = BatchSize(static_cast<std::int64_t>(row->speed / 2));
    saved_at_ = clock_.BootNow();
    while (CallStep(*row) && !IsOver()) continue;
    last = std::move(row);
    if (IsOver()) break;
  }
  const bool named = call_.id != 0 && (!last || last->id != call_.id);
  if (!last && !named) return std::nullopt;
  if (!named && !last->open) return last;
  return journal_.Read(named ? call_.id : last->id);  // orders that were given meanwhile
}

bool OperationRun::CallStep(JournalRow& row) {
  const BootTime begin = clock_.BootNow();
  const int state = row.state;
  Step step(*this, row);
  summa_error error = summa::detail::EmptyError();
  error.status = call_.step(step.table(), &error);
  if (error.status != SUMMA_OK || step.save_error() || step.refused()) {
    return Failed(row, step, error);
  }
  if (!row.open || row.state != state) return false;  // finished, or paused during the step
  // There was nothing to do just now. Claimed again afterwards, so that new orders are read.
  if (!step.saved()) {
    call_.wait(pause_.Next());
    return false;
  }
  pause_.Reset();
  size_.Took(step.rows(), clock_.BootNow() - begin);
  return PauseForRate(row, step.rows(), begin);
}

bool OperationRun::Failed(JournalRow& row, const Step& step, const summa_error& error) {
  if (step.refused()) return false;
  const summa::Error why = step.save_error() ? *step.save_error()
                                             : summa::Error(error.status, error.code, error.message,
                                                            error.hint, error.sqlstate);
  const bool stopping = step.halted() || call_.should_stop();
  if (stopping && why.status() == SUMMA_E_CANCELLED) return false;  // as it was asked to
  if (why.status() == SUMMA_E_UNAVAILABLE || why.status() == SUMMA_E_FENCED) throw why;
  const bool thrown = kind_.retries == 0 || IsOfTheHost(why.status());
  const std::string text = (why.code().empty() ? "" : why.code() + " ") + why.what();
  const bool failed = journal_.Fail(row, text, thrown ? 0 : kind_.retries);
  if (thrown) throw why;
  Log(LogLevel::kError, failed ? "SH-0381" : "SH-0380",
      failed ? "an operation failed" : "a step of an operation failed; it is tried again",
      {{"operation", std::to_string(row.id)},
       {"plugin", plugin_},
       {"kind", kind_.kind},
       {"phase", row.phase},
       {"cursor", row.cursor},
       {"error", text}});
  return false;
}

// Keeps the rows per second below the rate, also when the rate is changed.
bool OperationRun::PauseForRate(JournalRow& row, std::int64_t rows, BootTime begin) {
  const auto end = [&] { return begin + Pace().Rest(rows, row.rate, begin, begin); };
  BootTime until = end();
  BootTime read_at = clock_.BootNow();
  for (BootTime now = read_at; now < until; now = clock_.BootNow()) {
    if (call_.wait(std::min(until - now, kPollInterval))) return false;
    if (clock_.BootNow() - read_at < kPollInterval) continue;
    read_at = clock_.BootNow();
    const std::optional<JournalRow> seen = journal_.Read(row.id);
    if (!seen || seen->batches != row.batches || seen->state != row.state) return false;
    row.rate = seen->rate;
    until = end();
  }
  return true;
}

}  // namespace summa::host
