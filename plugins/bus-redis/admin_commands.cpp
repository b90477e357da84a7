#include "plugins/bus-redis/admin_commands.hpp"

#include <functional>
#include <summa/json.hpp>

#include "plugins/bus-redis/json_text.hpp"

namespace summa::bus_redis {
namespace {

Catalog AllStreams(StreamAdmin& admin, const CommandCall& call) {
  return admin.Streams([&](std::int64_t keys) {
    call.Progress("keys looked at", keys);
    return !call.ShouldStop();
  });
}

// Does it with the named stream, else with all of them; what could not be looked after stands in
// "leftOut". True: streams were refused, so what was printed is not all there is.
bool WithEach(StreamAdmin& admin, const CommandCall& call, JsonWriter& json,
              const std::function<void(const std::string&)>& use) {
  if (const auto stream = call.Option("stream")) {
    use(*stream);
    json.EndArray();
    return false;
  }
  const auto left_out = admin.ForEach(AllStreams(admin, call), [&](const std::string& stream) {
    if (call.ShouldStop()) throw Error(SUMMA_E_CANCELLED, "SH-0904", "told to stop half-way");
    use(stream);
  });
  json.EndArray().Key("leftOut").BeginArray();
  bool refused = false;
  for (const LeftOut& key : left_out) {
    json.BeginObject().Member("key", AsUtf8(key.key)).Member("code", key.code);
    json.Member("reason", AsUtf8(key.reason)).EndObject();
    refused |= key.refused;
  }
  json.EndArray();
  return refused;
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

CommandResult ListStreams(StreamAdmin& admin, const CommandCall& call) {
  JsonWriter json;
  json.BeginObject().Key("streams").BeginArray();
  const bool refused = WithEach(admin, call, json, [&](const std::string& stream) {
    // Asked before anything is written: a stream that cannot be read leaves no half of it.
    const std::int64_t messages = admin.Length(stream);
    const auto groups = static_cast<std::int64_t>(admin.Groups(stream).size());
    const std::int64_t dead_letters = admin.DeadLetters(stream);
    json.BeginObject().Member("stream", stream).Member("messages", messages);
    json.Member("groups", groups).Member("deadLetters", dead_letters).EndObject();
  });
  return {json.EndObject().Take(), refused};
}

CommandResult ListGroups(StreamAdmin& admin, const CommandCall& call) {
  JsonWriter json;
  json.BeginObject().Key("groups").BeginArray();
  const bool refused = WithEach(admin, call, json, [&](const std::string& stream) {
    for (const GroupState& group : admin.Groups(stream)) WriteGroup(json, stream, group);
  });
  return {json.EndObject().Take(), refused};
}

CommandResult TrimStreams(StreamAdmin& admin, const CommandCall& call,
                          std::chrono::microseconds retention) {
  const bool dry_run = call.Flag("dry-run");
  std::int64_t removed = 0;
  JsonWriter json;
  json.BeginObject().Member("dryRun", dry_run).Key("streams").BeginArray();
  const bool refused = WithEach(admin, call, json, [&](const std::string& stream) {
    const TrimReport report = admin.Trim(stream, retention, dry_run);
    removed += report.removed;
    json.BeginObject().Member("stream", stream).Member("removed", report.removed);
    json.Member("belowId", report.below_id).TextOrNull("heldBy", report.held_by);
    json.Member("heldSeconds", report.held_seconds).EndObject();
  });
  json.Member("removed", removed).EndObject();
  return {json.Take(), refused};
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

}  // namespace summa::bus_redis
