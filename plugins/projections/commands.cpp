#include "commands.hpp"

#include <summa/json.hpp>
#include <summa/operation.hpp>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <vector>

#include "builds/rebuild.hpp"
#include "builds/rebuild_keys.hpp"
#include "builds/swap.hpp"
#include "builds/verify.hpp"
#include "engine/lag.hpp"
#include "engine/progress_table.hpp"
#include "projections_sql.hpp"
#include "reads_sql.hpp"
#include "source/ledger_lookup.hpp"

namespace summa::projections {
namespace {

constexpr std::chrono::milliseconds kLook{100};
constexpr int kListedKeys = 100;

// The id that the verb names, with or without "-view".
std::string ChosenId(const CommandCall& call, const CommandContext& context) {
  const std::string id = call.Option("id").value_or("");
  for (const std::string& candidate : {id, id + "-view"}) {
    if (context.catalog.Find(candidate) != nullptr) return candidate;
  }
  std::string known;
  for (const auto& [other, applier] : context.catalog.all()) {
    known += (known.empty() ? "" : ", ") + other;
  }
  throw Error(SUMMA_E_NOT_FOUND, "SH-0557", "no projection is called " + id,
              "Those of this host: " + known);
}

const Build& TheBuild(const std::vector<Build>& builds, const std::string& id,
                      const std::string& role = "live") {
  if (const Build* build = FindRole(builds, id, role)) return *build;
  throw Error(SUMMA_E_NOT_FOUND, "SH-0557", "the projection " + id + " has no " + role + " build",
              role == "live" ? "A running host makes it"
                             : "`summa-host projections rebuild " + id + "` makes one");
}

std::string UpdatedAt(Session& read, const Build& build) {
  return IsoText(
      read.Exec("SELECT updated_at FROM summa_read.projection_checkpoint WHERE projection = $1 AND "
                "build = $2",
                {build.projection, std::int32_t{build.number}})
          .Value<DatabaseTime>(),
      IsoDigits::kMilliseconds);
}

void WriteBuild(JsonWriter& json, Session& read, const Build& build, const Lag& lag) {
  json.BeginObject().Member("id", build.projection).Member("version", build.version);
  json.Member("state",
              build.paused_keys.empty() || build.state != "running" ? build.state : "keys_paused");
  json.Member("position", build.checkpoint.position).Member("headPosition", lag.head);
  json.Member("lagEvents", lag.events).Member("lagSeconds", lag.seconds);
  json.Member("holes", build.checkpoint.HolesText()).Member("updatedAt", UpdatedAt(read, build));
  json.Member("build", build.number).Member("role", build.role);
}

void WritePausedKeys(JsonWriter& json, Session& read, const Build& build) {
  json.Key("pausedKeys").BeginArray();
  for (const Row row :
       read.Exec(sql::paused_key_list,
                 {build.projection, std::int32_t{build.number}, std::int32_t{kListedKeys}})) {
    json.BeginObject().Member("key", ToText(row.Get<Uuid>("key")));
    json.Member("position", row.Get<std::int64_t>("position"));
    json.Member("eventType", row.Get<std::string>("event_type"));
    json.Member("error", row.Get<std::string>("error"));
    json.Member("waiting", row.Get<std::int64_t>("waiting")).EndObject();
  }
  json.EndArray();
}

// The newest rebuild of the projection.
void WriteOperation(JsonWriter& json, const CommandCall& call, const CommandContext& context,
                    const std::string& id) {
  Session session(call.sql());
  const Result found = session.Exec(sql::newest_rebuild, {std::string(kRebuildKind), id});
  json.Key("rebuild");
  if (found.rows() == 0) {
    json.Null();
    return;
  }
  const OperationView view =
      ReadOperation(context.host, call.sql(), found[0].Get<std::int64_t>("id"));
  json.BeginObject().Member("operation", std::to_string(view.id)).Member("phase", view.phase);
  json.Member("open", view.open()).Member("done", view.done).Member("total", view.total);
  json.Member("rowsPerSecond", view.rows_per_second).Key("etaSeconds");
  const bool loading = view.open() && view.total && view.rows_per_second > 0;
  loading ? json.Value(static_cast<double>(std::max<std::int64_t>(0, *view.total - view.done)) /
                       view.rows_per_second)
          : json.Null();
  json.TextOrNull("error", view.error).EndObject();
}

void WriteDifferences(JsonWriter& json, Session& read, const std::string& id) {
  json.Key("differences").BeginArray();
  for (const Row row : read.Exec(sql::differences, {id})) {
    json.BeginObject().Member("kind", row.Get<std::string>("kind"));
    json.Member("count", row.Get<std::int64_t>("count"));
    json.Member("lastAt", IsoText(row.Get<DatabaseTime>("last_at"), IsoDigits::kMilliseconds));
    json.Member("example", row.Get<std::string>("example")).EndObject();
  }
  json.EndArray();
}

// Of the event that --for names, by position or id.
std::int64_t NamedPosition(const CommandCall& call) {
  const std::string event = call.Option("for").value_or("");
  if (const std::optional<Uuid> id = ParseUuid(event)) {
    Session ledger(call.sql());
    const auto position = PositionOf(ledger, ledger::FindEvents(ledger), *id);
    if (position) return *position;
    throw Error(SUMMA_E_NOT_FOUND, "SH-0557", "the ledger has no event with the id " + event,
                "It may not be committed yet");
  }
  std::int64_t position = 0;
  const char* end = event.data() + event.size();
  const auto [read, failure] = std::from_chars(event.data(), end, position);
  if (failure == std::errc() && read == end && position > 0) return position;
  throw Error(SUMMA_E_USAGE, "SH-0557", event + " is neither the position nor the id of an event",
              "A position is a number, an id has the form 8-4-4-4-12 hexadecimal digits");
}

CommandResult Roles(const CommandCall& call, const CommandContext& context,
                    const std::string& from) {
  const std::string id = ChosenId(call, context);
  Session read(call.sql(), "read");
  for (;;) {
    const std::string reason = TrySwap(read, context.catalog, id, from);
    if (reason.empty()) break;
    call.Progress(reason, 0);
    if (call.Wait(kLook)) {
      throw Error(SUMMA_E_CANCELLED, "SH-0558",
                  "told to stop; readers see what they saw: " + reason, "Run it again");
    }
  }
  const std::vector<Build> builds = ReadBuilds(read);
  JsonWriter json;
  json.BeginObject().Member("id", id).Member("build", TheBuild(builds, id).number).EndObject();
  return {json.Take(), false};
}

CommandResult RebuildSomeKeys(const CommandCall& call, const Applier& applier) {
  std::set<Uuid> keys;
  const auto from = call.IntegerOption("from"), to = call.IntegerOption("to");
  if (const auto text = call.Option("key")) {
    const std::optional<Uuid> key = ParseUuid(*text);
    if (!key) throw Error(SUMMA_E_USAGE, "SH-0566", *text + " is not an id", "It is a UUID");
    keys.insert(*key);
  }
  if (from || to) {
    if (!from || !to || *from > *to) {
      throw Error(SUMMA_E_USAGE, "SH-0566", "--from and --to are not a range of positions",
                  "Give both, the lower one first");
    }
    keys.merge(KeysBetween(call.sql(), applier, *from, *to));
  }
  const RebuiltKeys rebuilt = RebuildKeys(call.sql(), applier, keys, [&](std::int64_t done) {
    call.Progress("keys", done, static_cast<std::int64_t>(keys.size()));
    return call.ShouldStop();
  });
  JsonWriter json;
  json.BeginObject().Member("keys", rebuilt.keys).Member("events", rebuilt.events).EndObject();
  return {json.Take(), false};
}

}  // namespace

CommandResult ListProjections(const CommandCall& call, const CommandContext&) {
  Session ledger(call.sql()), read(call.sql(), "read");
  const std::vector<Build> builds = ReadBuilds(read);
  const std::vector<Lag> lags = ReadLag(ledger, ledger::FindEvents(ledger), builds);
  JsonWriter json;
  json.BeginObject().Key("projections").BeginArray();
  for (std::size_t i = 0; i < builds.size(); ++i) {
    WriteBuild(json, read, builds[i], lags[i]);
    json.EndObject();
  }
  return {json.EndArray().EndObject().Take(), false};
}

CommandResult ShowProjection(const CommandCall& call, const CommandContext& context) {
  const std::string id = ChosenId(call, context);
  Session ledger(call.sql()), read(call.sql(), "read");
  const Build build = TheBuild(ReadBuilds(read), id);
  const Lag lag = ReadLag(ledger, ledger::FindEvents(ledger), std::vector<Build>{build}).front();
  JsonWriter json;
  WriteBuild(json, read, build, lag);
  json.TextOrNull("failure", build.error);
  WritePausedKeys(json, read, build);
  WriteOperation(json, call, context, id);
  WriteDifferences(json, read, id);
  return {json.EndObject().Take(), false};
}

CommandResult RebuildProjection(const CommandCall& call, const CommandContext& context) {
  const std::string projection = ChosenId(call, context);
  if (call.Option("key") || call.IntegerOption("from") || call.IntegerOption("to")) {
    return RebuildSomeKeys(call, *context.catalog.Find(projection));
  }
  JsonWriter arguments;
  arguments.BeginObject().Member("projection", projection);
  arguments.Member("sessions", call.IntegerOption("sessions").value_or(2));
  arguments.Member("swap", !call.Flag("no-swap")).EndObject();
  OperationRequest request;
  request.kind = kRebuildKind;
  request.arguments = arguments.Take();
  request.rate = call.IntegerOption("rate").value_or(0);
  const std::int64_t id = StartOperation(context.host, call.sql(), request);
  const OperationView view = call.Flag("detach") ? ReadOperation(context.host, call.sql(), id)
                                                 : FollowOperation(context.host, call, id);
  JsonWriter json;
  json.BeginObject().Member("operation", std::to_string(id)).Member("phase", view.phase);
  json.Member("done", view.done).Member("finished", view.state == OperationState::kDone);
  json.TextOrNull("failure", view.error).EndObject();
  return {json.Take(), view.state == OperationState::kFailed};
}

CommandResult VerifyProjection(const CommandCall& call, const CommandContext& context) {
  const std::string id = ChosenId(call, context);
  if (!CanVerify(id)) {
    throw Error(SUMMA_E_USAGE, "SH-0557",
                "the ledger has nothing that " + id + " can be compared with",
                "`summa-host projections rebuild " + id + "` makes it anew from the events");
  }
  Session ledger(call.sql()), read(call.sql(), "read");
  const Verification found = Verify(
      call.sql(), ledger::FindEvents(ledger),
      TheBuild(ReadBuilds(read), id, call.Option("role").value_or("live")), [&](std::int64_t rows) {
        call.Progress("compared", rows);
        return call.ShouldStop();
      });
  const bool sound = found.differences == 0 && found.in_flight == 0;
  if (sound && call.Option("role").value_or("live") == "live") {
    read.Begin();
    read.Exec("DELETE FROM summa_read.projection_difference WHERE projection = $1", {id});
    read.Commit();
  }
  JsonWriter json;
  json.BeginObject().Member("rows", found.rows).Member("differences", found.differences);
  json.Member("inFlight", found.in_flight).Key("examples").BeginArray();
  for (const Difference& one : found.examples) {
    json.BeginObject().Member("key", one.key).TextOrNull("ledger", one.ledger);
    json.TextOrNull("readModel", one.read_model).EndObject();
  }
  return {json.EndArray().EndObject().Take(), found.differences > 0};
}

CommandResult SwapProjection(const CommandCall& call, const CommandContext& context) {
  return Roles(call, context, "next");
}

CommandResult RollbackProjection(const CommandCall& call, const CommandContext& context) {
  return Roles(call, context, "old");
}

CommandResult PauseProjection(const CommandCall& call, const CommandContext& context) {
  const std::string id = ChosenId(call, context);
  Session read(call.sql(), "read");
  read.Begin();
  SetState(read, TheBuild(ReadBuilds(read), id), "paused", "");
  read.Commit();
  return {R"({"id":")" + id + R"(","state":"paused"})", false};
}

CommandResult ResumeProjection(const CommandCall& call, const CommandContext& context) {
  const std::string id = ChosenId(call, context);
  const std::optional<std::string> key = call.Option("key");
  if (key && !ParseUuid(*key)) {
    throw Error(SUMMA_E_USAGE, "SH-0557", *key + " is not an id",
                "`projections status` lists them");
  }
  Session read(call.sql(), "read");
  read.Begin();
  const Build build = TheBuild(ReadBuilds(read), id);
  SetState(read, build, "running", "");
  const Result keys = read.Exec(
      "UPDATE summa_read.projection_paused_key SET resume = true WHERE projection = $1 AND build = "
      "$2 AND ($3::uuid IS NULL OR key = $3)",
      {id, std::int32_t{build.number}, key ? Parameter(*key) : Parameter(nullptr)});
  read.Commit();
  JsonWriter json;
  json.BeginObject().Member("id", id).Member("state", "running");
  json.Member("keys", keys.affected_rows()).EndObject();
  return {json.Take(), false};
}

CommandResult ShowReadModel(const CommandCall& call, const CommandContext&) {
  Session read(call.sql(), "read");
  const std::string what = call.Option("what").value_or(""),
                    first = call.Option("first").value_or(""),
                    second = call.Option("second").value_or("");
  const auto data = [&](std::string_view statement, std::initializer_list<Parameter> parameters) {
    const Result found = read.Exec(statement, parameters);
    const auto json =
        found.rows() == 0 ? std::nullopt : found[0].Get<std::optional<std::string>>("data");
    if (json) return *json;
    throw Error(SUMMA_E_NOT_FOUND, "SH-0557", "the read models have no such " + what,
                "Check the id; `projections list` says how far they are behind");
  };
  if (what == "holder") {
    return {R"({"holder":)" + data(reads_sql::dashboard, {first, second}) + "}", false};
  }
  if (!ParseUuid(first)) {
    throw Error(SUMMA_E_USAGE, "SH-0557", first + " is not the id of an account",
                "An id has the form 8-4-4-4-12 hexadecimal digits");
  }
  const std::string account = data(reads_sql::balance, {first});
  return {R"({"account":)" + account + R"(,"statement":)" +
              data(reads_sql::statement, {first, call.IntegerOption("limit").value_or(20)}) + "}",
          false};
}

CommandResult WaitForEvent(const CommandCall& call, const CommandContext& context) {
  const std::string id = ChosenId(call, context);
  const std::int64_t position = NamedPosition(call);
  Session read(call.sql(), "read");
  for (;;) {
    const Build build = TheBuild(ReadBuilds(read), id);
    if (build.checkpoint.Has(position)) break;
    call.Progress("position", build.checkpoint.position, position);
    if (call.Wait(kLook)) {
      throw Error(SUMMA_E_CANCELLED, "SH-0558",
                  build.Name() + " has not come to position " + std::to_string(position) + " yet",
                  "Wait longer");
    }
  }
  JsonWriter json;
  json.BeginObject().Member("id", id).Member("position", position).EndObject();
  return {json.Take(), false};
}

}  // namespace summa::projections
