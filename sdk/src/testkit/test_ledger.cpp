#include <summa/testkit/host_program.hpp>
#include <summa/testkit/test_ledger.hpp>

#include "test_ledger_sql.hpp"

namespace summa::testkit {
namespace {

std::string Create(PostgreSql& server, const std::string& name) {
  std::string url = server.CreateDatabase(name);
  const HostProgram host("database: { ledger: { url: \"" + url + "\" } }\nplugins: {}\n");
  host.RunOrThrow({"migrate", "--create-ledger", "plan"});
  server.RunSql(name, std::string(embedded::operations));
  return url;
}

}  // namespace

TestLedger::TestLedger(PostgreSql& server, const std::string& name)
    : url_(Create(server, name)), db_(url_) {}

std::string TestLedger::Configuration() const {
  return "database: { ledger: { url: \"" + url_ +
         "\" }, migrate: auto }\nhost: { listen: \"127.0.0.1:0\" }\n";
}

void TestLedger::OpenAccount(int number) {
  db_.Query("SELECT plan.open_account($1::integer)", {std::to_string(number)});
}

void TestLedger::Credit(int number, long long amount, const std::string& category) {
  db_.Query("SELECT plan.transact(NULL, $1::uuid, $2::bigint, $3, $4)",
            {AccountId(number), std::to_string(amount), Reference(), category});
}

void TestLedger::Transfer(int from, int to, long long amount, const std::string& category) {
  db_.Query("SELECT plan.transact($1::uuid, $2::uuid, $3::bigint, $4, $5)",
            {AccountId(from), AccountId(to), std::to_string(amount), Reference(), category});
}

std::string TestLedger::AccountId(int number) {
  return db_.Value("SELECT plan.account_id($1::integer)", {std::to_string(number)});
}

std::string TestLedger::Reference() { return "test-" + std::to_string(++references_); }

}  // namespace summa::testkit
