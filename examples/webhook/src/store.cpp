#include "store.hpp"

#include <algorithm>
#include <optional>

namespace webhook {
namespace {

// Outside a transaction, where now() is the begin of the statement; clock_timestamp() could not be
// looked for in an index. A lane without a delivery is not left out: it would be the first one for
// ever.
constexpr std::string_view kDue = R"sql(
SELECT e.id AS endpoint, l.key, d.number, e.failures, e.openings
FROM webhook.endpoint e
CROSS JOIN LATERAL (
  SELECT key, due_at FROM webhook.lane
  WHERE endpoint = e.id AND due_at <= now()
  ORDER BY due_at LIMIT CASE WHEN e.openings = 0 THEN $1 ELSE 1 END) l
LEFT JOIN LATERAL (
  SELECT number FROM webhook.delivery
  WHERE endpoint = e.id AND key = l.key AND state = 'pending' ORDER BY number LIMIT 1) d ON true
WHERE NOT e.paused AND (e.not_before IS NULL OR e.not_before <= now())
ORDER BY l.due_at
)sql";

constexpr std::string_view kLetters = R"sql(
SELECT d.number, d.endpoint, e.url, d.message_id, d.type, d.happened_at, d.payload, d.attempts,
       (extract(epoch FROM coalesce(clock_timestamp() - d.first_attempt_at, '0')) * 1000000)::bigint
         AS age
FROM webhook.delivery d JOIN webhook.endpoint e ON e.id = d.endpoint
WHERE d.number = ANY ($1) AND d.state = 'pending'
)sql";

constexpr std::string_view kSecrets = R"sql(
SELECT endpoint, secret FROM webhook.secret
WHERE endpoint = ANY ($1) AND (expires_at IS NULL OR expires_at > clock_timestamp())
ORDER BY endpoint, created_at DESC
)sql";

// In the order in which the intake locks them.
constexpr std::string_view kLock = R"sql(
SELECT true AS locked FROM webhook.lane l
JOIN unnest($1::text[], $2::text[]) AS r (endpoint, key) USING (endpoint, key)
ORDER BY l.endpoint, l.key FOR UPDATE OF l
)sql";

constexpr std::string_view kDeliveries = R"sql(
UPDATE webhook.delivery d SET
  state = r.state,
  attempts = d.attempts + r.counted,
  first_attempt_at =
    coalesce(d.first_attempt_at, clock_timestamp() - r.took * interval '1 microsecond'),
  last_attempt_at = clock_timestamp(),
  last_status = nullif(r.status, 0),
  last_error = nullif(r.error, ''),
  settled_at = CASE WHEN r.state <> 'pending' THEN clock_timestamp() END
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
  AS r (number, state, counted, took, status, error)
WHERE d.number = r.number AND d.state = 'pending'
)sql";

constexpr std::string_view kLanes = R"sql(
UPDATE webhook.lane l SET due_at = clock_timestamp() + r.pause * interval '1 microsecond'
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS r (endpoint, key, pause)
WHERE l.endpoint = r.endpoint AND l.key = r.key
)sql";

// After the lock, in a statement of its own: it sees what was committed before the lock was had.
constexpr std::string_view kEmptyLanes = R"sql(
DELETE FROM webhook.lane l USING unnest($1::text[], $2::text[]) AS r (endpoint, key)
WHERE l.endpoint = r.endpoint AND l.key = r.key AND NOT EXISTS (
  SELECT FROM webhook.delivery d
  WHERE d.endpoint = l.endpoint AND d.key = l.key AND d.state = 'pending')
)sql";

constexpr std::string_view kEndpoints = R"sql(
UPDATE webhook.endpoint e SET
  failures = r.failures,
  openings = r.openings,
  last_error = nullif(r.error, ''),
  not_before = CASE
    WHEN r.hold > 0 THEN greatest(e.not_before, clock_timestamp() + r.hold * interval '1 microsecond')
    WHEN r.openings = 0 AND e.openings > 0 THEN NULL
    ELSE e.not_before END,
  paused = e.paused OR r.gone > 0,
  pause_reason = CASE WHEN r.gone > 0 THEN 'the endpoint answered 410' ELSE e.pause_reason END
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])
  AS r (id, failures, openings, hold, gone, error)
WHERE e.id = r.id
)sql";

constexpr std::string_view kOpenCircuits =
    "SELECT id, coalesce(last_error, '') AS error FROM webhook.endpoint "
    "WHERE openings > 0 AND NOT paused";

const char* NameOf(Result::State state) {
  switch (state) {
    case Result::State::kDelivered:
      return "delivered";
    case Result::State::kDead:
      return "dead";
    case Result::State::kPending:
      break;
  }
  return "pending";
}

