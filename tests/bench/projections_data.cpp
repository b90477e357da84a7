#include "tests/bench/projections_data.hpp"

#include "tests/bench/projections_plugin.hpp"
#include "tests/fixture/ledger.hpp"

namespace summa::bench {

std::string MakeAccounts(test::PostgresServer& server, const std::string& name,
                         long long accounts) {
  const std::string url = test::InstallLedger(server, name);
  InstallProjections(url);
  test::Db(url).Query("SELECT fixture.bulk_accounts($1::integer)", {std::to_string(accounts)});
  ProjectionsPlugin(url).Apply();
  return url;
}

void AddTransfers(test::Db& db, long long events, long long accounts, bool hot) {
  db.Query("SELECT fixture.bulk_transfers($1::bigint, $2::integer, $3::boolean)",
           {std::to_string(events), std::to_string(accounts), hot ? "true" : "false"});
}

}  // namespace summa::bench
