#include "plugins/bus-redis/admin_commands.hpp"

#include <summa/json.hpp>

namespace summa::bus_redis {
namespace {

std::vector<std::string> Chosen(StreamAdmin& admin, const CommandCall& call) {
  if (const auto stream = call.Option("stream")) return {*stream};
  return admin.Streams();
}

void WriteGroup(JsonWriter& json, std::string_view stream, const GroupState& group) {
  json.BeginObject().Member("stream", stream).Member("group", group.name);
  json.Member("consumers", group.consumers).Member("pending", group.pending).Key("lag");
  if (group.lag) {
    json.Value(*group.lag);
  } else {
    json.Null();
  }
  json.Member("lastDeliveredId", group.last_delivered_id);
  json.TextOrNull("lowestPendingId", group.lowest_pending_id).Key("idleSeconds");
  if (group.idle_seconds < 0) {
    json.Null();
  } else {
    json.Value(group.idle_seconds);
  }
  json.EndObject();
}

CommandResult GroupResult(const std::string& stream, const std::string& group) {
  JsonWriter json;
  json.BeginObject().Member("stream", stream).Member("group", group).EndObject();
  return {json.Take(), false};
}

}  // namespace

CommandResult ListStreams(StreamAdmin& admin) {
  JsonWriter json;
  json.BeginObject().Key("streams").BeginArray();
  for (const std::string& stream : admin.Streams()) {
    json.BeginObject().Member("stream", stream).Member("messages", admin.Length(stream));
    json.Member("groups", static_cast<std::int64_t>(admin.Groups(stream).size()));
    json.Member("deadLetters", admin.DeadLetters(stream)).EndObject();
  }
  return {json.EndArray().EndObject().Take(), false};
}

CommandResult ListGroups(StreamAdmin& admin, const CommandCall& call) {
  JsonWriter json;
  json.BeginObject().Key("groups").BeginArray();
  for (const std::string& stream : Chosen(admin, call)) {
    for (const GroupState& group : admin.Groups(stream)) WriteGroup(json, stream, group);
  }
  return {json.EndArray().EndObject().Take(), false};
}

CommandResult TrimStreams(StreamAdmin& admin, const CommandCall& call,
                          std::chrono::microseconds retention) {
  const bool dry_run = call.Flag("dry-run");
  std::int64_t removed = 0;
  JsonWriter json;
  json.BeginObject().Member("dryRun", dry_run).Key("streams").BeginArray();
  for (const std::string& stream : Chosen(admin, call)) {
    const TrimReport report = admin.Trim(stream, retention, dry_run);
    removed += report.removed;
    json.BeginObject().Member("stream", stream).Member("removed", report.removed);
    json.Member("belowId", report.below_id).TextOrNull("heldBy", report.held_by);
    json.Member("heldSeconds", report.held_seconds).EndObject();
  }
  json.EndArray().Member("removed", removed).EndObject();
  return {json.Take(), false};
}

CommandResult CreateGroup(StreamAdmin& admin, const CommandCall& call) {
  const std::string stream = call.Option("stream").value_or("");
  const std::string group = call.Option("group").value_or("");
  admin.CreateGroup(stream, group, call.Option("from").value_or("0"));
  return GroupResult(stream, group);
}

CommandResult DeleteGroup(StreamAdmin& admin, const CommandCall& call) {
  const std::string stream = call.Option("stream").value_or("");
  const std::string group = call.Option("group").value_or("");
  for (const GroupState& state : admin.Groups(stream)) {
    const bool needed = state.pending > 0 || state.lag.value_or(1) > 0;
    if (state.name != group || !needed || call.Flag("force")) continue;
    std::string text = "the group " + group + " has not handled everything of ";
    text.append(stream).append(": ").append(std::to_string(state.pending)).append(" pending");
    throw Error(SUMMA_E_USAGE, "SH-0611", text, "let it catch up, or add --force");
  }
  admin.DeleteGroup(stream, group);
  return GroupResult(stream, group);
}

CommandResult ResetGroup(StreamAdmin& admin, const CommandCall& call) {
  const std::string stream = call.Option("stream").value_or("");
  const std::string group = call.Option("group").value_or("");
  admin.ResetGroup(stream, group, call.Option("from").value_or("0"));
  return GroupResult(stream, group);
}

void ReportGroups(const Host& host, std::string_view stream,
                  const std::vector<GroupState>& groups) {
  for (const GroupState& group : groups) {
    const auto gauge = [&](std::string_view name, std::string_view help, std::int64_t value) {
      host.Gauge(name, help, {{"bus", "bus-redis"}, {"topic", stream}, {"group", group.name}})
          .Set(static_cast<double>(value));
    };
    if (group.lag) {
      gauge("summa_bus_consumer_lag_messages", "Messages the group was not given yet.", *group.lag);
    }
    gauge("summa_bus_in_flight_messages", "Messages given and not acknowledged.", group.pending);
  }
}

}  // namespace summa::bus_redis
