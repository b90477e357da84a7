// The row of summa_host.migration: what a migration has decided, and how far it is. It is changed
// in the transaction of what it describes, so every host finds the truth in it.
#pragma once

#include <summa/operation.hpp>
#include <summa/sql.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "partition/interval.hpp"

namespace summa::maintenance {

// A table as it is called now.
struct TableName {
  std::string schema, name;  // not quoted
  std::string quoted() const;
};

struct MigrationRecord {
  std::int64_t operation = 0;
  std::string state, strategy, verify_level, request, fingerprint, verification;
  std::string schema, table;  // not quoted; the name that applications use
  Interval interval = Interval::kMonthly;
  std::int64_t batch_size = 0;
  int workers = 1;
  std::int64_t old_table = 0, new_table = 0;                            // oids; new 0: not made yet
  std::int64_t base = 0, through = 0, sealed = 0, guard = 0, swap = 0;  // positions
  std::optional<std::string> backfill_xid;
  std::optional<DatabaseTime> bound;
  std::string slices;            // state of the slices; see slice.hpp
  std::int64_t slice_table = 0;  // 0: not made
  bool verification_failed = false;

  std::string ApplicationName() const;  // quoted
};

// Nothing when the operation has not begun yet.
std::optional<MigrationRecord> ReadRecord(Session& session, std::int64_t operation);
// The newest operation that has begun; 0: there is none.
std::int64_t NewestMigration(Session& session);

TableName NameOfTable(Session& session, std::int64_t oid);

// In the open transaction: the state goes from `from` to `to`. SH-0828 when another host has done
// it meanwhile.
void ChangeState(Session& session, std::int64_t operation, const std::string& from,
                 const std::string& to);
// The same for the state of the slices of strategy attach.
void ChangeSlices(Session& session, std::int64_t operation, const std::string& from,
                  const std::string& to);
// In the open transaction of a change that the journal does not commit: the operation must still be
// running. Otherwise SUMMA_E_CANCELLED, and nothing is committed.
void RequireRunning(Session& session, std::int64_t operation);

// In the open transaction: what was asked for is done, or refused, and is asked for no longer.
// SH-0828 when it is another request by now, which must not be forgotten.
void TakeRequest(Session& session, std::int64_t operation, const std::string& request);

// In the open transaction: it waits for nobody any more.
void StopWaiting(Session& session, std::int64_t operation);
// In the open transaction: for how long an exchange let writers wait; the longest counts.
void NoteLock(Session& session, std::int64_t operation, std::chrono::microseconds held);

// In a transaction of their own.
void SetRequest(Session& session, std::int64_t operation, const std::string& request);
void SetWaitingFor(Session& session, std::int64_t operation, const std::string& what);

}  // namespace summa::maintenance