// The results as columns.
struct Columns {
  std::vector<std::string> endpoint, key, state, error;
  std::vector<std::int64_t> number, counted, took, status, pause;

  explicit Columns(std::span<const Result> results) {
    for (const Result& result : results) {
      endpoint.push_back(result.endpoint);
      key.push_back(result.key);
      state.emplace_back(NameOf(result.state));
      error.push_back(result.error);
      number.push_back(result.number);
      counted.push_back(result.counted ? 1 : 0);
      took.push_back(result.took.count());
      status.push_back(result.status);
      pause.push_back(result.pause.count());
    }
  }
};

void RecordEndpoints(summa::Session& session,
                     const std::map<std::string, EndpointChange>& endpoints) {
  if (endpoints.empty()) return;
  std::vector<std::string> ids, errors;
  std::vector<std::int64_t> failures, openings, hold, gone;
  for (const auto& [id, change] : endpoints) {
    ids.push_back(id);
    failures.push_back(change.circuit.failures);
    openings.push_back(change.circuit.openings);
    hold.push_back(std::max(change.hold, change.open).count());
    gone.push_back(change.gone ? 1 : 0);
    errors.push_back(change.error);
  }
  session.Exec(kEndpoints,
               {summa::TextArray(ids), summa::IntegerArray(failures), summa::IntegerArray(openings),
                summa::IntegerArray(hold), summa::IntegerArray(gone), summa::TextArray(errors)});
}

}  // namespace

std::vector<Due> FindDue(summa::Session& session, std::int64_t per_endpoint) {
  std::vector<Due> due;
  const summa::Result rows = session.Exec(kDue, {per_endpoint});
  for (const summa::Row row : rows) {
    due.push_back({row.Get<std::string>("endpoint"),
                   row.Get<std::string>("key"),
                   row.Get<std::optional<std::int64_t>>("number").value_or(0),
                   {row.Get<std::int64_t>("failures"), row.Get<std::int64_t>("openings")}});
  }
  return due;
}

std::vector<Letter> ReadLetters(summa::Session& session, std::span<const std::int64_t> numbers) {
  std::vector<Letter> letters;
  const summa::Result rows = session.Exec(kLetters, {summa::IntegerArray(numbers)});
  for (const summa::Row row : rows) {
    letters.push_back({row.Get<std::int64_t>("number"), row.Get<std::string>("endpoint"),
                       row.Get<std::string>("url"), row.Get<std::string>("message_id"),
                       row.Get<std::string>("type"), row.Get<std::string>("happened_at"),
                       row.Get<std::string>("payload"), row.Get<std::int64_t>("attempts"),
                       Microseconds(row.Get<std::int64_t>("age"))});
  }
  return letters;
}

std::map<std::string, std::vector<std::string>> ReadSecrets(
    summa::Session& session, std::span<const std::string> endpoints) {
  std::map<std::string, std::vector<std::string>> secrets;
  const summa::Result rows = session.Exec(kSecrets, {summa::TextArray(endpoints)});
  for (const summa::Row row : rows) {
    secrets[row.Get<std::string>("endpoint")].push_back(row.Get<std::string>("secret"));
  }
  return secrets;
}

std::map<std::string, std::string> ReadOpenCircuits(summa::Session& session) {
  std::map<std::string, std::string> open;
  const summa::Result rows = session.Exec(kOpenCircuits);
  for (const summa::Row row : rows) {
    open.emplace(row.Get<std::string>("id"), row.Get<std::string>("error"));
  }
  return open;
}

void Record(summa::Session& session, std::span<const Result> results,
            const std::map<std::string, EndpointChange>& endpoints) {
  const Columns columns(results);
  const summa::Parameter endpoint = summa::TextArray(columns.endpoint);
  const summa::Parameter key = summa::TextArray(columns.key);
  session.Exec(kLock, {endpoint, key});
  session.Exec(kDeliveries,
               {summa::IntegerArray(columns.number), summa::TextArray(columns.state),
                summa::IntegerArray(columns.counted), summa::IntegerArray(columns.took),
                summa::IntegerArray(columns.status), summa::TextArray(columns.error)});
  session.Exec(kLanes, {endpoint, key, summa::IntegerArray(columns.pause)});
  session.Exec(kEmptyLanes, {endpoint, key});
  RecordEndpoints(session, endpoints);
}

void RemoveEmptyLanes(summa::Session& session,
                      std::span<const std::pair<std::string, std::string>> lanes) {
  std::vector<std::string> endpoints, keys;
  for (const auto& [endpoint, key] : lanes) {
    endpoints.push_back(endpoint);
    keys.push_back(key);
  }
  session.Exec(kLock, {summa::TextArray(endpoints), summa::TextArray(keys)});
  session.Exec(kEmptyLanes, {summa::TextArray(endpoints), summa::TextArray(keys)});
}

}  // namespace webhook
