#include "cleanup.hpp"

#include <algorithm>
#include <summa/crash_point.hpp>
#include <summa/sql.hpp>

#include "outbox_sql.hpp"
#include "processor.hpp"

namespace summa::outbox {
namespace {

// Longer rests would only make it last longer: by then the server is busy with something else.
constexpr std::chrono::microseconds kLongestRest = std::chrono::seconds(1);

}  // namespace

TickResult Cleanup::Run(const Tick& tick) {
  Session session(tick.sql());
  const auto rows = [&](std::string_view statement, std::initializer_list<Parameter> parameters) {
    session.Begin();
    const std::int64_t deleted = session.Exec(Statement(statement), parameters).affected_rows();
    CrashPoint("outbox.cleanup");
    session.Commit();
    return deleted;
  };
  TickResult result;
  result.items = InBatches(tick, [&] { return rows(sql::cleanup, {retention_.count(), kBatch}); });
  InBatches(tick, [&] {
    return rows(sql::cleanup_sent, {retention_.count(), Processor::kSettledMargin.count(), kBatch});
  });
  return result;
}

std::int64_t Cleanup::InBatches(const Tick& tick,
                                const std::function<std::int64_t()>& batch) const {
  std::int64_t deleted = 0;
  for (;;) {
    const std::chrono::microseconds started = host_.BootTime();
    const std::int64_t count = batch();
    deleted += count;
    if (count < kBatch || tick.ShouldStop()) return deleted;
    if (tick.Wait(std::min(host_.BootTime() - started, kLongestRest))) return deleted;
  }
}

}  // namespace summa::outbox
