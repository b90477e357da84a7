#include "verbs.hpp"

#include <optional>
#include <summa/json.hpp>
#include <summa/sql.hpp>

#include "http_url.hpp"
#include "sender.hpp"
#include "signature.hpp"

namespace webhook {
namespace {

using summa::CommandCall;
using summa::CommandResult;
using summa::JsonWriter;
using summa::Session;

constexpr std::string_view kAdd =
    "INSERT INTO webhook.endpoint (id, url, topics, holders) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (id) DO NOTHING";

constexpr std::string_view kList = R"sql(
SELECT e.id, e.url, to_json(e.topics)::text AS topics, to_json(e.holders)::text AS holders, e.paused,
       coalesce(e.pause_reason, '') AS pause_reason, e.failures, e.openings,
       coalesce(e.last_error, '') AS last_error,
       CASE WHEN e.not_before > clock_timestamp() THEN e.not_before END AS not_before,
       (SELECT count(*) FROM webhook.delivery d WHERE d.endpoint = e.id AND d.state = 'pending')
         AS pending,
       (SELECT count(*) FROM webhook.delivery d WHERE d.endpoint = e.id AND d.state = 'dead')
         AS dead
FROM webhook.endpoint e WHERE $1::text IS NULL OR e.id = $1 ORDER BY e.id
)sql";

constexpr std::string_view kFailures = R"sql(
SELECT message_id, type, key, state, attempts, coalesce(last_status, 0) AS status,
       coalesce(last_error, '') AS error, last_attempt_at
FROM webhook.delivery WHERE endpoint = $1 AND last_error IS NOT NULL AND state <> 'delivered'
ORDER BY last_attempt_at DESC LIMIT $2
)sql";

constexpr std::string_view kSecretsOf =
    "SELECT created_at, expires_at FROM webhook.secret WHERE endpoint = $1 AND "
    "(expires_at IS NULL OR expires_at > clock_timestamp()) ORDER BY created_at DESC";

constexpr std::string_view kResume =
    "UPDATE webhook.endpoint SET paused = false, pause_reason = NULL, failures = 0, openings = 0, "
    "not_before = NULL WHERE id = $1";

// In the order in which the sender locks them.
constexpr std::string_view kResumeLanes = R"sql(
WITH locked AS (
  SELECT key FROM webhook.lane WHERE endpoint = $1 ORDER BY key FOR UPDATE)
UPDATE webhook.lane l SET due_at = clock_timestamp()
FROM locked WHERE l.endpoint = $1 AND l.key = locked.key
)sql";

// What a removed endpoint has left, at most $2 rows.
constexpr std::string_view kDeleteLeft = R"sql(
DELETE FROM webhook.delivery WHERE number IN (
  SELECT number FROM webhook.delivery d
  WHERE endpoint = $1 AND NOT EXISTS (SELECT FROM webhook.endpoint WHERE id = d.endpoint)
  LIMIT $2)
)sql";

constexpr std::string_view kDeleteLeftLanes = R"sql(
DELETE FROM webhook.lane l
WHERE endpoint = $1 AND NOT EXISTS (SELECT FROM webhook.endpoint WHERE id = l.endpoint)
)sql";

constexpr std::string_view kExpire =
    "UPDATE webhook.secret SET expires_at = clock_timestamp() + $2 * interval '1 microsecond' "
    "WHERE endpoint = $1 AND (expires_at IS NULL OR "
    "expires_at > clock_timestamp() + $2 * interval '1 microsecond')";

// The next deliveries behind $2 that are to be sent again. $3: since when, in microseconds, or NULL;
// $4: the message, or NULL; $5: also what was accepted.
constexpr std::string_view kReplayable = R"sql(
SELECT number, key FROM webhook.delivery
WHERE endpoint = $1 AND number > $2 AND (state = 'dead' OR ($5 AND state = 'delivered'))
  AND ($3::bigint IS NULL OR settled_at >= clock_timestamp() - $3 * interval '1 microsecond')
  AND ($4::text IS NULL OR message_id = $4)
ORDER BY number LIMIT 1000
)sql";

