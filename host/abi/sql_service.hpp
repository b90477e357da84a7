// summa.sql/1 over the host's session pools.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "host/database/session.hpp"
#include "summa/abi/sql.h"

namespace summa::host {

// The tables handed to plugins. Thread-safe.
class SqlService {
 public:
  // "ledger" is required; "read" is the ledger's pool when it is not given.
  explicit SqlService(std::map<std::string, std::shared_ptr<SessionPool>> pools);
  ~SqlService();

  const summa_sql_v1* unleased() const;  // lives as long as the service
  // The same for one plugin, whose sessions are counted as its own.
  const summa_sql_v1* ForPlugin(const std::string& plugin);

  // A table whose sessions commit only under `guard`. Lives as long as the returned object;
  // sessions opened through it must be closed before (a session that a plugin leaked is closed,
  // logged, dropped).
  class Scope {
   public:
    virtual ~Scope() = default;
    virtual const summa_sql_v1* table() const = 0;
    virtual void
    CancelRunning() noexcept = 0;  // any thread: ends the running statements of its sessions
    // Any thread: takes the sessions from whoever uses them and opens no more; nothing that was not
    // committed can be committed any more. False: a statement did not end within the time.
    virtual bool Close(Microseconds timeout) noexcept = 0;
    // After a call of the worker: takes back what it did not close, and names it.
    virtual void ReclaimSessions() noexcept = 0;
  };
  std::unique_ptr<Scope> ForLease(LeaseGuard guard, const std::string& plugin = {});
  // The same without a lease, for one request over HTTP: what it did not close is taken back, and
  // what runs can be cancelled.
  std::unique_ptr<Scope> ForRequest(const std::string& plugin);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace summa::host
