// What is to be seen after a fault: the ledger, the bus, the leases, the sessions. Read once,
// judged by the checker.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/faults/appender.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::test {

// A row of outbox, with its key and position found by the fixture's own view.
struct OutboxRecord {
  std::string id, topic, key, position, payload, status;
  bool processed_at = false, last_error = false;  // whether they are set
};

// An entry of a stream. `position` is empty when the message says none.
struct DeliveredMessage {
  std::string stream, id, type, key, position, payload;
};

// A fence was counted up by this host. In the order of the commits.
struct FenceRecord {
  std::string worker, host;
  long long fence = 0;
};

// A transaction of a host wrote a watched table; seen by a trigger at its COMMIT.
struct GuardedWrite {
  std::string worker, relation, transaction;
  std::string written_by;   // the host
  std::string fence_owner;  // the host that held the lease at the moment of the COMMIT
  long long fence = 0;      // of that moment
};

struct Observation {
  AppendedIds appended;
  std::set<std::string> events;  // ids in the ledger
  std::vector<OutboxRecord> rows;
  std::vector<DeliveredMessage> messages;  // of each stream in its order
  std::vector<FenceRecord> fences;
  std::vector<GuardedWrite> writes;
  // In words, each one is a violation:
  std::vector<std::string> open_transactions;  // of hosts that are gone, or idle for long
  std::vector<std::string> held_leases;        // of hosts that are gone, past their time
  std::vector<std::string> ledger_violations;  // see LedgerViolations
};

struct ObserveOptions {
  std::string ledger_url, redis_url;
  std::string key_prefix = "summa";
  std::set<std::string> living_hosts;  // names of the hosts that still run
  // How long a lease of a dead host, and a session that the server has not missed yet, may stay:
  // they are waited for.
  std::chrono::milliseconds lease_ttl{15'000};
  // Of a ledger with millions of events: only those after this position are read, and the books are
  // not checked.
  std::optional<long long> only_after = std::nullopt;
  // What the bus holds; empty: the streams of Redis.
  std::function<std::vector<DeliveredMessage>()> messages = {};
};

// Notes every change of a fence, and every COMMIT of a host that wrote one of `tables`
// (schema.name) with the fence of that moment. The database must be migrated. `worker` is the one
// that alone may write the tables.
void WatchFences(PostgresServer& server, const std::string& database, const std::string& worker,
                 const std::vector<std::string>& tables);

// What the streams below this prefix hold.
std::vector<DeliveredMessage> ReadRedisStreams(const std::string& url, const std::string& prefix);

// Reads everything; WatchFences must have been called, else nothing is known of fences.
Observation Observe(const ObserveOptions& options, const AppendedIds& appended);

}  // namespace summa::test
