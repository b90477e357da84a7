// Up to which time no entry can become visible any more.
#pragma once

#include <optional>
#include <summa/sql.hpp>

#include "work.hpp"

namespace summa::reconciliation {

// For entries that a snapshot sees which is taken afterwards. Waits some seconds for transactions
// of which it is not known when they began; nothing: one of them has not ended, and may add entries
// of any age. The session is in no transaction. SH-0705 when told to stop.
std::optional<DatabaseTime> SettledUntil(Session& session, Work& work);

// The same, and no later than the last entry of the snapshot of the open transaction.
std::optional<DatabaseTime> EntriesUntil(Session& session,
                                         const std::optional<DatabaseTime>& settled);

}  // namespace summa::reconciliation
