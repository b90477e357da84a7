#include "locate.hpp"

#include <algorithm>
#include <summa/json.hpp>
#include <unordered_map>

#include "reconciliation_sql.hpp"
#include "statement.hpp"

namespace summa::reconciliation {
namespace {

// Accounts whose entries one statement sorts.
constexpr std::size_t kSuspectsTogether = 2000;
// Entries of one account that are named as candidates.
constexpr std::size_t kMaxCandidates = 20;

std::vector<std::string> SplitIds(std::string_view text) {
  std::vector<std::string> ids;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    ids.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return ids;
}

std::string Number(std::int64_t value) { return std::to_string(value); }

// The rows of a statement that tells in all_rows how many there would be without its limit.
void AddAll(const Result& rows, Findings& findings,
            const std::function<Discrepancy(const Row&)>& read) {
  for (const Row row : rows) findings.Add(read(row));
  if (rows.rows() == 0) return;
  findings.Count(rows[0].Get<std::int64_t>("all_rows") - static_cast<std::int64_t>(rows.rows()));
}

}  // namespace

void Locator::Transactions(Findings& findings) {
  work_.ThrowIfStopped();
  const Result rows = session_.Exec(sql::imbalanced, {static_cast<std::int64_t>(kMaxFindings)});
  AddAll(rows, findings, [&](const Row& row) {
    Discrepancy found;
    found.kind = found.step = "step0_double_entry";
    found.transaction_id = row.Get<std::string>("transaction_id");
    const auto credits = row.Get<std::string>("credits"), debits = row.Get<std::string>("debits");
    found.candidates = SplitIds(row.Get<std::string_view>("entries"));
    found.expected = "as much credit as debit in " + row.Get<std::string>("currency");
    found.found = "credits " + credits + ", debits " + debits;
    JsonWriter json;
    json.BeginObject().Member("transactionId", found.transaction_id);
    json.Key("totalCredits").Raw(credits).Key("totalDebits").Raw(debits).EndObject();
    found.detail = json.Take();
    return found;
  });
}

void Locator::Duplicates(Findings& findings) {
  work_.ThrowIfStopped();
  const Result rows = session_.Exec(ForTable(sql::duplicates, ledger::FindEvents(session_)),
                                    {static_cast<std::int64_t>(kMaxFindings)});
  AddAll(rows, findings, [&](const Row& row) {
    Discrepancy found;
    found.kind = found.step = "step0b_duplicate_entry";
    found.transaction_id = row.Get<std::string>("transaction_id");
    found.account_id = row.Get<std::string>("account_id");
    found.candidates = SplitIds(row.Get<std::string_view>("ids"));
    const auto times = row.Get<std::int64_t>("times"), entries = row.Get<std::int64_t>("entries");
    found.expected = times < 2
                         ? "one entry"
                         : Number(times) + " consecutive entries with the amounts of the record";
    found.found = Number(entries) + " entries";
    JsonWriter json;
    json.BeginObject()
        .Member("transactionId", found.transaction_id)
        .TextOrNull("accountId", found.account_id)
        .TextOrNull("systemAccountId", row.Get<std::string_view>("system_account_id"))
        .Member("entryType", row.Get<std::string_view>("entry_type"))
        .Member("duplicateCount", entries)
        .EndObject();
    found.detail = json.Take();
    return found;
  });
}

void Locator::Accounts(const std::vector<Account>& accounts, Findings& order, Findings& balances) {
  std::vector<const Account*> suspects, wrong;
  std::int64_t more = 0;
  for (const Account& account : accounts) {
    if (account.Suspect()) suspects.push_back(&account);
    if (!account.Wrong()) continue;
    if (wrong.size() < kMaxFindings) {
      wrong.push_back(&account);
    } else {
      ++more;
    }
  }
  Order(suspects, order);
  const std::map<std::string, std::string> holders = Holders(wrong);
  std::sort(wrong.begin(), wrong.end(),
            [](const Account* a, const Account* b) { return a->id < b->id; });
  for (const Account* account : wrong) {
    const auto holder = holders.find(ToText(account->id));
    Balances(*account, holder == holders.end() ? "" : holder->second, balances);
  }
  balances.Count(more);
}

void Locator::Order(const std::vector<const Account*>& suspects, Findings& findings) {
  const std::span<const Account* const> all(suspects);
  for (std::size_t from = 0; from < all.size(); from += kSuspectsTogether) {
    OrderOf(all.subspan(from, std::min(kSuspectsTogether, all.size() - from)), findings);
    work_.Progress("accounts checked again", static_cast<std::int64_t>(from),
                   static_cast<std::int64_t>(all.size()));
    work_.ThrowIfStopped();
  }
}

void Locator::OrderOf(std::span<const Account* const> suspects, Findings& findings) {
  std::vector<Uuid> ids;
  ids.reserve(suspects.size());
  std::map<Uuid, const Account*> by_id;
  for (const Account* account : suspects) {
    ids.push_back(account->id);
    by_id[account->id] = account;
  }
  const Result rows = session_.Exec(sql::entry_order, {UuidArray(ids)});
  for (const Row row : rows) {
    const Account& account = *by_id.at(row.Get<Uuid>("account_id"));
    const std::string id = ToText(account.id), entry = ToText(row.Get<Uuid>("id"));
    const auto why = row.Get<std::string_view>("why");
    // The totals say already that an amount is wrong; here is which.
    if (account.Wrong() && (why == "amount" || why == "end")) {
      std::vector<std::string>& candidates = candidates_[id];
      if (why == "amount" && candidates.size() < kMaxCandidates) candidates.push_back(entry);
      continue;
    }
    Discrepancy found;
    found.kind = found.step = "step0c_lock_version_monotonicity";
    found.account_id = id;
    found.expected = row.Get<std::string>("expected");
    found.found = row.Get<std::string>("found");
    found.candidates = {entry};
    JsonWriter json;
    json.BeginObject()
        .Member("accountId", id)
        .Member("entryType", row.Get<std::string_view>("entry_type"))
        .Member("createdAt", row.Get<std::string_view>("created"))
        .Member("lockVersion", row.Get<std::int64_t>("version"))
        .Key("prevLockVersion");
    const auto previous = row.Get<std::optional<std::int64_t>>("previous_version");
    previous ? json.Value(*previous) : json.Null();
    json.EndObject();
    found.detail = json.Take();
    findings.Add(std::move(found));
  }
}

std::map<std::string, std::string> Locator::Holders(const std::vector<const Account*>& accounts) {
  std::vector<Uuid> ids;
  ids.reserve(accounts.size());
  for (const Account* account : accounts) ids.push_back(account->id);
  std::map<std::string, std::string> holders;
  if (ids.empty()) return holders;
  const Result rows = session_.Exec(
      "SELECT id, holder_id::text FROM account_balance WHERE id = ANY($1)", {UuidArray(ids)});
  for (const Row row : rows) {
    holders[ToText(row.Get<Uuid>("id"))] = row.Get<std::string>("holder_id");
  }
  return holders;
}

void Locator::Balances(const Account& account, const std::string& holder,
                       Findings& findings) const {
  const std::string id = ToText(account.id);
  const auto candidates = candidates_.find(id);
  const auto add = [&](const char* step, const std::string& what, std::int64_t expected,
                       std::int64_t actual, bool with_sums) {
    if (expected == actual && !account.overflow) return;
    Discrepancy found;
    found.kind = found.step = step;
    found.account_id = id;
    found.expected = Number(expected);
    found.found = Number(actual);
    if (candidates != candidates_.end()) found.candidates = candidates->second;
    JsonWriter json;
    json.BeginObject()
        .Member("accountId", id)
        .Member("holderId", holder)
        .Member("expected" + what, expected)
        .Member("actual" + what, actual);
    if (with_sums) {
      json.Member("entryCredits", account.credits).Member("entryDebits", account.debits);
    }
    json.EndObject();
    found.detail = json.Take();
    findings.Add(std::move(found));
  };
  add("step1_user_account_balance", "Balance", account.credits - account.debits, account.balance,
      true);
  add("step1_user_account_credit_balance", "CreditBalance", account.credits, account.credit_balance,
      false);
  add("step1_user_account_debit_balance", "DebitBalance", account.debits, account.debit_balance,
      false);
  add("step1_user_account_pending_debit", "PendingDebit", account.held, account.pending_debit,
      false);
}

void Locator::UnknownAccount(const Account& account, Findings& findings) {
  Discrepancy found;
  found.kind = found.step = "step1_user_account_missing";
  found.account_id = ToText(account.id);
  found.expected = "a row in account_balance";
  found.found = "entries only";
  JsonWriter json;
  json.BeginObject()
      .Member("accountId", found.account_id)
      .Member("entryCredits", account.credits)
      .Member("entryDebits", account.debits)
      .EndObject();
  found.detail = json.Take();
  findings.Add(std::move(found));
}

void Locator::SystemAccounts(const std::vector<SystemAccount>& accounts, Findings& findings) {
  for (const SystemAccount& account : accounts) {
    const std::int64_t expected = account.balance + account.pending;
    if (account.net == expected && !account.overflow && !account.missing) continue;
    const std::string id = ToText(account.id);
    const auto processed_sum =
        session_.Exec(sql::processed_hot_sum, {UuidValue(account.id)}).Value<std::int64_t>();
    Discrepancy found;
    found.kind = found.step = "step2_system_account_balance";
    found.account_id = id;
    found.expected = Number(account.net);
    found.found = Number(expected);
    JsonWriter json;
    json.BeginObject()
        .Member("systemAccountId", id)
        .Member("identifier", account.identifier)
        .Member("entryNetCredits", account.net)
        .Member("totalHotNet", account.pending + processed_sum)
        .Member("pendingHotSum", account.pending)
        .Member("processedHotSum", processed_sum)
        .Member("balance", account.balance);
    if (account.missing) json.Member("rowMissing", true);
    json.EndObject();
    found.detail = json.Take();
    findings.Add(std::move(found));
  }
}

}  // namespace summa::reconciliation
