#include "partition/ddl.hpp"

#include <summa/backoff.hpp>
#include <summa/error.hpp>
#include <summa/time.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include "partition_sql.hpp"

namespace summa::maintenance {
namespace {

using Microseconds = std::chrono::microseconds;

constexpr Microseconds kFirstPause = std::chrono::milliseconds(100);
constexpr Microseconds kLongestPause = std::chrono::seconds(30);
// A transaction that is older than so many of the longest waits will not end within one. Shorter,
// and a ledger whose transactions take as long as a wait would never be asked for a lock.
constexpr int kOldInWaits = 5;

const char* NameOf(LockMode mode) {
  switch (mode) {
    case LockMode::kAccessShare:
      return "ACCESS SHARE";
    case LockMode::kShareUpdateExclusive:
      return "SHARE UPDATE EXCLUSIVE";
    case LockMode::kShareRowExclusive:
      return "SHARE ROW EXCLUSIVE";
    case LockMode::kAccessExclusive:
      return "ACCESS EXCLUSIVE";
  }
  return "ACCESS EXCLUSIVE";
}

// "psql, postgres, idle in transaction for 120 s, transaction since .., query since ..".
std::string DescribeHolder(const Row& row) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  const auto add_text = [&](const char* column) {
    const auto value = row.Get<std::optional<std::string>>(column);
    if (value) add(*value);
  };
  const auto add_time = [&](const char* column, const char* prefix) {
    const auto time = row.Get<std::optional<DatabaseTime>>(column);
    if (time) add(prefix + IsoText(*time, IsoDigits::kMilliseconds));
  };
  add_text("application");
  add_text("role");
  add_text("state");
  const auto seconds = row.Get<std::optional<double>>("state_seconds");
  if (seconds) {
    const double whole = std::max(std::floor(*seconds), 0.0);
    text += " for " + std::to_string(static_cast<std::int64_t>(whole)) + " s";
  }
  add_time("since", "transaction since ");
  add_time("query_start", "query since ");
  return text.empty() ? "" : " (" + text + ")";
}

std::string Describe(const Row& row) {
  const auto pid = row.Get<std::optional<std::int32_t>>("pid");
  if (!pid) {
    const auto gid = row.Get<std::optional<std::string>>("gid");
    return "prepared transaction" + (gid ? " " + *gid : std::string()) + DescribeHolder(row);
  }
  const std::string process = "process " + std::to_string(*pid) + DescribeHolder(row);
  if (row.Get<bool>("wraparound")) return "anti-wraparound autovacuum, " + process;
  return (row.Get<bool>("autovacuum") ? "autovacuum, " : "") + process;
}

bool WorthAnotherTry(const Error& error) {
  // A lost lease has the SQLSTATE of the guard's statement, which may be one of those below.
  if (error.status() == SUMMA_E_CANCELLED || error.status() == SUMMA_E_UNAVAILABLE ||
      error.status() == SUMMA_E_FENCED) {
    return false;
  }
  const std::string& state = error.sqlstate();
  return state == "55P03" || state == "40P01" || state == "40001" || state == "57014";
}

// The error that leads here counts, not that of a connection that is gone.
void RollBackQuietly(Session& session) noexcept {
  try {
    session.Rollback();
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
  }
}

std::string Milliseconds(Microseconds time) {
  // 0 would be no limit at all.
  return std::to_string(
      std::max<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(time).count(), 1));
}

// In one statement for neighbours of the same mode.
std::vector<std::string> LockStatements(const std::vector<LockRequest>& locks) {
  std::vector<std::string> statements;
  for (std::size_t begin = 0, end = 0; begin < locks.size(); begin = end) {
    if (!locks[begin].statement.empty()) {
      statements.push_back(locks[begin].statement);
      ++end;
      continue;
    }
    std::string tables;
    for (;
         end < locks.size() && locks[end].mode == locks[begin].mode && locks[end].statement.empty();
         ++end) {
      tables += (tables.empty() ? "ONLY " : ", ONLY ") + locks[end].table;
    }
    statements.push_back("LOCK TABLE " + tables + " IN " + NameOf(locks[begin].mode) + " MODE");
  }
  return statements;
}

// Writes the time since `begin` when it ends, however that happens.
class Measured {
 public:
  Measured(const WorkCaller& caller, BootTime begin, Microseconds& span)
      : caller_(caller), begin_(begin), span_(span) {}
  Measured(const Measured&) = delete;
  Measured& operator=(const Measured&) = delete;
  ~Measured() { span_ = caller_.now() - begin_; }

 private:
  const WorkCaller& caller_;
  BootTime begin_;
  Microseconds& span_;
};

class Executor {
 public:
  Executor(Session& session, const WorkCaller& caller, const std::vector<LockRequest>& locks,
           const DdlLimits& limits, const std::function<void(Session&)>& body)
      : session_(session),
        caller_(caller),
        locks_(locks),
        limits_(limits),
        body_(body),
        deadline_(caller.now() + limits.deadline),
        waits_(limits.first_wait, limits.longest_wait, Jitter::kNone) {}

