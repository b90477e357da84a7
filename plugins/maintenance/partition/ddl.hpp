// All DDL on a table that writers use goes through here: short waits for locks, many tries, and
// the name of who stands in the way.
#pragma once

#include <summa/host.hpp>
#include <summa/sql.hpp>
#include <summa/work.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace summa::maintenance {

enum class LockMode { kAccessShare, kShareUpdateExclusive, kShareRowExclusive, kAccessExclusive };

struct LockRequest {
  std::string table;  // quoted
  LockMode mode = LockMode::kAccessExclusive;
  // Takes the lock in the place of LOCK TABLE, which of a view locks its tables as well.
  std::string statement = {};
};

// What stands in the way: "process 123 (psql, postgres, idle in transaction for 120 s, transaction
// since 2026-01-31T12:00:00.000Z, query since ..)", "prepared transaction x (..)", "anti-wraparound
// autovacuum, process 123 (..)". Of processes of other roles, a role that is not a member of
// pg_read_all_stats sees only application and role.
struct Blocker {
  std::string what, table;
  std::string transaction = {};  // as pg_locks names it
  bool lasting = false;          // will not be gone soon
};
// "process 123 (..) on "s"."t"; prepared transaction .."; of none: "somebody who is gone by now".
std::string TextOf(const std::vector<Blocker>& blockers);
bool AnyLasting(const std::vector<Blocker>& blockers);

// Older transactions will not be gone soon.
inline constexpr std::chrono::microseconds kLastingTransaction = std::chrono::seconds(1);

// Who holds, or waits for, a lock on one of the tables that conflicts with the requests; those of
// this session excluded. Lasting: prepared, an anti-wraparound vacuum, or a transaction that is
// older than `old`.
std::vector<Blocker> BlockersOf(Session& session, const std::vector<LockRequest>& locks,
                                std::chrono::microseconds old = kLastingTransaction);

// Sessions, standbys and prepared transactions whose snapshot may be older than the end of the
// transaction that copied rows (xid8, as text): they would not see the copies where these take the
// place of the rows, without an error. Empty: there is none.
std::vector<Blocker> OlderSnapshots(Session& session, const std::string& copied_by);

struct DdlLimits {
  std::chrono::microseconds first_wait = std::chrono::milliseconds(50);  // for a lock; grows to
  std::chrono::microseconds longest_wait = std::chrono::milliseconds(200);
  // Of the whole transaction; also how long the server waits for this host in it.
  std::chrono::microseconds longest_hold = std::chrono::seconds(2);
  std::chrono::microseconds deadline = std::chrono::minutes(5);  // of all tries
  // Of tries that had their locks and took longer than longest_hold, while others waited for them;
  // 0: no limit.
  int most_timeouts = 0;
};

struct DdlOutcome {
  bool done = false;  // false: gave up at the deadline, or was told to stop; nothing has changed
  int tries = 0;
  int timeouts = 0;  // tries that had their locks and took longer than longest_hold
  // Of the last try that asked for locks: from sending the first LOCK, so with the wait for it, to
  // the answer of COMMIT, or to the error.
  std::chrono::microseconds held{0};
  std::vector<Blocker> blockers;  // of the last try that failed
};

// Runs `body` in one read-write transaction that has taken the locks, in the order of `locks`, in
// its first statements. A lock on a partitioned table does not include its partitions: name them. A
// try that finds somebody who will not be gone soon (open for more than five times the longest wait,
// prepared, an anti-wraparound vacuum) asks for no lock, so that writers do not queue behind it.
// Tries again after that and after 55P03, 40P01, 40001 and 57014, with random pauses that grow from
// 100 ms to 30 s; every other error is passed on, among them SH-0404 (outcome unknown) and a lost
// connection. `body` may run several times and must not commit.
DdlOutcome RunDdl(Session& session, const WorkCaller& caller, const std::vector<LockRequest>& locks,
                  const DdlLimits& limits, const std::function<void(Session&)>& body);

}  // namespace summa::maintenance
