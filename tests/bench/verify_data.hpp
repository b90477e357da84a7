// Event stores to be verified: made outside of the database, with right hashes, and loaded by COPY.
#pragma once

#include <string>

#include "tests/services/postgres_server.hpp"

namespace summa::bench {

// Creates database `name` with a ledger_event of the deployed layout (table, then indexes as Summa
// has them): `aggregates` transactions of `events` events each, in the order in which a ledger
// appends them. With `block_events` also blocks of so many events. Returns its Url.
std::string MakeEventStore(test::PostgresServer& server, const std::string& name,
                           long long aggregates, long long events, long long block_events);

}  // namespace summa::bench
