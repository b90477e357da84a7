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
// Another host may have the lease by then, and reports it itself.
constexpr std::chrono::microseconds kKnownFor = std::chrono::hours(24);

}  // namespace

TickResult Cleanup::Run(const Tick& tick) {
  Session session(tick.sql());
  InBatches(tick, [&] {
    session.Begin();
    const std::int64_t deleted =
        session
            .Exec(Statement(sql::cleanup_sent),
                  {retention_.count(), Processor::kSettledMargin.count(), kBatch})
            .affected_rows();
    session.Commit();
    return deleted;
  });
  TickResult result;
  std::vector<Refusal> refused;
  InBatches(tick, [&] {
    const std::size_t before = refused.size();
    const std::int64_t found = DeleteRows(session, refused);
    result.items += found - static_cast<std::int64_t>(refused.size() - before);
    return found;
  });
  Report(std::move(refused));
  return result;
}

std::int64_t Cleanup::DeleteRows(Session& session, std::vector<Refusal>& refused) const {
  std::vector<Uuid> left;
  left.reserve(refused.size());
  for (const Refusal& refusal : refused) left.push_back(refusal.id);
  const Result due =
      session.Exec(Statement(sql::cleanup_due), {retention_.count(), kBatch, UuidArray(left)});
  std::vector<Uuid> ids;
  ids.reserve(due.rows());
  for (const summa::Row row : due) ids.push_back(row.Get<Uuid>("id"));
  CrashPoint("outbox.cleanup");
  const std::vector<Refusal> more = WriteApart(session, ids, [&](std::span<const Uuid> part) {
    session.Exec(Statement(sql::cleanup), {retention_.count(), UuidArray(part)});
  });
  refused.insert(refused.end(), more.begin(), more.end());
  CheckNumber(refused);
  return static_cast<std::int64_t>(ids.size());
}

void Cleanup::Report(std::vector<Refusal> refused) {
  const std::string listed = Listed(refused);
  if (!refused_.Set(std::move(refused), host_.BootNow())) return;
  host_.Log(SUMMA_LOG_ERROR, "SH-0511", "the ledger refuses to delete rows that were delivered",
            {{"rows", listed}});
}

std::vector<Finding> Cleanup::Failing() const {
  return refused_.Failing(host_.BootNow(), kKnownFor, "outbox: old rows",
                          "the ledger refuses to delete them");
}

void Cleanup::InBatches(const Tick& tick, const std::function<std::int64_t()>& batch) const {
  for (;;) {
    const BootTime started = host_.BootNow();
    if (batch() < kBatch || tick.ShouldStop()) return;
    if (tick.Wait(std::min(host_.BootNow() - started, kLongestRest))) return;
  }
}

}  // namespace summa::outbox
