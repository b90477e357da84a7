// A ledger on a private PostgreSQL, and a few operations as Summa performs them. Link
// Summa::testkit.
//
//   summa::testkit::PostgreSql server;
//   summa::testkit::TestLedger ledger(server);
//   ledger.OpenAccount(1);
//   ledger.Credit(1, 500);
#pragma once

#include <string>
#include <summa/testkit/db.hpp>
#include <summa/testkit/postgresql.hpp>

namespace summa::testkit {

// A database with the tables of a new ledger (`summa-host migrate --create-ledger plan`). Accounts
// have numbers from 1 on; the holder of account N is "holder_N", the currency USD. Main thread only.
// Errors: std::runtime_error, DbError.
class TestLedger {
 public:
  explicit TestLedger(PostgreSql& server, const std::string& name = "ledger");

  const std::string& Url() const { return url_; }
  // The beginning of a summa.yaml: this ledger, and an endpoint on a free port.
  std::string Configuration() const;
  Db& db() { return db_; }

  void OpenAccount(int number);
  // From outside of the ledger into an account. `category`: of the transaction.
  void Credit(int number, long long amount, const std::string& category = "credit");
  void Transfer(int from, int to, long long amount, const std::string& category = "transfer");
  // As the ledger knows it.
  std::string AccountId(int number);

 private:
  std::string Reference();

  std::string url_;
  Db db_;
  int references_ = 0;
};

}  // namespace summa::testkit
