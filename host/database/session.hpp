// Connections to PostgreSQL for the data plane, over libpq. Nothing reconnects silently: a broken
// session throws SH-0402 until it is dropped; the pool opens a new one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/clock.hpp"
#include "host/database/session_budget.hpp"
#include "host/error.hpp"

namespace summa::host {

// An SQL failure. `sqlstate` is empty when the server said nothing about it.
class SqlFailure : public Failure {
 public:
  SqlFailure(Error error, std::string sqlstate)
      : Failure(With(std::move(error), std::move(sqlstate))) {}
  const std::string& sqlstate() const { return error().sqlstate; }

 private:
  static Error With(Error error, std::string sqlstate) {
    error.sqlstate = std::move(sqlstate);
    return error;
  }
};
// The guard found the lease gone; nothing was committed. Of kind SUMMA_E_FENCED.
class FencedFailure : public SqlFailure {
 public:
  FencedFailure(Error error, std::string sqlstate)
      : SqlFailure(Fenced(std::move(error)), std::move(sqlstate)) {}

 private:
  static Error Fenced(Error error) {
    error.kind = SUMMA_E_FENCED;
    return error;
  }
};

// The server ended a transaction that had idled longer than it may.
inline constexpr std::string_view kIdleTooLong = "25P03";

struct SqlParameter {
  const char* data = nullptr;  // nullptr: NULL; text ends with NUL at data[size]
  std::size_t size = 0;
  std::uint32_t type = 0;
  int format = 0;  // 0 text, 1 binary
};

// A result in memory; outlives its session.
class SqlResult {
 public:
  virtual ~SqlResult() = default;
  virtual std::size_t rows() const = 0;
  virtual std::size_t columns() const = 0;
  virtual std::int64_t affected_rows() const = 0;
  virtual std::optional<std::string_view> Cell(std::size_t row, std::size_t column) const = 0;
  // Of a column that there is not: empty and 0.
  virtual std::string_view column_name(std::size_t column) const = 0;
  virtual std::uint32_t column_type(std::size_t column) const = 0;  // OID
};

// The lease under which a transaction may commit.
struct LeaseGuard {
  std::string worker_id;
  std::string holder;
  std::int64_t fence = 0;
  Microseconds time_to_live{0};  // of the lease; zero: not known
};

// The holder's trust in a lease ends this long before the lease does: for what is on its way then.
inline Microseconds TrustMargin(Microseconds time_to_live) {
  return std::min<Microseconds>(std::chrono::seconds(1), time_to_live / 4);
}

enum class TransactionMode { kReadWrite, kReadOnly, kRepeatableReadOnly };

// One connection. One thread at a time, except Cancel().
class Session {
 public:
  virtual ~Session() = default;
  // guard: the one that Commit will be given. The server then ends a read-write transaction that
  // idles before the lease would end, so that the next holder never waits for a frozen one.
  virtual void Begin(TransactionMode mode, const LeaseGuard* guard = nullptr) = 0;
  virtual std::unique_ptr<SqlResult> Exec(std::string_view sql,
                                          std::span<const SqlParameter> parameters,
                                          int result_format) = 0;
  // VACUUM and .. CONCURRENTLY, outside a transaction. Commits by itself: `guard` is looked at
  // before and afterwards. FencedFailure: SH-0301, nothing was run; SH-0433, it has taken effect.
  virtual void ExecAutocommit(std::string_view sql, const LeaseGuard* guard) = 0;
  virtual void CopyOut(std::string_view sql,
                       const std::function<bool(std::string_view)>& on_row) = 0;
  virtual void CopyIn(std::string_view sql,
                      const std::function<std::optional<std::string_view>()>& next) = 0;
  // Guarded when `guard` is given and the transaction is read-write: FencedFailure when the lease
  // is gone. When the connection is lost before the answer, the server is asked over a new one what
  // became of the transaction (decision 0007): returns when it was committed; SH-0402: nothing was
  // committed; SH-0404: not to be found out within some seconds. The session is then broken.
  virtual void Commit(const LeaseGuard* guard) = 0;
  virtual void Rollback() = 0;
  virtual bool in_transaction() const = 0;
  virtual bool broken() const = 0;
  virtual void Cancel() noexcept = 0;  // any thread: ends the running statement with 57014
  virtual int backend_pid() const = 0;
};

struct DatabaseSettings {
  std::string url;
  bool must_write = true;  // a standby is no good connection
  std::string schema = "public";
  std::string application_name;  // "summa-host/<host name>"
  int pool = 8;
  SessionShares shares;  // of the pool
  Microseconds connect_timeout = std::chrono::seconds(5);
  Microseconds statement_timeout = std::chrono::seconds(60);
  Microseconds lock_timeout = std::chrono::seconds(2);  // well under Summa's own 3 s
  Microseconds idle_in_transaction_timeout = std::chrono::seconds(10);
  // A server that has not answered for so long is asked for another connection (decision 0041).
  Microseconds silence = std::chrono::seconds(5);
};

// A new connection with pinned session settings (session_settings.hpp), read only by default.
// Throws what OpenConnection throws, never with the password.
std::unique_ptr<Session> ConnectSession(const DatabaseSettings& settings);

// How the connections of a pool are used right now.
struct PoolUse {
  int busy = 0, idle = 0;
  int free = 0;                  // not opened; may be
  std::vector<SessionUse> uses;  // by plugin, the greatest user first
  // Why somebody got none lately; empty: nobody was refused in the last minute.
  std::string refused;
};

// At most settings.pool sessions; thread-safe. A session given back broken is dropped; one inside a
// transaction is rolled back; cursors are closed.
class SessionPool {
 public:
  explicit SessionPool(DatabaseSettings settings);
  ~SessionPool();
  // Waits up to `wait` for a free one within the budget of the plugin, then SH-0403. While no
  // connection can be opened (SH-0401), one caller at a time tries, with growing pauses up to a
  // second; the others wait for what comes of the next attempt.
  std::unique_ptr<Session> Acquire(const SessionUser& user,
                                   Microseconds wait = std::chrono::seconds(5));
  std::unique_ptr<Session> Acquire(Microseconds wait = std::chrono::seconds(5)) {
    return Acquire(SessionUser{}, wait);
  }
  void Release(std::unique_ptr<Session> session) noexcept;
  const DatabaseSettings& settings() const;
  PoolUse Use() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace summa::host
