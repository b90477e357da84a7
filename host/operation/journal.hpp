// The statements of summa_host.operation that are made by whoever does the work; those of people
// are in host/database/operations.hpp. Over summa.sql/1, because the row is changed in the
// transaction of the work. Failures are summa::Error. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/operation/operation_kind.hpp"
#include "summa/abi/operation.h"
#include "summa/sql.hpp"

namespace summa::host {

// A row, as far as the work needs it.
struct JournalRow {
  std::int64_t id = 0;
  int state = SUMMA_OPERATION_QUEUED;
  bool open = false;  // not finished
  std::string phase, cursor, arguments, error;
  std::int64_t done = 0, total = -1, rate = 0, batches = 0;
  double speed = 0;
};

// What a batch adds to the row.
struct JournalEntry {
  std::string phase, cursor;
  std::int64_t rows = 0, total = -1;
  double speed = 0;
  bool finished = false;
};

class Journal {
 public:
  // sql: under the lease of the kind's worker. host: for people.
  Journal(const summa_sql_v1* sql, std::string plugin, const OperationKind& kind, std::string host)
      : sql_(sql), plugin_(std::move(plugin)), kind_(kind), host_(std::move(host)) {}

  // A new operation; flags: of summa_operation_request.
  std::int64_t Start(const std::string& arguments, std::int64_t total, std::int64_t rate,
                     std::uint32_t flags, const std::string& requested_by);

  // The operation to work on next, or the one that is named when it is ready; written down as ours.
  // Waits for a commit of it that is still under way, so that nothing is in doubt afterwards.
  // SH-0385 when only operations of newer plugins are ready.
  std::optional<JournalRow> Claim(std::int64_t id);
  // nullopt: the plugin has none of this id.
  std::optional<JournalRow> Read(std::int64_t id);

  // Adds a batch to the row, in the transaction that is open on `session`, and commits it. `row` is
  // what was claimed or left by the batch before, and follows. False, and the transaction is rolled
  // back: the operation was aborted, or somebody else has worked on it.
  bool Advance(summa_sql_session* session, JournalRow& row, const JournalEntry& entry);
  // A step failed: the row says so, and when it is tried again. True: with so many `retries` the
  // operation is failed now. 0: it is only said; the caller knows when to try again.
  bool Fail(const JournalRow& row, const std::string& error, int retries);

 private:
  Result Exec(summa_sql_session* session, std::string_view statement,
              std::initializer_list<Parameter> parameters) const;
  std::optional<std::int64_t> FindReady(summa::Session& session, std::int64_t id);

  const summa_sql_v1* sql_;
  const std::string plugin_;
  const OperationKind& kind_;
  const std::string host_;
};

}  // namespace summa::host
