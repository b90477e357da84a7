// Long work that survives the process that does it; see <summa/abi/operation.h>.
//
//   // plugin.yaml:
//   //   workers:    [{ id: copier, summary: Runs copies., kind: continuous, idle_poll: 1s }]
//   //   operations: [{ kind: copy, worker: copier, summary: Copies source into target. }]
//   std::optional<summa::OperationProgress> CopyBatch(summa::OperationStep& step) {
//     summa::Session& session = step.Transaction();
//     const summa::KeyBatch batch =
//         summa::NextKeys(session, "source", "id", summa::CursorOf(step), step.rows_wanted());
//     if (batch.rows == 0) return summa::OperationProgress{.finished = true};
//     ...                                    // INSERT .. SELECT .. WHERE batch.Where("id")
//     return summa::OperationProgress{.cursor = batch.through, .rows = batch.rows};
//   }
//
// A verb starts it with StartOperation() and shows its progress with FollowOperation().
#pragma once

#include <summa/abi/operation.h>
#include <summa/command.hpp>
#include <summa/host.hpp>
#include <summa/sql.hpp>
#include <summa/work.hpp>
#include <summa/worker.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace summa {

// Where the next step begins, in a form that the plugin chooses, and what was done.
struct OperationProgress {
  std::string phase = {}, cursor = {};
  std::int64_t rows = 0;                             // done since the last save
  std::optional<std::int64_t> total = std::nullopt;  // of the whole operation; none: unchanged
  bool finished = false;
};

// One step; do not keep it. One thread, except where stated otherwise.
class OperationStep {
 public:
  explicit OperationStep(const summa_operation_step* step) : step_(step) {}

  std::int64_t id() const { return step_->id; }
  // Their values when the step began; empty in the first step.
  std::string_view phase() const { return FromAbi(step_->phase); }
  std::string_view cursor() const { return FromAbi(step_->cursor); }
  std::string_view arguments() const { return FromAbi(step_->arguments); }  // a JSON object
  std::int64_t done() const { return step_->done; }
  std::optional<std::int64_t> total() const {
    if (step_->total < 0) return std::nullopt;
    return step_->total;
  }
  std::int64_t rows_wanted() const { return step_->rows_wanted; }  // a good batch size
  // [any] The rate that was last set, in rows per second; 0: no limit. The host keeps the rate
  // between steps; only a step that reads for minutes needs to check it.
  std::int64_t rate() const { return step_->rate(step_); }
  // [any] A step of a second or less need not check this.
  bool ShouldStop() const { return step_->should_stop(step_) != 0; }
  bool Wait(std::chrono::microseconds time) const { return step_->wait(step_, time.count()) != 0; }

  const summa_sql_v1* sql() const { return step_->sql; }  // for sessions that only read
  // What is written here is committed with the progress. The first call after a save begins the
  // transaction.
  Session& Transaction() {
    if (!session_) session_.emplace(step_->sql);
    if (!std::exchange(begun_, true)) session_->Begin();
    return *session_;
  }
  // Commits the transaction and the progress before the step has ended: for a step that cannot be
  // made smaller. After a failure nothing of the step counts: do not catch the exception.
  void Save(const OperationProgress& progress) {
    const summa_operation_progress abi = {
        sizeof abi,    progress.finished ? 1U : 0U, ToAbi(progress.phase), ToAbi(progress.cursor),
        progress.rows, progress.total.value_or(-1)};
    summa_sql_session* session = Transaction().handle();
    begun_ = false;
    summa_error error = detail::EmptyError();
    const std::int32_t status = step_->save(step_, session, &abi, &error);
    session_.reset();  // others may need it before the next save
    detail::Check(status, error);
  }

 private:
  const summa_operation_step* step_;
  std::optional<Session> session_;
  bool begun_ = false;
};