// The lanes first, as everybody locks them.
constexpr std::string_view kReplayLanes = R"sql(
INSERT INTO webhook.lane (endpoint, key)
SELECT DISTINCT $1::text, key FROM unnest($2::text[]) AS k (key) ORDER BY 2
ON CONFLICT (endpoint, key) DO UPDATE SET due_at = clock_timestamp()
)sql";

constexpr std::string_view kReplay = R"sql(
UPDATE webhook.delivery SET state = 'pending', attempts = 0, first_attempt_at = NULL,
  settled_at = NULL
WHERE number = ANY ($1) AND state <> 'pending'
)sql";

std::vector<std::string> Split(const std::optional<std::string>& text) {
  std::vector<std::string> parts;
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    if (comma != 0) parts.emplace_back(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  return parts;
}

[[noreturn]] void NotFound(const std::string& id) {
  throw summa::Error(SUMMA_E_NOT_FOUND, "WH-0001", "there is no endpoint " + id,
                     "run `summa-host webhook list`");
}

// A statement about one endpoint, in a transaction of its own.
void Change(Session& session, std::string_view statement, const std::string& id) {
  session.Begin();
  if (session.Exec(statement, {id}).affected_rows() == 0) NotFound(id);
  session.Commit();
}

std::string AddSecret(Session& session, const std::string& id) {
  std::string secret = NewSecret();
  session.Exec("INSERT INTO webhook.secret (endpoint, secret) VALUES ($1, $2)", {id, secret});
  return secret;
}

// Deletes what a removed endpoint has left. False: told to stop before the end.
bool DeleteLeft(const CommandCall& call, Session& session, const std::string& id) {
  constexpr std::int64_t kBatch = 1000;
  std::int64_t deleted = 0;
  for (std::int64_t rows = kBatch; rows == kBatch; deleted += rows) {
    if (call.ShouldStop()) return false;
    session.Begin();
    rows = session.Exec(kDeleteLeft, {id, kBatch}).affected_rows();
    session.Commit();
    call.Progress("deleted", deleted + rows);
  }
  session.Begin();
  session.Exec(kDeleteLeftLanes, {id});
  session.Commit();
  return true;
}

CommandResult Add(const CommandCall& call, const Settings& settings) {
  const std::string id = *call.Option("id"), url = *call.Option("url");
  CheckUrl(url, settings.http.allow_http, settings.http.addresses);
  Session session(call.sql());
  // What was for another endpoint of this name must not go to this one.
  if (!DeleteLeft(call, session, id)) {
    throw summa::Error(SUMMA_E_CANCELLED, "", "told to stop before " + id + " was added",
                       "add it again");
  }
  session.Begin();
  const auto topics = Split(call.Option("topics")), holders = Split(call.Option("holders"));
  if (session.Exec(kAdd, {id, url, summa::TextArray(topics), summa::TextArray(holders)})
          .affected_rows() == 0) {
    throw summa::Error(SUMMA_E_USAGE, "WH-0003", "there is an endpoint " + id + " already",
                       "choose another id, or remove it first");
  }
  const std::string secret = AddSecret(session, id);
  session.Commit();
  JsonWriter json;
  json.BeginObject().Member("id", id).Member("url", url).Member("topics", topics);
  return {json.Member("holders", holders).Member("secret", secret).EndObject().Take(), false};
}

void WriteTime(JsonWriter& json, const char* name, std::optional<summa::DatabaseTime> time) {
  json.Key(name);
  if (time) {
    json.Value(summa::IsoText(*time));
  } else {
    json.Null();
  }
}

void WriteEndpoint(JsonWriter& json, const summa::Row& row) {
  const bool paused = row.Get<bool>("paused");
  const bool open = row.Get<std::int64_t>("openings") > 0;
  json.Member("id", row.Get<std::string_view>("id"));
  json.Member("state", paused ? "paused" : open ? "failing" : "active");
  json.Member("pending", row.Get<std::int64_t>("pending"));
  json.Member("dead", row.Get<std::int64_t>("dead"));
  json.Member("failures", row.Get<std::int64_t>("failures"));
  WriteTime(json, "notBefore", row.Get<std::optional<summa::DatabaseTime>>("not_before"));
  json.Member("url", row.Get<std::string_view>("url"));
  json.Key("topics").Raw(row.Get<std::string_view>("topics"));
  json.Key("holders").Raw(row.Get<std::string_view>("holders"));
  json.TextOrNull("lastError", row.Get<std::string_view>(paused ? "pause_reason" : "last_error"));
}

CommandResult List(const CommandCall& call) {
  Session session(call.sql());
  JsonWriter json;
  json.BeginObject().Key("endpoints").BeginArray();
  const summa::Result rows = session.Exec(kList, {nullptr});
  for (const summa::Row row : rows) {
    json.BeginObject();
    WriteEndpoint(json, row);
    json.EndObject();
  }
  return {json.EndArray().EndObject().Take(), false};
}

void WriteFailures(JsonWriter& json, const summa::Result& rows) {
  json.Key("latestFailures").BeginArray();
  for (const summa::Row row : rows) {
    json.BeginObject();
    for (const char* name : {"state", "key", "type"}) {
      json.Member(name, row.Get<std::string_view>(name));
    }
    json.Member("message", row.Get<std::string_view>("message_id"));
    json.Member("attempts", row.Get<std::int64_t>("attempts"));
    WriteTime(json, "lastAttemptAt", row.Get<summa::DatabaseTime>("last_attempt_at"));
    json.Member("status", row.Get<std::int64_t>("status"));
    json.Member("error", row.Get<std::string_view>("error")).EndObject();
  }
  json.EndArray();
}

CommandResult Show(const CommandCall& call) {
  const std::string id = *call.Option("id");
  Session session(call.sql());
  const summa::Result endpoints = session.Exec(kList, {id});
  if (endpoints.rows() == 0) NotFound(id);
  JsonWriter json;
  json.BeginObject();
  WriteEndpoint(json, endpoints[0]);
  json.Key("secrets").BeginArray();
  const summa::Result secrets = session.Exec(kSecretsOf, {id});
  for (const summa::Row row : secrets) {
    json.BeginObject();
    WriteTime(json, "createdAt", row.Get<summa::DatabaseTime>("created_at"));
    WriteTime(json, "expiresAt", row.Get<std::optional<summa::DatabaseTime>>("expires_at"));
    json.EndObject();
  }
  json.EndArray();
  WriteFailures(json, session.Exec(kFailures, {id, *call.IntegerOption("limit")}));
  return {json.EndObject().Take(), false};
}

// Sent from the process of the verb, so that its answer is seen at once; nothing is recorded.
CommandResult Test(const CommandCall& call, const summa::Host& host, const Settings& settings) {
  const std::string id = *call.Option("id");
  Session session(call.sql());
  const summa::Result rows = session.Exec("SELECT url FROM webhook.endpoint WHERE id = $1", {id});
  if (rows.rows() == 0) NotFound(id);
  const summa::UnixTime now = host.UnixNow();
  Letter letter;
  letter.url = rows.Value<std::string>();
  letter.message_id = "test_" + std::to_string(now.time_since_epoch().count());
  letter.type = "webhook.test";
  letter.happened_at = summa::IsoText(now);
  letter.payload = JsonWriter().BeginObject().Member("endpoint", id).EndObject().Take();
  auto secrets = ReadSecrets(session, std::vector<std::string>{id});
  const auto now_seconds = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch());
  HttpClient http(settings.http);
  http.Begin(1, RequestOf(letter, secrets[id], now_seconds.count()));
  std::vector<HttpClient::Finished> finished;
  while (finished.empty()) finished = http.Wait(settings.http.timeout);
  const HttpAnswer& answer = finished.front().answer;
  const Judgement judgement = Judge(answer, now, settings.longest_hold);
  const bool accepted = judgement.kind == Judgement::Kind::kAccepted;
  JsonWriter json;
  json.BeginObject().Member("id", id).Member("message", letter.message_id);
  json.Member("accepted", accepted).Member("status", answer.status);
  json.Member("answeredAfterMs", answer.took.count() / 1000).TextOrNull("reason", judgement.error);
  return {json.EndObject().Take(), !accepted};
}

