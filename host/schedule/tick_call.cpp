#include "host/schedule/tick_call.hpp"

#include <algorithm>
#include <string>

#include "host/abi/foreign_text.hpp"
#include "host/abi/plugin_call.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

bool AsksToStop(const TickRequest& request) noexcept {
  try {
    return request.should_stop();
  } catch (...) {
    return true;  // asked wrongly is answered safely
  }
}

std::int32_t ShouldStop(const summa_tick* tick) noexcept {
  return AsksToStop(*static_cast<const TickRequest*>(tick->self)) ? 1 : 0;
}

std::int32_t Wait(const summa_tick* tick, std::int64_t microseconds) noexcept {
  try {
    return static_cast<const TickRequest*>(tick->self)->wait(Microseconds(microseconds)) ? 1 : 0;
  } catch (...) {
    return 1;
  }
}

std::string CodeOf(std::int32_t status) {
  switch (status) {
    case SUMMA_E_UNAVAILABLE:
      return "SH-0321";
    case SUMMA_E_FENCED:
      return "SH-0327";
    case SUMMA_E_CANCELLED:
      return "SH-0904";
    default:
      return "SH-0320";
  }
}

Error ErrorOf(std::int32_t status, const summa_error& error, const std::string& worker_id) {
  Error result;
  result.code = CleanCode(error.code);
  if (result.code.empty()) result.code = CodeOf(status);
  result.message = CleanField(error.message);
  if (result.message.empty()) {
    result.message = "the worker failed with status " + std::to_string(status) + " and no message";
  }
  result.sqlstate = CleanField(error.sqlstate);
  if (!result.sqlstate.empty()) result.message += " (SQLSTATE " + result.sqlstate + ")";
  result.hint = CleanField(error.hint);
  result.where = "worker " + worker_id;
  result.kind = CleanStatus(status);
  return result;
}

constexpr std::size_t kMaxThrownText = 512;  // as much as summa_error holds

TickOutcome Crossed(const std::string& what, const std::string& worker_id) {
  TickOutcome outcome;
  outcome.status = SUMMA_E_INTERNAL;
  outcome.error = {
      "SH-0322", "an exception left the worker's function" + CleanText(what, kMaxThrownText),
      "it is a defect of the plugin: functions of the C interface must return a status",
      "worker " + worker_id, SUMMA_E_INTERNAL};
  return outcome;
}

// What one call may have done: sums of it are kept for as long as the host runs.
constexpr std::int64_t kMaxItems = 1'000'000'000'000;
constexpr Microseconds kLongestHint = std::chrono::hours(24);

std::int64_t InRange(const char* what, std::int64_t value, std::int64_t most,
                     const TickRequest& request, const std::string& worker_id) {
  if (value >= 0 && value <= most) return value;
  Log(LogLevel::kWarn, "SH-0355", "a worker returned an impossible number",
      {{"worker", worker_id},
       {"plugin", std::string(request.plugin)},
       {"what", what},
       {"value", std::to_string(value)}});
  return std::clamp<std::int64_t>(value, 0, most);
}

}  // namespace

TickOutcome CallTick(const TickRequest& request) {
  const summa_worker& worker = *request.worker;
  const std::string id(worker.id.data, worker.id.size);
  summa_tick tick{};
  tick.struct_size = sizeof tick;
  tick.flags = request.flags;
  tick.self = const_cast<TickRequest*>(&request);  // read back as const only
  tick.worker_id = worker.id;
  tick.fence = request.fence;
  tick.sql = request.sql;
  tick.should_stop = ShouldStop;
  tick.wait = Wait;
  summa_tick_result result{};
  result.struct_size = sizeof result;
  result.wait_hint_microseconds = -1;

  const CallAnswer answer = CallPlugin(
      request.plugin, "the worker's function", id,
      [&](summa_error* error) { return worker.tick(worker.self, &tick, &result, error); });
  if (answer.thrown) return Crossed(*answer.thrown, id);
  TickOutcome outcome;
  outcome.status = answer.status;
  if (outcome.status != SUMMA_OK) {
    outcome.error = ErrorOf(outcome.status, answer.error, id);
    return outcome;
  }
  outcome.backlog = result.backlog != 0;
  outcome.items = InRange("items", result.items, kMaxItems, request, id);
  // Every negative number says that there is no hint.
  if (result.wait_hint_microseconds >= 0) {
    outcome.wait_hint = std::min(Microseconds(result.wait_hint_microseconds), kLongestHint);
  }
  return outcome;
}

}  // namespace summa::host
