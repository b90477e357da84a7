#include "account_table.hpp"

#include <bit>

namespace summa::reconciliation {

AccountTable::AccountTable(std::size_t expected)
    : index_(std::bit_ceil(std::max<std::size_t>(expected * 2, 16)), kEmpty) {
  accounts_.reserve(expected);
}

void AccountTable::Grow() {
  index_.assign(index_.size() * 2, kEmpty);
  for (std::uint32_t i = 0; i < accounts_.size(); ++i) {
    std::size_t place = Place(accounts_[i].id);
    while (index_[place] != kEmpty) place = (place + 1) & (index_.size() - 1);
    index_[place] = i;
  }
}

void AccountTable::Add(const Account& account) {
  if ((accounts_.size() + 1) * 2 > index_.size()) Grow();
  std::size_t place = Place(account.id);
  while (index_[place] != kEmpty) place = (place + 1) & (index_.size() - 1);
  index_[place] = static_cast<std::uint32_t>(accounts_.size());
  accounts_.push_back(account);
}

Account* AccountTable::Find(const Uuid& id) {
  for (std::size_t place = Place(id);; place = (place + 1) & (index_.size() - 1)) {
    if (index_[place] == kEmpty) return nullptr;
    Account& account = accounts_[index_[place]];
    if (account.id == id) return &account;
  }
}

void AccountTable::Count(Account& account, const Entry& entry) {
  if (!entry.hot) {
    std::int64_t& sum = entry.type == Entry::Type::kCredit ? account.credits : account.debits;
    if (entry.type != Entry::Type::kOther) {
      account.overflow |= __builtin_add_overflow(sum, entry.amount, &sum);
    }
  }
  if (!entry.lock_version || !entry.balance_before || !entry.balance_after) return;
  if (*entry.balance_after != *entry.balance_before + entry.Signed()) account.broken = true;
  if (account.seen_version && *entry.lock_version < account.last_version) {
    account.out_of_order = true;
    return;
  }
  if (account.seen_version && (*entry.lock_version == account.last_version ||
                               *entry.balance_before != account.last_balance)) {
    account.broken = true;
  }
  account.seen_version = true;
  account.last_version = *entry.lock_version;
  account.last_balance = *entry.balance_after;
}

}  // namespace summa::reconciliation