// One kind of operation and the function that does a batch of it. When the function returns
// nothing, everything was already saved, or there is nothing to do at the moment. What a step
// throws is recorded in the journal.
struct OperationBinding {
  using Step = std::function<std::optional<OperationProgress>(OperationStep&)>;
  using Undo = std::function<void(OperationStep&)>;
  std::string kind;  // as in the manifest
  Step step;
  // Removes what an aborted operation has left, in the transaction of the step.
  Undo undo = {};
};

// For NextKeys(): where the step begins; none: at the first key.
inline std::optional<std::string> CursorOf(const OperationStep& step) {
  if (step.cursor().empty()) return std::nullopt;
  return std::string(step.cursor());
}

// Borrows the step.
inline WorkCaller CallerOf(const Host& host, const OperationStep& step) {
  return {[host] { return host.BootNow(); }, [&step] { return step.ShouldStop(); },
          [&step](std::chrono::microseconds time) { return step.Wait(time); }};
}

enum class OperationState { kQueued, kRunning, kPaused, kDone, kFailed, kAborted };

// An operation as recorded in the journal.
struct OperationView {
  std::int64_t id = 0;  // 0: there is none
  OperationState state = OperationState::kQueued;
  std::int64_t done = 0, rate = 0;
  std::optional<std::int64_t> total;
  double rows_per_second = 0;
  std::string phase, error;

  bool open() const {
    return state == OperationState::kQueued || state == OperationState::kRunning ||
           state == OperationState::kPaused;
  }
};

namespace detail {

inline const summa_operation_v1& OperationsOf(const Host& host) {
  const summa_operation_v1* service = host.operations();
  if (service == nullptr) {
    throw Error(SUMMA_E_CONFIG, "", "this host has no summa.operation/1",
                "Upgrade summa-host, or declare `operations` in the manifest.");
  }
  return *service;
}

inline OperationView ToView(const summa_operation_view& view) {
  OperationView result;
  result.id = view.id;
  result.state = static_cast<OperationState>(view.state);
  result.done = view.done;
  result.rate = view.rate;
  if (view.total >= 0) result.total = view.total;
  result.rows_per_second = view.rows_per_second;
  result.phase = view.phase;
  result.error = view.error;
  return result;
}

// Behind the function pointers of summa_operation_run.
struct OperationThunks {
  const OperationBinding& binding;
  const WorkCaller& caller;

  static OperationThunks& Self(void* self) { return *static_cast<OperationThunks*>(self); }
  static std::int32_t ShouldStop(void* self) { return Self(self).caller.should_stop() ? 1 : 0; }
  static std::int32_t Wait(void* self, std::int64_t microseconds) {
    return Self(self).caller.wait(std::chrono::microseconds(microseconds)) ? 1 : 0;
  }
  static std::int32_t Step(void* self, const summa_operation_step* abi, summa_error* error) {
    return Guard(error, [&] {
      const OperationBinding& bound = Self(self).binding;
      OperationStep step(abi);
      if ((abi->flags & SUMMA_STEP_UNDO) != 0) {
        if (bound.undo) bound.undo(step);
        step.Save({.phase = std::string(step.phase()),
                   .cursor = std::string(step.cursor()),
                   .finished = true});
        return SUMMA_OK;
      }
      if (const std::optional<OperationProgress> done = bound.step(step)) step.Save(*done);
      return SUMMA_OK;
    });
  }
};

}  // namespace detail

struct OperationRequest {
  std::string kind = {};
  std::string arguments = {};  // a JSON object, or empty
  std::optional<std::int64_t> total = std::nullopt;
  std::int64_t rate = 0;  // maximum rows per second; 0: no limit
  bool single = false;    // when one of the kind is open, use that one,
  bool set_rate = false;  // and set this rate for it, too
};

