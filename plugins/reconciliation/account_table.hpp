// What the entries say of each account, beside what its row says: made to be filled by millions of
// entries in any order. About 100 bytes for an account.
#pragma once

#include <cstdint>
#include <functional>
#include <summa/sql.hpp>
#include <vector>

#include "entry.hpp"
#include "keyed_hash.hpp"

namespace summa::reconciliation {

struct Account {
  Uuid id{};
  // Its row.
  std::int64_t balance = 0, credit_balance = 0, debit_balance = 0, pending_debit = 0;
  // Its entries, and the holds on it.
  std::int64_t credits = 0, debits = 0, held = 0;
  // The entry with the highest version so far.
  std::int64_t last_version = 0, last_balance = 0;
  bool seen_version = false;
  bool overflow = false;      // a sum does not fit: no balance can be equal to it
  bool out_of_order = false;  // a lower version came after a higher one: looked at again, sorted
  bool broken = false;        // two entries do not follow on one another

  bool Balanced() const {
    return !overflow && balance == credits - debits && credit_balance == credits &&
           debit_balance == debits && pending_debit == held;
  }
  // The totals say that something is wrong.
  bool Wrong() const { return !Balanced(); }
  // The order or the running balances of its entries have to be looked at one by one.
  bool Suspect() const {
    return out_of_order || broken || (seen_version && Balanced() && last_balance != balance);
  }
};

class AccountTable {
 public:
  explicit AccountTable(std::size_t expected);

  void Add(const Account& account);
  // Null: not in the table.
  Account* Find(const Uuid& id);
  std::size_t size() const { return accounts_.size(); }
  const std::vector<Account>& accounts() const { return accounts_; }

  // One entry of an account of this table.
  static void Count(Account& account, const Entry& entry);

 private:
  static constexpr std::uint32_t kEmpty = UINT32_MAX;
  std::size_t Place(const Uuid& id) const { return hash_(id) & (index_.size() - 1); }
  void Grow();

  KeyedHash hash_;
  std::vector<Account> accounts_;
  std::vector<std::uint32_t> index_;  // open addressing, at most half full
};

}  // namespace summa::reconciliation
