// holder_dashboard_view: everything of a holder in one currency.
#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "models/account_changes.hpp"
#include "models/models.hpp"
#include "models/statements.hpp"
#include "projections_sql.hpp"

namespace summa::projections {
namespace {

class HolderDashboard final : public Projection {
 public:
  HolderDashboard()
      : Projection({.id = "holder-dashboard-view",
                    .summary = "Totals of holders by currency.",
                    .event_types = {"CREDIT_POSTED", "DEBIT_POSTED", "HOLD_PLACED", "HOLD_RELEASED",
                                    "HOLD_CAPTURED", "ACCOUNT_OPENED"},
                    .tables = {{"holder_dashboard_view",
                                "holder_id text NOT NULL, holder_type text NOT NULL, currency text "
                                "NOT NULL, accounts bigint NOT NULL, balance bigint NOT NULL, "
                                "available_balance bigint NOT NULL, held bigint NOT NULL, credits "
                                "bigint NOT NULL, debits bigint NOT NULL, transactions bigint NOT "
                                "NULL, last_transaction_at timestamptz, updated_at timestamptz NOT "
                                "NULL, PRIMARY KEY (holder_id, holder_type, currency)"}},
                    .commutative = true,
                    .forgets = true,
                    .rows_of_holders = true,
                    .without_transactions = true}) {}

  void Apply(const ProjectionBatch& batch) const override {
    const auto changes = FoldByAccount(batch.events());
    std::vector<std::pair<Key, const AccountChange*>> accounts;
    accounts.reserve(changes.size());
    for (const auto& [id, change] : changes) {
      const summa_projection_account& account = *change.account;
      const Key key{FromAbi(account.holder_id), FromAbi(account.holder_type),
                    FromAbi(account.currency)};
      accounts.emplace_back(key, &change);
    }
    std::sort(accounts.begin(), accounts.end());  // rows are locked in this order
    Holders holders;
    for (const auto& [key, change] : accounts) {
      if (holders.empty() || holders.back().first != key) {
        holders.emplace_back(key, AccountChange());
      }
      Add(*change, holders.back().second);
    }
    if (!holders.empty()) Write(batch, holders);
  }

  void Forget(const ProjectionBatch& batch, const Uuid& /*key*/,
              const summa_projection_account* account) const override {
    if (account == nullptr) return;  // it is in no row
    batch.Exec(
        "DELETE FROM " + batch.Table("holder_dashboard_view") +
            " WHERE holder_id = $1 AND holder_type = $2 AND currency = $3",
        {std::string(FromAbi(account->holder_id)), std::string(FromAbi(account->holder_type)),
         std::string(FromAbi(account->currency))});
  }

 private:
  using Key = std::tuple<std::string_view, std::string_view, std::string_view>;
  using Holders = std::vector<std::pair<Key, AccountChange>>;

  static void Add(const AccountChange& change, AccountChange& holder) {
    holder.opened += change.opened;
    holder.credits += change.credits;
    holder.debits += change.debits;
    holder.held += change.held;
    holder.transactions += change.transactions;
    holder.last_transaction_at = std::max(holder.last_transaction_at, change.last_transaction_at);
    holder.updated_at = std::max(holder.updated_at, change.updated_at);
  }

  static void Write(const ProjectionBatch& batch, const Holders& holders) {
    std::vector<std::string_view> ids, types, currencies;
    std::vector<std::int64_t> accounts, credits, debits, held, transactions, updated;
    std::vector<std::optional<std::int64_t>> last;
    for (const auto& [key, change] : holders) {
      ids.emplace_back(std::get<0>(key));
      types.emplace_back(std::get<1>(key));
      currencies.emplace_back(std::get<2>(key));
      accounts.push_back(change.opened);
      credits.push_back(change.credits);
      debits.push_back(change.debits);
      held.push_back(change.held);
      transactions.push_back(change.transactions);
      last.push_back(change.last_transaction_at == SUMMA_PROJECTION_NO_TIME
                         ? std::nullopt
                         : std::optional(change.last_transaction_at));
      updated.push_back(change.updated_at);
    }
    const Parameter parameters[] = {TextsOf(ids),          TextsOf(types),
                                    TextsOf(currencies),   IntegerArray(accounts),
                                    IntegerArray(credits), IntegerArray(debits),
                                    IntegerArray(held),    IntegerArray(transactions),
                                    TimestampArray(last),  TimestampArray(updated)};
    AddRows(batch, "holder_dashboard_view",
            {sql::holder_dashboard_update, sql::holder_dashboard_insert,
             sql::holder_dashboard_missing, sql::holder_dashboard_conflict},
            ids.size(), parameters);
  }
};

}  // namespace

std::unique_ptr<Projection> MakeHolderDashboard() { return std::make_unique<HolderDashboard>(); }

std::vector<std::unique_ptr<Projection>> MakeBuiltIn() {
  std::vector<std::unique_ptr<Projection>> all;
  all.push_back(MakeAccountBalance());
  all.push_back(MakeEntryRecord());
  all.push_back(MakeTransactionSummary());
  all.push_back(MakeHolderDashboard());
  return all;
}

}  // namespace summa::projections
