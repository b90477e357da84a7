// account_balance_view: what each account has, as Summa's own account_balance.
#include "models/account_changes.hpp"
#include "models/models.hpp"
#include "models/statements.hpp"
#include "projections_sql.hpp"

namespace summa::projections {
namespace {

class AccountBalance final : public Projection {
 public:
  AccountBalance()
      : Projection(
            {.id = "account-balance-view",
             .summary = "Balances of accounts, as account_balance has them.",
             .event_types = {"CREDIT_POSTED", "DEBIT_POSTED", "HOLD_PLACED", "HOLD_RELEASED",
                             "HOLD_CAPTURED", "ACCOUNT_OPENED", "ACCOUNT_FROZEN",
                             "ACCOUNT_UNFROZEN", "ACCOUNT_CLOSED"},
             .tables = {{"account_balance_view",
                         "id uuid PRIMARY KEY, holder_id text NOT NULL, holder_type text NOT "
                         "NULL, currency text NOT NULL, balance bigint NOT NULL, "
                         "available_balance bigint NOT NULL, pending_debit bigint NOT NULL, "
                         "credit_balance bigint NOT NULL, debit_balance bigint NOT NULL, "
                         "status text NOT NULL, position bigint NOT NULL, updated_at "
                         "timestamptz NOT NULL",
                         {"(holder_id, holder_type)"}}},
             .commutative = true,
             .forgets = true,
             .without_transactions = true}) {}

  void Apply(const ProjectionBatch& batch) const override {
    std::vector<Uuid> ids;
    std::vector<std::string_view> holders, types, currencies, statuses;
    std::vector<std::int64_t> credits, debits, held, positions, times;
    for (const auto& [id, change] : FoldByAccount(batch.events())) {
      ids.push_back(id);
      holders.emplace_back(FromAbi(change.account->holder_id));
      types.emplace_back(FromAbi(change.account->holder_type));
      currencies.emplace_back(FromAbi(change.account->currency));
      statuses.emplace_back(FromAbi(change.account->status));
      credits.push_back(change.credits);
      debits.push_back(change.debits);
      held.push_back(change.held);
      positions.push_back(change.position);
      times.push_back(change.updated_at);
    }
    if (ids.empty()) return;
    const Parameter parameters[] = {
        UuidArray(ids),          TextsOf(holders),      TextsOf(types),       TextsOf(currencies),
        TextsOf(statuses),       IntegerArray(credits), IntegerArray(debits), IntegerArray(held),
        IntegerArray(positions), TimestampArray(times)};
    AddRows(batch, "account_balance_view",
            {sql::account_balance_update, sql::account_balance_insert, sql::account_balance_missing,
             sql::account_balance_conflict},
            ids.size(), parameters);
  }
  void Forget(const ProjectionBatch& batch, const Uuid& account,
              const summa_projection_account* /*known*/) const override {
    batch.Exec("DELETE FROM " + batch.Table("account_balance_view") + " WHERE id = $1",
               {UuidValue(account)});
  }
};

}  // namespace

std::unique_ptr<Projection> MakeAccountBalance() { return std::make_unique<AccountBalance>(); }

}  // namespace summa::projections
