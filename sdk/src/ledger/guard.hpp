// The tables of the guard of a partitioned ledger_event (plugin maintenance): one with the last
// version of each aggregate, and one with the time of each event. Each event is written to them in
// its own transaction.
#pragma once

#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>

namespace summa::ledger {

inline constexpr const char* kHeads = "summa_host.ledger_event_head";
inline constexpr const char* kKeys = "summa_host.ledger_event_key";

// Whether every event that is written now gets into them, and this role may read them.
bool IsGuarded(Session& session, const EventTable& table);

}  // namespace summa::ledger
