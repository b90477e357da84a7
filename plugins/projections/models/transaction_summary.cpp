// transaction_summary_view: each transaction, hold and refund, as it is now. The ledger's own
// record is taken over whenever an event concerns it, so a row is right however often that happens.
#include <algorithm>
#include <utility>
#include <vector>

#include "models/models.hpp"
#include "models/statements.hpp"
#include "projections_sql.hpp"

namespace summa::projections {
namespace {

Uuid IdOrZero(const summa_projection_transaction& record, std::uint32_t flag,
              const summa_uuid& id) {
  return (record.flags & flag) != 0 ? FromAbi(id) : Uuid{};
}

class TransactionSummary final : public Projection {
 public:
  TransactionSummary()
      : Projection(
            {.id = "transaction-summary-view",
             .summary = "Transactions, holds and refunds with their state.",
             .key = SUMMA_KEY_TRANSACTION,
             .tables = {{"transaction_summary_view",
                         "id uuid PRIMARY KEY, reference text NOT NULL, type text NOT NULL, "
                         "status text NOT NULL, amount bigint NOT NULL, currency text NOT "
                         "NULL, source_account_id uuid, destination_account_id uuid, "
                         "source_system_account_id uuid, destination_system_account_id uuid, "
                         "refunded_amount bigint NOT NULL, posted_at timestamptz, position "
                         "bigint NOT NULL, updated_at timestamptz NOT NULL",
                         {"(reference)", "(source_account_id, position)",
                          "(destination_account_id, position)"}}},
             .commutative = true,
             .forgets = true}) {}

  void Apply(const ProjectionBatch& batch) const override {
    if (batch.transactions().empty()) return;
    std::vector<std::pair<Uuid, const summa_projection_transaction*>> records;
    for (const auto& record : batch.transactions()) {
      records.emplace_back(FromAbi(record.id), &record);
    }
    std::sort(records.begin(), records.end());  // rows are locked in this order
    std::vector<Uuid> ids, sources, destinations, system_sources, system_destinations;
    std::vector<std::string_view> references, types, statuses, currencies;
    std::vector<std::int64_t> amounts, refunded, positions, times;
    std::vector<std::optional<std::int64_t>> posted;
    for (const auto& [id, record] : records) {
      ids.push_back(id);
      references.emplace_back(FromAbi(record->reference));
      types.emplace_back(FromAbi(record->type));
      statuses.emplace_back(FromAbi(record->status));
      amounts.push_back(record->amount);
      currencies.emplace_back(FromAbi(record->currency));
      sources.push_back(IdOrZero(*record, SUMMA_TRANSACTION_HAS_SOURCE, record->source_account_id));
      destinations.push_back(
          IdOrZero(*record, SUMMA_TRANSACTION_HAS_DESTINATION, record->destination_account_id));
      system_sources.push_back(
          IdOrZero(*record, SUMMA_TRANSACTION_HAS_SYSTEM_SOURCE, record->source_system_account_id));
      system_destinations.push_back(IdOrZero(*record, SUMMA_TRANSACTION_HAS_SYSTEM_DESTINATION,
                                             record->destination_system_account_id));
      refunded.push_back(record->refunded_amount);
      posted.push_back(record->posted_at == SUMMA_PROJECTION_NO_TIME
                           ? std::nullopt
                           : std::optional(record->posted_at));
      positions.push_back(record->position);
      times.push_back(record->changed_at);
    }
    const Parameter parameters[] = {UuidArray(ids),
                                    TextsOf(references),
                                    TextsOf(types),
                                    TextsOf(statuses),
                                    IntegerArray(amounts),
                                    TextsOf(currencies),
                                    UuidArray(sources),
                                    UuidArray(destinations),
                                    UuidArray(system_sources),
                                    UuidArray(system_destinations),
                                    IntegerArray(refunded),
                                    TimestampArray(posted),
                                    IntegerArray(positions),
                                    TimestampArray(times)};
    AddRows(batch, "transaction_summary_view",
            {sql::transaction_summary_update, sql::transaction_summary_insert,
             sql::transaction_summary_missing, sql::transaction_summary_conflict},
            ids.size(), parameters);
  }
  void Forget(const ProjectionBatch& batch, const Uuid& transaction,
              const summa_projection_account* /*none*/) const override {
    batch.Exec("DELETE FROM " + batch.Table("transaction_summary_view") + " WHERE id = $1",
               {UuidValue(transaction)});
  }
};

}  // namespace

std::unique_ptr<Projection> MakeTransactionSummary() {
  return std::make_unique<TransactionSummary>();
}

}  // namespace summa::projections