CommandResult Pause(const CommandCall& call) {
  Session session(call.sql());
  const std::string id = *call.Option("id");
  Change(session,
         "UPDATE webhook.endpoint SET paused = true, pause_reason = 'paused by hand' WHERE id = $1",
         id);
  return {JsonWriter().BeginObject().Member("id", id).Member("paused", true).EndObject().Take(),
          false};
}

CommandResult Resume(const CommandCall& call) {
  Session session(call.sql());
  const std::string id = *call.Option("id");
  Change(session, kResume, id);
  session.Begin();
  session.Exec(kResumeLanes, {id});
  session.Commit();
  return {JsonWriter().BeginObject().Member("id", id).Member("paused", false).EndObject().Take(),
          false};
}

CommandResult Rotate(const CommandCall& call) {
  const std::string id = *call.Option("id");
  const std::int64_t overlap = call.Flag("at-once") ? 0 : *call.IntegerOption("overlap");
  Session session(call.sql());
  session.Begin();
  // Two that rotate at the same time come one after the other.
  if (session.Exec("SELECT id FROM webhook.endpoint WHERE id = $1 FOR NO KEY UPDATE", {id})
          .rows() == 0) {
    NotFound(id);
  }
  session.Exec(kExpire, {id, overlap});
  const std::string secret = AddSecret(session, id);
  session.Commit();
  JsonWriter json;
  json.BeginObject().Member("id", id).Member("secret", secret);
  return {json.Member("oldSecretsSignForMs", overlap / 1000).EndObject().Take(), false};
}

