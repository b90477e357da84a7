// The sessions behind one summa.sql/1 table, and the thunks' own objects. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "host/database/session.hpp"
#include "summa/abi/sql.h"
#include "summa/mutex.hpp"

namespace summa::host {

class SqlScope;

}  // namespace summa::host

// What a plugin holds. Lives until the plugin closes it, also when its scope has ended before: it
// then answers every call with SH-0419.
struct summa_sql_session {
  summa::Mutex use;  // a call of the plugin against the end of the scope
  std::shared_ptr<summa::host::SessionPool> pool;
  std::unique_ptr<summa::host::Session> session;  // nullptr: the scope has ended
  summa::host::SqlScope* scope = nullptr;
  std::optional<summa::host::LeaseGuard> guard;
  // What is looked at before a COMMIT: rows of the ledger's database, so nullptr in another one,
  // where an effect carries the fence in a row of its own (docs/decisions/0051).
  const summa::host::LeaseGuard* commit_guard() const {
    return guard && in_ledger ? &*guard : nullptr;
  }
  bool in_ledger = true;
  std::shared_ptr<summa_sql_session> self;  // the plugin's share; the scope has one, too
  bool read_write = false;                  // mode of the open transaction
};

struct summa_sql_result {
  std::unique_ptr<summa::host::SqlResult> result;
  std::int32_t format = 0;  // 0 text, 1 binary
};

namespace summa::host {

class SqlScope {
 public:
  using Pools = std::map<std::string, std::shared_ptr<SessionPool>>;

  // guard: read-write transactions commit only under it.
  SqlScope(const Pools& pools, std::optional<LeaseGuard> guard, SessionUser user = {});
  // Ends the sessions that were not closed: their statement is cancelled, their connection dropped.
  ~SqlScope();
  SqlScope(const SqlScope&) = delete;
  SqlScope& operator=(const SqlScope&) = delete;

  const summa_sql_v1* table() const { return &table_; }
  void CancelRunning() noexcept;  // any thread: ends the running statements of its sessions
  // Any thread: takes the sessions from whoever uses them and opens no more; nothing that was not
  // committed can be committed any more. False: a statement did not end within the time.
  bool Close(Microseconds timeout) noexcept;
  // After a call of the worker: takes back what it did not close, and names it.
  void ReclaimSessions() noexcept;
  summa_sql_session* Open(std::string_view database);
  void Forget(const std::shared_ptr<summa_sql_session>& session) noexcept;

 private:
  void CloseLeaked(summa_sql_session& leaked) noexcept;

  const Pools& pools_;
  const std::optional<LeaseGuard> guard_;
  const SessionUser user_;
  summa_sql_v1 table_;
  Mutex mutex_;  // after the `use` of a session
  bool closed_ SUMMA_GUARDED_BY(mutex_) = false;
  std::set<std::shared_ptr<summa_sql_session>> open_ SUMMA_GUARDED_BY(mutex_);
};

// The thunks; `self` of the table is the scope.
summa_sql_v1 MakeSqlTable(SqlScope* scope);

}  // namespace summa::host
