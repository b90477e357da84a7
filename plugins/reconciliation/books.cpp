#include "books.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <unordered_map>

#include "account_table.hpp"
#include "fingerprints.hpp"
#include "locate.hpp"
#include "reconciliation_sql.hpp"
#include "table_pages.hpp"

namespace summa::reconciliation {
namespace {

constexpr const char* kEntryColumns =
    "transaction_id, account_id, system_account_id, entry_type, amount::bigint, currency, "
    "is_hot_account, balance_before::bigint, balance_after::bigint, account_lock_version::bigint";

// Entries of accounts that do not exist; more than these are not told apart.
constexpr std::size_t kMaxUnknownAccounts = 1000;

Entry::Type ReadType(std::string_view text) {
  if (text == "CREDIT") return Entry::Type::kCredit;
  return text == "DEBIT" ? Entry::Type::kDebit : Entry::Type::kOther;
}

Entry ReadEntry(CopyRow& row) {
  Entry entry;
  entry.transaction_id = row.Next<Uuid>();
  entry.account_id = row.Next<std::optional<Uuid>>();
  entry.system_account_id = row.Next<std::optional<Uuid>>();
  entry.type = ReadType(row.Next<std::string_view>());
  entry.amount = row.Next<std::int64_t>();
  const auto currency = row.Next<std::string_view>();
  std::memcpy(&entry.currency, currency.data(), std::min(currency.size(), sizeof entry.currency));
  entry.hot = row.Next<bool>();
  entry.balance_before = row.Next<std::optional<std::int64_t>>();
  entry.balance_after = row.Next<std::optional<std::int64_t>>();
  entry.lock_version = row.Next<std::optional<std::int64_t>>();
  return entry;
}

// Whether every transaction is balanced, in each of its currencies.
class TransactionSums {
 public:
  void Count(const Entry& entry) {
    const Wide weight = hash_(entry.transaction_id, entry.currency);
    const auto amount = static_cast<Wide>(static_cast<__int128_t>(entry.Signed()));
    sum_ += weight * amount;  // modulo 2^128, also for what is negative
  }
  bool Balanced() const { return sum_ == 0; }

 private:
  KeyedHash hash_;
  Wide sum_ = 0;
};

// Whether an entry is there twice.
class EntrySet {
 public:
  void Count(const Entry& entry) {
    if (entry.hot) return;
    std::uint64_t rest = static_cast<std::uint64_t>(entry.type);
    if (entry.account_id) rest ^= hash_(*entry.account_id, 1);
    if (entry.system_account_id) rest ^= hash_(*entry.system_account_id, 2);
    fingerprints_.Add(hash_(entry.transaction_id, rest));
  }
  bool AnyTwice() { return fingerprints_.AnyTwice(); }

 private:
  KeyedHash hash_;
  Fingerprints fingerprints_;
};

struct UuidHash {
  std::size_t operator()(const Uuid& id) const {
    std::size_t value = 0;
    std::memcpy(&value, id.bytes.data(), sizeof value);
    return value;
  }
};

class Pass {
 public:
  Pass(Session& session, Work& work, const std::optional<Uuid>& after, std::int64_t max_accounts)
      : session_(session), work_(work), after_(after), max_accounts_(max_accounts), accounts_(0) {}

  BooksPass Run() {
    ReadAccounts();
    ReadHolds();
    if (First()) ReadSystemAccounts();
    ReadEntries();
    BooksReport& report = pass_.report;
    report.accounts_checked = static_cast<std::int64_t>(accounts_.size());
    Locator locator(session_, work_);
    if (First()) {
      if (!transactions_.Balanced()) locator.Transactions(report.transactions);
      if (entries_.AnyTwice()) locator.Duplicates(report.duplicates);
      locator.SystemAccounts(system_accounts_, report.system_accounts);
      report.system_accounts_checked = static_cast<std::int64_t>(system_accounts_.size());
    }
    locator.Accounts(accounts_.accounts(), report.order, report.accounts);
    for (const auto& [id, sums] : unknown_accounts_) locator.UnknownAccount(sums, report.accounts);
    return std::move(pass_);
  }

 private:
  bool First() const { return !after_; }