// Writes it to the journal in a separate transaction; returns its id.
inline std::int64_t StartOperation(const Host& host, const summa_sql_v1* sql,
                                   const OperationRequest& request) {
  const summa_operation_v1& service = detail::OperationsOf(host);
  std::uint32_t flags = request.single ? SUMMA_OPERATION_SINGLE : 0;
  if (request.set_rate) flags |= SUMMA_OPERATION_SET_RATE;
  const summa_operation_request abi = {
      sizeof abi,  flags, ToAbi(request.kind), ToAbi(request.arguments), request.total.value_or(-1),
      request.rate};
  std::int64_t id = 0;
  summa_error error = detail::EmptyError();
  detail::Check(service.start(service.self, sql, &abi, &id, &error), error);
  return id;
}

inline OperationView ReadOperation(const Host& host, const summa_sql_v1* sql, std::int64_t id) {
  const summa_operation_v1& service = detail::OperationsOf(host);
  summa_operation_view view{};
  view.struct_size = sizeof view;
  summa_error error = detail::EmptyError();
  detail::Check(service.look(service.self, sql, id, &view, &error), error);
  return detail::ToView(view);
}

struct OperationRunResult {
  OperationView last;     // the operation named by id, or the last one processed
  std::int64_t rows = 0;  // done in this call
};

// Does steps of one kind until nothing is ready, it is told to stop, or `limit` has passed (0: no
// limit). id 0: any operation that is ready. sql: that of the tick or the verb that has the
// worker's lease.
inline OperationRunResult RunOperation(const Host& host, const summa_sql_v1* sql,
                                       const WorkCaller& caller, const OperationBinding& binding,
                                       std::int64_t id = 0, std::chrono::microseconds limit = {}) {
  const summa_operation_v1& service = detail::OperationsOf(host);
  detail::OperationThunks thunks{binding, caller};
  summa_operation_run run{};
  run.struct_size = sizeof run;
  run.self = &thunks;
  run.kind = ToAbi(binding.kind);
  run.id = id;
  run.sql = sql;
  run.limit_microseconds = limit.count();
  run.should_stop = &detail::OperationThunks::ShouldStop;
  run.wait = &detail::OperationThunks::Wait;
  run.step = &detail::OperationThunks::Step;
  summa_operation_view view{};
  view.struct_size = sizeof view;
  OperationRunResult result;
  summa_error error = detail::EmptyError();
  detail::Check(service.run(service.self, &run, &view, &result.rows, &error), error);
  result.last = detail::ToView(view);
  return result;
}

// The worker that runs the operations of some kinds, one after the other. Continuous in the
// manifest, with `lease: required`.
class OperationWorker final : public Worker {
 public:
  OperationWorker(Host host, std::vector<OperationBinding> kinds)
      : host_(host), kinds_(std::move(kinds)) {}

  TickResult Run(const Tick& tick) override {
    const WorkCaller caller = CallerOf(host_, tick);
    TickResult result;
    for (const OperationBinding& kind : kinds_) {
      const OperationRunResult done = RunOperation(host_, tick.sql(), caller, kind, 0, kShare);
      result.items += done.rows;
      const bool going_on = done.last.state == OperationState::kRunning && done.last.error.empty();
      result.backlog |= going_on && done.rows > 0;
    }
    return result;
  }

 private:
  // Time limits: for one kind before the next has its turn, and for one call.
  static constexpr std::chrono::microseconds kShare = std::chrono::seconds(5);
  Host host_;
  std::vector<OperationBinding> kinds_;
};

// Shows the progress of the operation until it ends or is paused, or the verb is told to stop. The
// operation itself continues.
inline OperationView FollowOperation(const Host& host, const CommandCall& call, std::int64_t id) {
  constexpr std::chrono::milliseconds kInterval{500};
  for (;;) {
    OperationView view = ReadOperation(host, call.sql(), id);
    call.Progress(view.phase.empty() ? "operation " + std::to_string(id) : view.phase, view.done,
                  view.total.value_or(0));
    if (!view.open() || view.state == OperationState::kPaused || call.Wait(kInterval)) return view;
  }
}

}  // namespace summa
