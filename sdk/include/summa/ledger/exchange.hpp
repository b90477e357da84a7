// How long readers of the event store give way to an exchange of its tables, which a migration to
// partitions ends with. An exchange needs a moment in which nobody reads. Readers whose transactions
// take seconds and follow each other without a gap would never leave one: before each transaction
// they call GiveWay(). Readers whose transactions take milliseconds need nothing of this.
#pragma once

#include <summa/sql.hpp>

#include <chrono>
#include <functional>

namespace summa::ledger {

// A reader goes on after this time even while an exchange is announced: if somebody else prevents the
// exchange, verification must not stop for good.
inline constexpr std::chrono::seconds kLongestGiveWay{60};

// [in a transaction] Announces an exchange until the transaction ends; waits while another is
// announced, up to the lock_timeout of the session (summa::Error with 55P03).
void AnnounceExchange(Session& session);

// [outside a transaction] Returns when no exchange is announced, or after kLongestGiveWay. `wait`
// sleeps for a time and returns true to stop (as Tick::Wait does). False: told to stop.
bool GiveWay(Session& session, const std::function<bool(std::chrono::microseconds)>& wait);

}  // namespace summa::ledger
