// summa.sql/1 over the host's session pools.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "host/abi/sql_session.hpp"

namespace summa::host {

// The tables handed to plugins. Thread-safe.
class SqlService {
 public:
  // "ledger" is required; "read" is the ledger's pool when it is not given.
  explicit SqlService(SqlScope::Pools pools);

  // Lives as long as the service.
  const summa_sql_v1* unleased() const { return unleased_.table(); }
  // The same for one plugin, whose sessions are counted as its own.
  const summa_sql_v1* ForPlugin(const std::string& plugin);

  // A table whose sessions commit only under `guard`. Lives as long as the returned object;
  // sessions opened through it must be closed before (a session that a plugin leaked is closed,
  // logged, dropped).
  std::unique_ptr<SqlScope> ForLease(LeaseGuard guard, const std::string& plugin = {});
  // The same without a lease, for one request over HTTP: what it did not close is taken back, and
  // what runs can be cancelled.
  std::unique_ptr<SqlScope> ForRequest(const std::string& plugin);

 private:
  const SqlScope::Pools pools_;
  SqlScope unleased_;
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<SqlScope>> of_plugin_ SUMMA_GUARDED_BY(mutex_);  // unleased
};

}  // namespace summa::host
