#include "plugins/bus-redis/housekeeping.hpp"

#include <summa/sql.hpp>

#include "plugins/bus-redis/admin_commands.hpp"

namespace summa::bus_redis {
namespace {

// Rows of one transaction: some tens of milliseconds.
constexpr std::int64_t kInboxBatch = 10'000;

}  // namespace

TickResult StreamTrimmer::Run(const Tick& tick) {
  TickResult result;
  StreamAdmin admin = bus_->MakeAdmin();
  for (const std::string& stream : admin.Streams()) {
    if (tick.ShouldStop()) break;
    TrimOne(admin, stream, result);
  }
  return result;
}

void StreamTrimmer::TrimOne(StreamAdmin& admin, const std::string& stream, TickResult& result) {
  const TrimReport report = admin.Trim(stream, retention_, false);
  ReportGroups(host_, stream, admin.Groups(stream));
  result.items += report.removed;
  host_
      .Counter("summa_bus_trimmed_messages_total", "Entries removed by stream-trim.",
               {{"topic", stream}})
      .Add(static_cast<double>(report.removed));
  host_
      .Gauge("summa_bus_trim_held_seconds",
             "How far past stream_retention the oldest entry is that a group still needs.",
             {{"topic", stream}})
      .Set(static_cast<double>(report.held_seconds));
  if (report.held_by.empty()) return;
  host_.Warn("SH-0613", "a group holds trimming",
             {{"stream", stream},
              {"group", report.held_by},
              {"past_retention_seconds", std::to_string(report.held_seconds)}});
}

TickResult InboxCleaner::Run(const Tick& tick) {
  Session session(tick.sql());
  session.Begin();
  const std::int64_t deleted =
      session
          .Exec(
              "DELETE FROM summa_host.inbox WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
              "summa_host.inbox WHERE handled_at < now() - $1::bigint * interval '1 microsecond' "
              "LIMIT $2::bigint))",
              {retention_.count(), kInboxBatch})
          .affected_rows();
  session.Commit();
  return {deleted, deleted == kInboxBatch, std::nullopt};
}

}  // namespace summa::bus_redis
