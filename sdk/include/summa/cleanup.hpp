// Deletes the rows of a table that are no longer needed, beside everybody who works with it.
//
//   summa::RowCleanup cleanup(host, {.code = "SH-0511", .rows = "outbox: old rows",
//                                    .refused = "the ledger refuses to delete old rows"});
//   summa::Session session(tick.sql());
//   DeliveredRows rows(retention);                       // a RemovableRows
//   result.items = cleanup.Run(summa::CallerOf(host, tick), session, rows);
#pragma once

#include <summa/health.hpp>
#include <summa/host.hpp>
#include <summa/refused_rows.hpp>
#include <summa/sql.hpp>
#include <summa/work.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace summa {

// The rows of one table that are to go, in an order of their own. For one run, one thread.
class RemovableRows {
 public:
  virtual ~RemovableRows() = default;
  // The keys of the next rows, as text, at most `limit` and none of them twice; fewer: there are no
  // more. Outside a transaction.
  virtual std::vector<std::string> Next(Session& session, std::int64_t limit) = 0;
  // Inside a transaction: deletes those of the rows that are still to go and that nobody has locked
  // (SKIP LOCKED), and returns their number. `keys` may be empty.
  virtual std::int64_t Delete(Session& session, std::span<const std::string> keys) = 0;
};

struct CleanupNames {
  std::string code;     // of rows that the ledger refuses to delete
  std::string rows;     // of which finding: "outbox: old rows"
  std::string refused;  // the line of the log
  // How long a refusal is reported after the last run here: another host may have the lease by
  // then, and reports it itself. Longer than the interval of the worker.
  std::chrono::microseconds known_for = std::chrono::hours(24);
};

// In batches, each in its own short transaction, and with a rest after each as long as the batch
// took: however much there is, half of the time belongs to others. Stops between two batches. A row
// that somebody has locked is passed over until the next run. A row that the ledger refuses to
// delete is named and left; the others go. One thread, but for Failing().
class RowCleanup {
 public:
  // The first batch, small enough for rows that are expensive to delete, and the largest one.
  static constexpr std::int64_t kFirstBatch = 100, kLargestBatch = 10'000;

  RowCleanup(Host host, CleanupNames names)
      : host_(host), names_(std::move(names)), refused_(names_.code) {}

  // Returns the number of rows that were deleted. `on_batch` gets the number of each batch.
  std::int64_t Run(const WorkCaller& caller, Session& session, RemovableRows& rows,
                   const std::function<void(std::int64_t)>& on_batch = {}) {
    BatchSize size(kFirstBatch, kLargestBatch);
    std::int64_t deleted = 0;
    std::vector<Refusal> refused;
    const bool whole = InBatches(caller, [&] {
      const BootTime begin = caller.now();
      const std::int64_t limit = size.Next(0);
      const std::vector<std::string> keys = rows.Next(session, limit);
      const auto found = static_cast<std::int64_t>(keys.size());
      WrittenApart batch =
          WriteApart(session, keys, names_.code, [&](std::span<const std::string> part) {
            session.Exec(kLimits);
            return rows.Delete(session, part);
          });
      size.Took(found, caller.now() - begin);
      deleted += batch.rows;
      if (on_batch) on_batch(batch.rows);
      for (Refusal& refusal : batch.refused) refused.push_back(std::move(refusal));
      CheckNumber(refused, names_.code);
      return found == limit;
    });
    if (whole) Report(std::move(refused));
    return deleted;
  }

  std::size_t refused() const { return refused_.Get().size(); }
  // What is refused since the last run here that came to its end. Any thread.
  std::vector<Finding> Failing() const {
    return refused_.Failing(host_.BootNow(), names_.known_for, names_.rows,
                            "the ledger refuses to delete them");
  }

 private:
  // Nobody waits long for a cleanup, and it waits for nobody: what is locked has its turn later.
  static constexpr const char* kLimits =
      "SELECT set_config('lock_timeout', '200ms', true), set_config('statement_timeout', '30s', "
      "true)";

  void Report(std::vector<Refusal> refused) {
    const std::string listed = Listed(refused);
    if (!refused_.Set(std::move(refused), host_.BootNow())) return;
    host_.Log(SUMMA_LOG_ERROR, names_.code, names_.refused, {{"rows", listed}});
  }

  Host host_;
  const CleanupNames names_;
  RefusedRows refused_;
};

}  // namespace summa
