#include "host/database/pooler.hpp"

#include <set>

#include "host/database/pq_connection.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

// How often each of the two connections is asked. A pooler by transaction gives both the backend
// that was used last, or goes round; only with other clients in between can it happen to give each
// its own, and that this often in a row it does not. The first is asked twice in a row: in turn
// with the second, each would find its own of two backends.
constexpr int kChecks = 8;

int BackendPid(PqConnection& connection, PqConnection::TimePoint deadline) {
  const PgResult row = connection.Query("SELECT pg_catalog.pg_backend_pid()", deadline);
  return std::stoi(PQgetvalue(row.get(), 0, 0));
}

void RequireStableBackends(const ConnectionParameters& parameters,
                           PqConnection::TimePoint deadline) {
  WakeUp never;
  PqConnection first(parameters, never, PqConnection::OnWake::kGiveUp, deadline);
  PqConnection second(parameters, never, PqConnection::OnWake::kGiveUp, deadline);
  const int first_pid = BackendPid(first, deadline), second_pid = BackendPid(second, deadline);
  for (int check = 0; check < kChecks; ++check) {
    const bool first_keeps =
        BackendPid(first, deadline) == first_pid && BackendPid(first, deadline) == first_pid;
    const bool second_keeps = BackendPid(second, deadline) == second_pid;
    if (first_keeps && second_keeps && first_pid != second_pid) continue;
    throw PoolerRefused("it gives the backend of one client to another between transactions");
  }
}

}  // namespace

void RequireSessionPooling(const ConnectionParameters& parameters,
                           PqConnection::TimePoint deadline) {
  static Mutex mutex;
  static auto& known = *new std::set<ConnectionParameters>;
  {
    const MutexLock lock(mutex);
    if (known.contains(parameters)) return;
  }
  RequireStableBackends(parameters, deadline);
  const MutexLock lock(mutex);
  known.insert(parameters);
}

}  // namespace summa::host
