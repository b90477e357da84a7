// Says what exactly is wrong with the books, where a pass over the entries has seen that something
// is: by statements of SQL that are only run then.
#pragma once

#include <map>
#include <string>
#include <summa/sql.hpp>
#include <vector>

#include "account_table.hpp"
#include "discrepancy.hpp"
#include "work.hpp"

namespace summa::reconciliation {

struct SystemAccount {
  Uuid id{};
  std::string identifier;
  std::int64_t balance = 0, pending = 0;  // its row, and what is still to be added to it
  std::int64_t net = 0;                   // its entries: credits less debits
  bool overflow = false;
  bool missing = false;  // it has entries and no row
};

class Locator {
 public:
  Locator(Session& session, Work& work) : session_(session), work_(work) {}

  void Transactions(Findings& findings);
  void Duplicates(Findings& findings);
  // Steps 0c and 1 of these accounts.
  void Accounts(const std::vector<Account>& accounts, Findings& order, Findings& balances);
  void SystemAccounts(const std::vector<SystemAccount>& accounts, Findings& findings);
  // Entries of an account that does not exist.
  static void UnknownAccount(const Account& account, Findings& findings);

 private:
  using Candidates = std::map<std::string, std::vector<std::string>>;  // entries by account

  void Order(const std::vector<const Account*>& suspects, Findings& findings);
  void OrderOf(std::span<const Account* const> suspects, Findings& findings);
  std::map<std::string, std::string> Holders(const std::vector<const Account*>& accounts);
  void Balances(const Account& account, const std::string& holder, Findings& findings) const;

  Session& session_;
  Work& work_;
  Candidates candidates_;
};

}  // namespace summa::reconciliation