  DdlOutcome Run() {
    Backoff pauses(kFirstPause, kLongestPause);
    while (!caller_.should_stop()) {
      if (Try()) {
        outcome_.done = true;
        break;
      }
      if (limits_.most_timeouts > 0 && outcome_.timeouts >= limits_.most_timeouts) {
        const std::string limit = Milliseconds(limits_.longest_hold);
        outcome_.blockers = {
            Blocker{"nobody, but it takes longer than " + limit + " ms while writers wait", ""}};
        break;
      }
      const BootTime now = caller_.now();
      if (now >= deadline_) break;
      if (caller_.wait(std::min(pauses.Next(), deadline_ - now))) break;
    }
    return std::move(outcome_);
  }

 private:
  // False: nothing has changed, and it is worth another try.
  bool Try() {
    ++outcome_.tries;
    const Microseconds old = limits_.longest_wait * kOldInWaits;
    try {
      std::vector<Blocker> found = BlockersOf(session_, locks_, old);
      if (AnyLasting(found)) {
        outcome_.blockers = std::move(found);
        return false;
      }
      RunTransaction();
      return true;
    } catch (const Error& error) {
      RollBackQuietly(session_);
      if (locked_ && error.sqlstate() == "57014") ++outcome_.timeouts;
      // Told to stop while a statement ran: Run() ends.
      const bool stopped = error.status() == SUMMA_E_CANCELLED && caller_.should_stop();
      if (!stopped && !WorthAnotherTry(error)) throw;
    } catch (...) {
      RollBackQuietly(session_);
      throw;
    }
    if (!caller_.should_stop()) outcome_.blockers = BlockersOf(session_, locks_, old);
    return false;
  }

  void RunTransaction() {
    locked_ = false;
    session_.Begin();
    session_.Exec("SET LOCAL lock_timeout = " + Milliseconds(waits_.Next()));
    LimitIdleTime();
    const BootTime begin = caller_.now();
    const Measured measured(caller_, begin, outcome_.held);
    for (const std::string& statement : LockStatements(locks_)) {
      LimitStatement(caller_.now() - begin);
      session_.Exec(statement);
    }
    locked_ = true;
    LimitStatement(caller_.now() - begin);
    body_(session_);
    session_.Commit();
  }

  // A host that freezes under the locks loses them after so long, not after the time that its
  // sessions may be idle otherwise.
  void LimitIdleTime() {
    const std::string limit = Milliseconds(limits_.longest_hold);
    session_.Exec(
        "DO 'BEGIN IF current_setting(''idle_in_transaction_session_timeout'')::interval NOT "
        "BETWEEN interval ''1 ms'' AND interval ''" +
        limit + " ms'' THEN SET LOCAL idle_in_transaction_session_timeout = " + limit +
        "; END IF; END'");
  }

  // lock_timeout counts for each lock anew; this is the limit of the sum.
  void LimitStatement(Microseconds since_begin) {
    session_.Exec("SET LOCAL statement_timeout = " +
                  Milliseconds(limits_.longest_hold - since_begin));
  }

  Session& session_;
  const WorkCaller& caller_;
  const std::vector<LockRequest>& locks_;
  const DdlLimits& limits_;
  const std::function<void(Session&)>& body_;
  const BootTime deadline_;
  Backoff waits_;        // for a lock
  bool locked_ = false;  // the last try had all its locks
  DdlOutcome outcome_;
};

}  // namespace

std::string TextOf(const std::vector<Blocker>& blockers) {
  std::string text;
  for (const Blocker& blocker : blockers) {
    text.append(text.empty() ? "" : "; ").append(blocker.what);
    if (!blocker.table.empty()) text.append(" on ").append(blocker.table);
  }
  return text.empty() ? "somebody who is gone by now" : text;
}

bool AnyLasting(const std::vector<Blocker>& blockers) {
  return std::any_of(blockers.begin(), blockers.end(),
                     [](const Blocker& blocker) { return blocker.lasting; });
}

std::vector<Blocker> BlockersOf(Session& session, const std::vector<LockRequest>& locks,
                                Microseconds old) {
  std::vector<std::string> tables, modes;
  for (const LockRequest& lock : locks) {
    tables.push_back(lock.table);
    modes.emplace_back(NameOf(lock.mode));
  }
  const std::string old_seconds = std::to_string(std::chrono::duration<double>(old).count());
  std::vector<Blocker> blockers;
  const Result rows = session.Exec(partition_sql::blockers,
                                   {TextArray(tables), TextArray(modes), Parameter(old_seconds)});
  for (const Row row : rows) {
    blockers.push_back({Describe(row), row.Get<std::string>("table_name"),
                        row.Get<std::string>("transaction"), row.Get<bool>("lasting")});
  }
  return blockers;
}

std::vector<Blocker> OlderSnapshots(Session& session, const std::string& copied_by) {
  std::vector<Blocker> blockers;
  for (const Row row : session.Exec(partition_sql::older_snapshots, {copied_by})) {
    blockers.push_back({row.Get<std::string>("what"), ""});
  }
  return blockers;
}

DdlOutcome RunDdl(Session& session, const WorkCaller& caller, const std::vector<LockRequest>& locks,
                  const DdlLimits& limits, const std::function<void(Session&)>& body) {
  return Executor(session, caller, locks, limits, body).Run();
}

}  // namespace summa::maintenance
