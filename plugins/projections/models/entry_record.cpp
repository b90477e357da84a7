// entry_record_view: statements. Each posting to an account once, with the balance it led to.
#include "models/models.hpp"
#include "models/statements.hpp"
#include "projections_sql.hpp"

namespace summa::projections {
namespace {

std::optional<std::int64_t> Known(std::int64_t value) {
  if (value == SUMMA_PROJECTION_NO_VALUE) return std::nullopt;
  return value;
}

class EntryRecord final : public Projection {
 public:
  EntryRecord()
      : Projection(
            {.id = "entry-record-view",
             .summary = "Entries of accounts, for statements.",
             .event_types = {"CREDIT_POSTED", "DEBIT_POSTED"},
             .tables =
                 {{"entry_record_view",
                   "id uuid PRIMARY KEY, account_id uuid NOT NULL, transaction_id uuid NOT "
                   "NULL, entry_type text NOT NULL, amount bigint NOT NULL, currency text NOT "
                   "NULL, balance_before bigint, balance_after bigint, reference text NOT "
                   "NULL, category text NOT NULL, position bigint NOT NULL, created_at "
                   "timestamptz NOT NULL",
                   {"(account_id, position, id)", "(transaction_id)"}}},
             .commutative = true,
             .forgets = true}) {}

  // An entry that is there already is an error: it would have been applied twice.
  void Apply(const ProjectionBatch& batch) const override {
    std::vector<Uuid> ids, accounts, transactions;
    std::vector<std::string_view> currencies, references, categories, types;
    std::vector<std::int64_t> amounts, positions, times;
    std::vector<std::optional<std::int64_t>> before, after;
    for (const summa_projection_event& event : batch.events()) {
      ids.push_back(FromAbi(event.id));
      accounts.push_back(FromAbi(event.account_id));
      transactions.push_back(FromAbi(event.transaction_id));
      types.emplace_back(FromAbi(event.type) == "CREDIT_POSTED" ? "CREDIT" : "DEBIT");
      amounts.push_back(event.amount);
      currencies.emplace_back(FromAbi(event.account != nullptr ? event.account->currency
                                                               : event.transaction->currency));
      before.push_back(Known(event.balance_before));
      after.push_back(Known(event.balance_after));
      references.emplace_back(FromAbi(event.reference));
      categories.emplace_back(FromAbi(event.category));
      positions.push_back(event.position);
      times.push_back(event.created_at);
    }
    if (ids.empty()) return;
    batch.Exec(
        OnTable(sql::entry_record, batch.Table("entry_record_view")),
        {UuidArray(ids), UuidArray(accounts), UuidArray(transactions), TextsOf(types),
         IntegerArray(amounts), TextsOf(currencies), IntegerArray(before), IntegerArray(after),
         TextsOf(references), TextsOf(categories), IntegerArray(positions), TimestampArray(times)});
  }
  void Forget(const ProjectionBatch& batch, const Uuid& account,
              const summa_projection_account* /*known*/) const override {
    batch.Exec("DELETE FROM " + batch.Table("entry_record_view") + " WHERE account_id = $1",
               {UuidValue(account)});
  }
};

}  // namespace

std::unique_ptr<Projection> MakeEntryRecord() { return std::make_unique<EntryRecord>(); }

}  // namespace summa::projections
