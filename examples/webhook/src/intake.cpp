#include "intake.hpp"

#include <algorithm>
#include <summa/crash_point.hpp>
#include <utility>

namespace webhook {
namespace {

// $1 id, $2 type, $3 key, $4 timestamp, $5 payload. The holder is that of the payload, or of the
// account that it names. Endpoints are locked against `webhook remove`: what it deletes then is all
// that there is. Lanes are locked in the order of their names: the sender does the same.
constexpr std::string_view kStore = R"sql(
WITH message AS (
  SELECT $1::text AS id, $2::text AS type, $3::text AS key, $4::text AS happened_at,
         $5::json AS payload
), wanted AS (
  SELECT e.id FROM webhook.endpoint e, message m
  WHERE (e.topics = '{}' OR EXISTS (
          SELECT FROM unnest(e.topics) AS t (topic)
          WHERE CASE WHEN right(topic, 1) = '*'
                     THEN starts_with(m.type, left(topic, -1)) ELSE m.type = topic END))
    AND (e.holders = '{}' OR coalesce(
          m.payload->>'holderId',
          CASE WHEN m.payload->>'accountId' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
               THEN (SELECT a.holder_id::text FROM account_balance a
                     WHERE a.id = (m.payload->>'accountId')::uuid) END) = ANY (e.holders))
  FOR KEY SHARE OF e
), lanes AS (
  INSERT INTO webhook.lane AS l (endpoint, key)
  SELECT w.id, m.key FROM wanted w, message m ORDER BY w.id
  ON CONFLICT (endpoint, key) DO UPDATE SET due_at = l.due_at
)
INSERT INTO webhook.delivery (endpoint, key, message_id, type, happened_at, payload)
SELECT w.id, m.key, m.id, m.type, m.happened_at, m.payload FROM wanted w, message m
ON CONFLICT (endpoint, message_id) DO NOTHING
)sql";

summa::SubscribeOptions Options(std::vector<std::string> topics) {
  summa::SubscribeOptions options;
  options.topics = std::move(topics);
  options.group = "webhook";
  options.concurrency = 4;  // each holds a session of the host's pool
  return options;
}

// It becomes a header: a line break in it would make headers of the sender's choice.
void CheckId(std::string_view id) {
  constexpr std::size_t kMaximumBytes = 200;
  const bool printable =
      std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (printable && !id.empty() && id.size() <= kMaximumBytes) return;
  throw summa::Error(SUMMA_E_DATA, "WH-0008",
                     "a message has an id that cannot be the value of the header webhook-id",
                     "ids have 1 to 200 visible characters of ASCII");
}

}  // namespace

Intake::Intake(summa::Host host, std::vector<std::string> topics)
    : LeasedConsumer(host, Options(std::move(topics))) {}

void Intake::Handle(const summa::LeasedMessage& message) {
  summa::CrashPoint("webhook.message");
  CheckId(message.id);
  // Messages without a key have no order among themselves.
  const std::string_view key = message.key.empty() ? message.id : message.key;
  message.Once([&](summa::Session& session) {
    session.Exec(kStore, {message.id, message.type, key, message.timestamp, message.payload});
  });
  summa::CrashPoint("webhook.stored");
}

}  // namespace webhook
