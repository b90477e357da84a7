#include "tests/faults/observation.hpp"

#include <algorithm>

#include "tests/fixture/ledger.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/shared_data.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

// Added to the lease's time: the server's own clock work, and a slow machine.
constexpr std::chrono::milliseconds kLeaseGrace{1'000};

// Whether a session name or a lease holder, both `summa-host/NAME...`, is of a host that runs.
bool IsLiving(const std::string& text, const std::set<std::string>& hosts) {
  const std::string prefix = "summa-host/";
  if (text.rfind(prefix, 0) != 0) return false;
  const std::size_t end = text.find_first_of("/ ", prefix.size());
  return hosts.contains(text.substr(prefix.size(), end - prefix.size()));
}

std::vector<std::string> OfDeadHosts(const Rows& rows, const std::set<std::string>& living) {
  std::vector<std::string> texts;
  for (const Row& row : rows) {
    if (!IsLiving(row.at(0), living)) texts.push_back(row.at(0) + ": " + row.at(1));
  }
  return texts;
}

std::vector<std::string> OpenTransactions(Db& db, const std::set<std::string>& living) {
  return OfDeadHosts(
      db.Query("SELECT application_name, state || ' in a transaction, last: ' || left(query, 200) "
               "FROM pg_stat_activity WHERE datname = current_database() AND application_name "
               "LIKE 'summa-host%' AND xact_start IS NOT NULL "
               "UNION ALL SELECT 'prepared transaction', gid FROM pg_prepared_xacts"),
      living);
}

// `idle:` marks a row that only tells Summa's own runners to stay away.
std::vector<std::string> HeldLeases(Db& db, const std::set<std::string>& living) {
  return OfDeadHosts(
      db.Query("SELECT lease_holder, worker_id || ' until ' || lease_until FROM worker_lease "
               "WHERE lease_until > clock_timestamp() AND NOT starts_with(lease_holder, 'idle:')"),
      living);
}

std::vector<OutboxRecord> ReadRows(Db& db) {
  const Rows rows = db.Query(
      "SELECT id, o.topic, p.ordering_key, coalesce(p.position::text, ''), "
      "o.payload::text, status, processed_at IS NOT NULL, last_error IS NOT NULL FROM outbox o "
      "LEFT JOIN fixture.outbox_position p USING (id)");
  std::vector<OutboxRecord> records;
  records.reserve(rows.size());
  for (const Row& row : rows) {
    records.push_back(
        {row[0], row[1], row[2], row[3], row[4], row[5], row[6] == "t", row[7] == "t"});
  }
  return records;
}

void ReadFences(Db& db, Observation& seen) {
  if (db.Count("SELECT count(*) FROM pg_tables WHERE schemaname = 'fixture' AND tablename = "
               "'fence_log'") == 0) {
    return;
  }
  for (const Row& row : db.Query("SELECT worker, host, fence FROM fixture.fence_log "
                                 "ORDER BY number")) {
    seen.fences.push_back({row[0], row[1], std::stoll(row[2])});
  }
  for (const Row& row :
       db.Query("SELECT worker, relation, transaction, written_by, coalesce(fence_owner, '?'), "
                "coalesce(fence, 0) FROM fixture.guarded_write ORDER BY transaction")) {
    seen.writes.push_back({row[0], row[1], row[2], row[3], row[4], std::stoll(row[5])});
  }
}

}  // namespace

std::vector<DeliveredMessage> ReadRedisStreams(const std::string& url, const std::string& prefix) {
  RedisClient client(url);
  std::vector<DeliveredMessage> all;
  for (const std::string& stream : client.Keys(prefix + ":stream:*")) {
    for (StreamMessage& message : client.StreamMessages(stream)) {
      auto& fields = message.fields;
      all.push_back({stream, fields["id"], fields["type"], fields["key"], fields["position"],
                     fields["payload"]});
    }
  }
  return all;
}

void WatchFences(PostgresServer& server, const std::string& database, const std::string& worker,
                 const std::vector<std::string>& tables) {
  server.RunSqlFile(database, SourceDir() + "/tests/faults/watch.sql");
  Db db(server.Url(database));
  db.Execute("SET client_min_messages = warning");
  for (const std::string& table : tables) {
    db.Execute("DROP TRIGGER IF EXISTS note_write ON " + table +
               "; CREATE CONSTRAINT TRIGGER note_write AFTER INSERT OR UPDATE OR DELETE ON " +
               table +
               " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fixture.note_write('" +
               worker + "')");
  }
}

Observation Observe(const ObserveOptions& options, const AppendedIds& appended) {
  Db db(options.ledger_url);
  Observation seen;
  BecomesTrue(
      [&] {
        seen.open_transactions = OpenTransactions(db, options.living_hosts);
        seen.held_leases = HeldLeases(db, options.living_hosts);
        return seen.open_transactions.empty() && seen.held_leases.empty();
      },
      options.lease_ttl + kLeaseGrace);
  seen.appended = appended;
  const auto events = db.Column("SELECT id FROM ledger_event WHERE sequence_number > $1::bigint",
                                {std::to_string(options.only_after.value_or(-1))});
  seen.events.insert(events.begin(), events.end());
  seen.rows = ReadRows(db);
  seen.messages = options.messages ? options.messages()
                                   : ReadRedisStreams(options.redis_url, options.key_prefix);
  ReadFences(db, seen);
  if (!options.only_after) seen.ledger_violations = LedgerViolations(options.ledger_url);
  return seen;
}

}  // namespace summa::test