  // Sorted only when they are more than one pass takes: otherwise sorting would waste time.
  void ReadAccounts() {
    const std::string columns =
        "id, balance::bigint, credit_balance::bigint, debit_balance::bigint, pending_debit::bigint";
    const bool all =
        First() && session_.Exec("SELECT count(*) FROM account_balance").Value<std::int64_t>() <=
                       max_accounts_;
    std::string statement = "COPY (SELECT " + columns + " FROM account_balance";
    if (after_) statement.append(" WHERE id > '").append(ToText(*after_)).append("'");
    if (!all) {
      statement.append(" ORDER BY id LIMIT ").append(std::to_string(max_accounts_));
    }
    statement.append(") TO STDOUT (FORMAT binary)");
    CopyRow row;
    session_.CopyOut(statement, [&](std::string_view message) {
      if (!row.Open(message)) return true;
      Account account;
      account.id = row.Next<Uuid>();
      account.balance = row.Next<std::int64_t>();
      account.credit_balance = row.Next<std::int64_t>();
      account.debit_balance = row.Next<std::int64_t>();
      account.pending_debit = row.Next<std::int64_t>();
      accounts_.Add(account);
      return true;
    });
    if (all || accounts_.size() < static_cast<std::size_t>(max_accounts_)) return;
    pass_.through = accounts_.accounts().back().id;
  }

  // Only open holds: they are few, and an index finds them.
  void ReadHolds() {
    CopyRow row;
    session_.CopyOut(
        "COPY (SELECT source_account_id, amount::bigint FROM transaction_record WHERE status = "
        "'inflight' AND is_hold AND source_account_id IS NOT NULL) TO STDOUT (FORMAT binary)",
        [&](std::string_view message) {
          if (!row.Open(message)) return true;
          Account* account = accounts_.Find(row.Next<Uuid>());
          if (account == nullptr) return true;
          account->overflow |=
              __builtin_add_overflow(account->held, row.Next<std::int64_t>(), &account->held);
          return true;
        });
  }

  void ReadSystemAccounts() {
    const Result rows = session_.Exec(sql::system_accounts);
    for (const Row row : rows) {
      SystemAccount account;
      account.id = row.Get<Uuid>("id");
      account.identifier = row.Get<std::string>("identifier");
      account.balance = row.Get<std::int64_t>("balance");
      account.pending = row.Get<std::int64_t>("pending");
      system_places_[account.id] = system_accounts_.size();
      system_accounts_.push_back(std::move(account));
    }
  }

  void ReadEntries() {
    std::string condition;
    if (after_) condition = "account_id > '" + ToText(*after_) + "'";
    if (after_ && pass_.through) {
      condition.append(" AND account_id <= '").append(ToText(*pass_.through)).append("'");
    }
    TablePages pages(session_, "entry_record", "entries");
    const std::int64_t rows = pages.Read(session_, work_, kEntryColumns, condition,
                                         [&](CopyRow& row) { Count(ReadEntry(row)); });
    if (First()) pass_.report.entries = rows;
  }

  void Count(const Entry& entry) {
    if (First()) {
      transactions_.Count(entry);
      entries_.Count(entry);
      if (entry.system_account_id) CountSystem(entry);
    }
    if (!entry.account_id) return;
    Account* account = accounts_.Find(*entry.account_id);
    if (account == nullptr) account = FindUnknownAccount(*entry.account_id);
    if (account != nullptr) AccountTable::Count(*account, entry);
  }

  void CountSystem(const Entry& entry) {
    auto place = system_places_.find(*entry.system_account_id);
    if (place == system_places_.end()) {
      if (system_strangers_ == kMaxUnknownAccounts) return;  // the others are reported
      ++system_strangers_;
      SystemAccount unknown;
      unknown.id = *entry.system_account_id;
      unknown.missing = true;
      place = system_places_.emplace(unknown.id, system_accounts_.size()).first;
      system_accounts_.push_back(std::move(unknown));
    }
    SystemAccount& account = system_accounts_[place->second];
    account.overflow |= __builtin_add_overflow(account.net, entry.Signed(), &account.net);
  }

  // An account that has entries and no row; none: it belongs to another pass.
  Account* FindUnknownAccount(const Uuid& id) {
    if (pass_.through && id > *pass_.through) return nullptr;
    const auto known = unknown_accounts_.find(id);
    if (known != unknown_accounts_.end()) return &known->second;
    if (unknown_accounts_.size() >= kMaxUnknownAccounts) {
      pass_.report.accounts.Count(1);
      return nullptr;
    }
    Account& account = unknown_accounts_[id];
    account.id = id;
    return &account;
  }

  Session& session_;
  Work& work_;
  const std::optional<Uuid>& after_;
  const std::int64_t max_accounts_;
  AccountTable accounts_;
  std::unordered_map<Uuid, Account, UuidHash> unknown_accounts_;
  TransactionSums transactions_;
  EntrySet entries_;
  std::vector<SystemAccount> system_accounts_;
  std::unordered_map<Uuid, std::size_t, UuidHash> system_places_;
  std::size_t system_strangers_ = 0;  // have entries and no row
  BooksPass pass_;
};

}  // namespace

BooksPass CheckBooks(Session& session, Work& work, const std::optional<Uuid>& after,
                     std::int64_t accounts_in_pass) {
  return Pass(session, work, after, accounts_in_pass).Run();
}

}  // namespace summa::reconciliation
