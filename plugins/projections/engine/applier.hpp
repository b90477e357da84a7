// Applies a batch to one build of a projection, and finds the events that cannot be applied.
#pragma once

#include <set>
#include <span>
#include <string>
#include <summa/projection.hpp>
#include <summa/sql.hpp>
#include <vector>

#include "engine/build.hpp"
#include "engine/progress_table.hpp"
#include "source/event_batch.hpp"

namespace summa::projections {

// What may be different the next time: the server is away, full, locked or too slow, or the lease
// is gone. Nothing is wrong with the projection.
bool MayPass(const Error& error);

enum class OnError { kPauseKey, kPauseProjection, kDeadLetter };

struct Applied {
  std::int64_t events = 0, waiting = 0;
  std::vector<Refused> refused;  // for the first time
};

class Applier {
 public:
  Applier(const summa_projection& projection, OnError on_error)
      : projection_(projection), on_error_(on_error) {}

  // What is new to the build, in the caller's transaction. What cannot be applied is recorded there
  // as on_error says; kPauseProjection: throws. The build itself is not changed.
  Applied Apply(Session& read, const summa_sql_v1* sql, const Build& build,
                const EventBatch& batch) const;

  // The events of a paused key, which are tried again. Throws what stops them.
  void ApplyKey(Session& read, const summa_sql_v1* sql, const Build& build, const EventBatch& batch,
                const Uuid& key) const;

  // A key is made anew from all its events up to the checkpoint: nothing is announced. ForgetKey
  // only where CanForget(); `account`: of the key, or nullptr. `keys`: the key, and those that share
  // its rows. Both throw what stops them.
  bool CanForget() const {
    return projection_.struct_size >= sizeof projection_ && projection_.forget != nullptr;
  }
  bool SharesRows() const { return (projection_.flags & SUMMA_PROJECTION_ROWS_OF_HOLDERS) != 0; }
  // What a batch must have for it.
  Records records() const {
    const bool without = (projection_.flags & SUMMA_PROJECTION_WITHOUT_TRANSACTIONS) != 0;
    return without ? Records::kWithoutTransactions : Records::kAll;
  }
  void ForgetKey(Session& read, const summa_sql_v1* sql, const Build& build, const Uuid& key,
                 const summa_projection_account* account) const;
  void ReplayKeys(Session& read, const summa_sql_v1* sql, const Build& build,
                  const EventBatch& batch, const std::set<Uuid>& keys) const;
  // Accounts or transactions.
  std::set<Uuid> KeysOf(const EventBatch& batch) const;

  // What the build has when it is loaded, in no certain order; for a rebuild. Throws.
  void ApplyUnordered(Session& read, const summa_sql_v1* sql, const Build& build,
                      const EventBatch& batch) const;

  const summa_projection& projection() const { return projection_; }

 private:
  class Run;

  std::vector<summa_projection_event> EventsOfKeys(const EventBatch& batch,
                                                   const std::set<Uuid>& keys) const;

  const summa_projection& projection_;
  OnError on_error_;
};

}  // namespace summa::projections
