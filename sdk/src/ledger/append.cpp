#include "guard.hpp"

#include <summa/ledger/append.hpp>
#include <summa/ledger/canonical_json.hpp>
#include <summa/ledger/hash.hpp>

#include <map>
#include <utility>

namespace summa::ledger {
namespace {

using Key = std::pair<std::string, Uuid>;
struct Head {
  std::int64_t version = 0;
  std::optional<std::string> hash;
};

[[noreturn]] void Conflict(const std::string& what) {
  throw Error(SUMMA_E_TRY_LATER, "SH-0804",
              "the aggregate was changed by another transaction: " + what,
              "Roll back, read the aggregate again and decide again");
}

std::string Name(const Key& key) { return key.first + "/" + ToText(key.second); }

std::string LastOf(const EventTable& table) {
  return "SELECT " + table.version + "::bigint AS version, " + table.hash + " AS hash FROM " +
         table.name + " WHERE aggregate_type = $1 AND aggregate_id = $2 ORDER BY " + table.version +
         " DESC LIMIT 1";
}

// Of a guarded table: the guard demands that an event follows its head, so the partitions, each of
// which would be searched, have nothing to add. Without one they are searched all the same.
std::string HeadOf() {
  return std::string("SELECT version, hash FROM ") + kHeads +
         " WHERE aggregate_type = $1 AND aggregate_id = $2";
}

// In the order of the keys, the same for everybody.
std::map<Key, Head> LockHeads(Session& session, const EventTable& table,
                              std::span<const NewEvent> events) {
  std::map<Key, Head> heads;
  for (const NewEvent& event : events)
    heads.try_emplace({event.aggregate_type, event.aggregate_id});
  const bool guarded = table.partitioned && IsGuarded(session, table);
  for (auto& [key, head] : heads) {
    session.Exec("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", {"summa " + Name(key)});
    // A separate statement after the lock: it sees what the previous holder has committed.
    Result last =
        session.Exec(guarded ? HeadOf() : LastOf(table), {key.first, UuidValue(key.second)});
    if (guarded && last.rows() == 0) {
      last = session.Exec(LastOf(table), {key.first, UuidValue(key.second)});
    }
    if (last.rows() == 0) continue;
    head = {last[0].Get<std::int64_t>("version"), last[0].Get<std::string>("hash")};
  }
  return heads;
}

// The columns of the new rows, as arrays of the same length.
struct Columns {
  std::vector<std::string> types, event_types, data, previous, hashes, correlations;
  std::vector<Uuid> ids;
  std::vector<std::int64_t> versions;
};

Columns Link(std::span<const NewEvent> events, std::map<Key, Head> heads, std::string_view secret) {
  Canonicalizer canonicalizer;
  Hasher hasher(secret);
  Columns c;
  for (const NewEvent& event : events) {
    const Key key{event.aggregate_type, event.aggregate_id};
    Head& head = heads[key];
    if (event.expected_version && *event.expected_version != head.version) {
      Conflict(Name(key) + " has version " + std::to_string(head.version) + ", expected " +
               std::to_string(*event.expected_version));
    }
    std::optional<std::string_view> previous;
    if (head.hash) previous = *head.hash;
    std::string hash = hasher.Event(previous, canonicalizer.EventData(event.event_data)).string();
    c.types.push_back(event.aggregate_type);
    c.ids.push_back(event.aggregate_id);
    c.event_types.push_back(event.event_type);
    c.data.push_back(event.event_data);
    c.versions.push_back(++head.version);
    c.previous.push_back(head.hash.value_or(""));  // no hash is empty
    c.correlations.push_back(event.correlation_id);
    c.hashes.push_back(hash);
    head.hash = std::move(hash);
  }
  return c;
}

std::string InsertStatement(const EventTable& table) {
  return "INSERT INTO " + table.name + " (aggregate_type, aggregate_id, event_type, event_data, " +
         table.version + ", " + table.previous_hash + ", " + table.hash +
         ", correlation_id) SELECT type, id, event_type, data::jsonb, version, nullif(previous, "
         "''), "
         "hash, nullif(correlation, '') FROM unnest($1::text[], $2::uuid[], $3::text[], "
         "$4::text[], "
         "$5::bigint[], $6::text[], $7::text[], $8::text[]) WITH ORDINALITY AS n (type, id, "
         "event_type, data, version, previous, hash, correlation, number) ORDER BY number "
         "RETURNING "
         "id, " +
         table.version + "::bigint AS version, " + table.position + "::bigint AS position, " +
         table.hash + " AS hash";
}

}  // namespace

std::vector<AppendedEvent> Append(Session& session, const EventTable& table,
                                  std::span<const NewEvent> events, std::string_view hmac_secret) {
  if (table.layout != Layout::kPlan) {
    throw Error(SUMMA_E_CONFIG, "SH-0805", "events are appended to a ledger of layout plan only",
                "On the deployed layout Summa appends its events itself");
  }
  if (events.empty()) return {};
  const Columns c = Link(events, LockHeads(session, table, events), hmac_secret);
  std::vector<AppendedEvent> appended(events.size());
  try {
    const Result made = session.Exec(
        InsertStatement(table), {TextArray(c.types), UuidArray(c.ids), TextArray(c.event_types),
                                 TextArray(c.data), IntegerArray(c.versions), TextArray(c.previous),
                                 TextArray(c.hashes), TextArray(c.correlations)});
    for (std::size_t i = 0; i < made.rows(); ++i) {
      const Row row = made[i];
      appended[i] = {row.Get<Uuid>("id"), row.Get<std::int64_t>("version"),
                     row.Get<std::int64_t>("position"), row.Get<std::string>("hash")};
    }
  } catch (const Error& error) {
    if (error.sqlstate() == "23505") Conflict(error.what());
    throw;
  }
  return appended;
}

}  // namespace summa::ledger