CommandResult Replay(const CommandCall& call) {
  const std::string id = *call.Option("id");
  Session session(call.sql());
  if (session.Exec("SELECT id FROM webhook.endpoint WHERE id = $1", {id}).rows() == 0) NotFound(id);
  const auto since = call.IntegerOption("since");
  const auto message = call.Option("message");
  const summa::Parameter since_or_null = since ? summa::Parameter(*since) : nullptr;
  const summa::Parameter message_or_null = message ? summa::Parameter(*message) : nullptr;
  std::int64_t replayed = 0, last = 0;
  while (!call.ShouldStop()) {
    const summa::Result rows = session.Exec(
        kReplayable, {id, last, since_or_null, message_or_null, call.Flag("delivered")});
    if (rows.rows() == 0) break;
    std::vector<std::int64_t> numbers;
    std::vector<std::string> keys;
    for (const summa::Row row : rows) {
      numbers.push_back(row.Get<std::int64_t>("number"));
      keys.push_back(row.Get<std::string>("key"));
    }
    session.Begin();
    session.Exec(kReplayLanes, {id, summa::TextArray(keys)});
    replayed += session.Exec(kReplay, {summa::IntegerArray(numbers)}).affected_rows();
    session.Commit();
    last = numbers.back();
    call.Progress("replayed", replayed);
  }
  return {
      JsonWriter().BeginObject().Member("id", id).Member("replayed", replayed).EndObject().Take(),
      false};
}

// What is left when the verb is stopped is deleted by webhook-cleanup.
CommandResult Remove(const CommandCall& call) {
  const std::string id = *call.Option("id");
  Session session(call.sql());
  session.Begin();
  if (session.Exec("DELETE FROM webhook.endpoint WHERE id = $1", {id}).affected_rows() == 0) {
    NotFound(id);
  }
  session.Exec("DELETE FROM webhook.secret WHERE endpoint = $1", {id});
  session.Commit();
  DeleteLeft(call, session, id);
  return {JsonWriter().BeginObject().Member("id", id).Member("removed", true).EndObject().Take(),
          false};
}

}  // namespace

std::vector<summa::CommandBinding> Verbs(const summa::Host& host, const Settings& settings) {
  return {{"webhook add", [&settings](const CommandCall& call) { return Add(call, settings); }},
          {"webhook list", List},
          {"webhook show", Show},
          {"webhook test",
           [host, &settings](const CommandCall& call) { return Test(call, host, settings); }},
          {"webhook pause", Pause},
          {"webhook resume", Resume},
          {"webhook rotate", Rotate},
          {"webhook replay", Replay},
          {"webhook remove", Remove}};
}

}  // namespace webhook
