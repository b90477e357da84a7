#include "plugins/bus-redis/housekeeping.hpp"

#include <algorithm>

namespace summa::bus_redis {
namespace {

// For skipped keys: enough to see what is wrong with them.
constexpr std::size_t kMaxWarnings = 10;

}  // namespace

TickResult StreamTrimmer::Run(const Tick& tick) {
  TickResult result;
  StreamAdmin admin = bus_->MakeAdmin();
  const auto go_on = [&](std::int64_t /*keys*/) { return !tick.ShouldStop(); };
  const auto left_out = admin.ForEach(admin.Streams(go_on), [&](const std::string& stream) {
    if (!tick.ShouldStop()) TrimOne(admin, stream, result);
  });
  Remember(left_out);
  const auto refused = std::find_if(left_out.begin(), left_out.end(),
                                    [](const LeftOut& key) { return key.refused; });
  if (refused == left_out.end()) return result;
  throw Error(SUMMA_E_DENIED, refused->code, refused->reason,
              "`summa-host doctor` names the rights that are missing; the other streams were "
              "trimmed");
}

// Each is reported once, until it is gone or has another problem.
void StreamTrimmer::Remember(const std::vector<LeftOut>& left_out) {
  std::map<std::string, LeftOut> now;
  for (const LeftOut& key : left_out) now.emplace(key.key, key);
  {
    const MutexLock lock(mutex_);
    left_out_.swap(now);
  }
  for (const LeftOut& key : left_out) {
    const auto before = now.find(key.key);
    if (before != now.end() && before->second.code == key.code) continue;
    host_.Warn("SH-0616", "a key was skipped; the other streams were trimmed",
               {{"key", key.key}, {"error", key.code + " " + key.reason}});
  }
  host_
      .Gauge("summa_bus_keys_left_out", "Keys under key_prefix that the last stream-trim skipped.",
             {{"bus", kBusId}})
      .Set(static_cast<double>(left_out.size()));
}

std::vector<Finding> StreamTrimmer::Warnings() const {
  const MutexLock lock(mutex_);
  std::vector<Finding> warnings;
  warnings.reserve(left_out_.size());
  for (const auto& [name, key] : left_out_) {
    if (warnings.size() == kMaxWarnings) break;
    warnings.push_back({Severity::kWarning, "key " + name,
                        "SH-0616 skipped by stream-trim: " + key.code + " " + key.reason, "",
                        "remove the key, or let the login use it; `summa-host bus streams` shows "
                        "all skipped keys"});
  }
  return warnings;
}

void StreamTrimmer::TrimOne(StreamAdmin& admin, const std::string& stream, TickResult& result) {
  const TrimReport report = admin.Trim(stream, retention_, false);
  for (const GroupState& group : admin.Groups(stream)) reporter_.Lag(ViewOf(stream, group));
  result.items += report.removed;
  host_
      .Counter("summa_bus_trimmed_messages_total", "Entries removed by stream-trim, by topic.",
               {{"bus", kBusId}, {"topic", stream}})
      .Add(static_cast<double>(report.removed));
  host_
      .Gauge("summa_bus_trim_held_seconds",
             "How far past stream_retention the oldest entry is that a group still needs, by "
             "topic; 0: nothing prevents trimming.",
             {{"bus", kBusId}, {"topic", stream}})
      .Set(static_cast<double>(report.held_seconds));
  if (report.held_by.empty()) return;
  host_.Warn("SH-0613", "a group prevents trimming",
             {{"stream", stream},
              {"group", report.held_by},
              {"past_retention_seconds", std::to_string(report.held_seconds)}});
}

}  // namespace summa::bus_redis
