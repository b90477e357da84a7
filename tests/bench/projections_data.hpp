// Ledgers whose read models exist, and have everything but the transfers that are added to them.
#pragma once

#include <string>

#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::bench {

// Database `name` with a ledger of the deployed layout and so many accounts, and read models that
// have the accounts. Returns its Url.
std::string MakeAccounts(test::PostgresServer& server, const std::string& name, long long accounts);

// Transfers between accounts of customers: each is one event with two entries. hot: account 1 is
// one side of each. Nothing is projected.
void AddTransfers(test::Db& db, long long events, long long accounts, bool hot);

}  // namespace summa::bench
