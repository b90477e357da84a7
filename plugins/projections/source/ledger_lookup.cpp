#include "source/ledger_lookup.hpp"

#include <algorithm>
#include <climits>
#include <tuple>

#include "projections_sql.hpp"

namespace summa::projections {
namespace {

summa_uuid IdOr(const std::optional<Uuid>& id, std::uint32_t flag, std::uint32_t& flags) {
  if (!id) return {};
  flags |= flag;
  return ToAbi(*id);
}

void ReadThese(Session& session, std::span<const Uuid> transactions, EventBatch& batch) {
  if (transactions.empty()) return;
  const Result found = session.Exec(sql::transactions, {UuidArray(transactions)});
  batch.transactions.reserve(batch.transactions.size() + found.rows());
  for (const Row row : found) {
    summa_projection_transaction& record = batch.transactions.emplace_back();
    record.struct_size = sizeof record;
    record.id = ToAbi(row.Get<Uuid>("id"));
    record.reference = batch.Keep(row.Get<std::string_view>("reference"));
    record.status = batch.Keep(row.Get<std::string_view>("status"));
    record.currency = batch.Keep(row.Get<std::string_view>("currency"));
    record.amount = row.Get<std::int64_t>("amount");
    record.refunded_amount = row.Get<std::int64_t>("refunded_amount");
    const auto posted_at = row.Get<std::optional<DatabaseTime>>("posted_at");
    record.posted_at = posted_at ? ToMicroseconds(*posted_at) : SUMMA_PROJECTION_NO_TIME;
    if (row.Get<bool>("is_hold")) record.flags |= SUMMA_TRANSACTION_HOLD;
    if (row.Get<bool>("is_reversal")) record.flags |= SUMMA_TRANSACTION_REVERSAL;
    const auto optional = [&](const char* column, std::uint32_t flag) {
      return IdOr(row.Get<std::optional<Uuid>>(column), flag, record.flags);
    };
    record.parent_id = optional("parent_id", SUMMA_TRANSACTION_HAS_PARENT);
    record.source_account_id = optional("source_account_id", SUMMA_TRANSACTION_HAS_SOURCE);
    record.destination_account_id =
        optional("destination_account_id", SUMMA_TRANSACTION_HAS_DESTINATION);
    record.source_system_account_id =
        optional("source_system_account_id", SUMMA_TRANSACTION_HAS_SYSTEM_SOURCE);
    record.destination_system_account_id =
        optional("destination_system_account_id", SUMMA_TRANSACTION_HAS_SYSTEM_DESTINATION);
    record.category = batch.Keep(row.Get<std::string_view>("category"));
    record.type = batch.Keep(row.Get<std::string_view>("type"));
  }
}

bool IsBefore(const Entry& a, const Entry& b) {
  return std::tie(a.account_id, a.version, a.id) < std::tie(b.account_id, b.version, b.id);
}

}  // namespace

ByUuid<std::vector<Entry>> ReadEntries(Session& session, std::span<const Uuid> transactions) {
  ByUuid<std::vector<Entry>> entries;
  if (transactions.empty()) return entries;
  entries.reserve(transactions.size());
  const Result found = session.Exec(sql::entries, {UuidArray(transactions)});
  const auto id = found.Bind<Uuid>("id"), transaction = found.Bind<Uuid>("transaction_id"),
             account = found.Bind<Uuid>("account_id");
  const auto credit = found.Bind<bool>("credit");
  const auto amount = found.Bind<std::int64_t>("amount");
  const auto before = found.Bind<std::optional<std::int64_t>>("balance_before"),
             after = found.Bind<std::optional<std::int64_t>>("balance_after");
  const auto version = found.Bind<std::optional<std::int64_t>>("version");
  for (const Row row : found) {
    entries[row.Get(transaction)].push_back(
        {row.Get(id), row.Get(account), row.Get(credit), row.Get(amount),
         row.Get(before).value_or(SUMMA_PROJECTION_NO_VALUE),
         row.Get(after).value_or(SUMMA_PROJECTION_NO_VALUE), row.Get(version).value_or(INT64_MAX)});
  }
  // Here and not by the server, which would sort all of them at once.
  for (auto& [of, some] : entries) std::sort(some.begin(), some.end(), IsBefore);
  return entries;
}

void ReadTransactions(Session& session, std::span<const Uuid> transactions, EventBatch& batch) {
  ReadThese(session, transactions, batch);
  std::vector<Uuid> reversed;
  for (const summa_projection_transaction& record : batch.transactions) {
    if ((record.flags & SUMMA_TRANSACTION_HAS_PARENT) == 0) continue;
    const Uuid parent = FromAbi(record.parent_id);
    if (!std::binary_search(transactions.begin(), transactions.end(), parent)) {
      reversed.push_back(parent);
    }
  }
  std::sort(reversed.begin(), reversed.end());
  reversed.erase(std::unique(reversed.begin(), reversed.end()), reversed.end());
  ReadThese(session, reversed, batch);
}

std::vector<std::shared_ptr<const KnownAccount>> ReadAccounts(Session& session,
                                                              std::span<const Uuid> accounts) {
  std::vector<std::shared_ptr<const KnownAccount>> read;
  if (accounts.empty()) return read;
  const Result found = session.Exec(sql::accounts, {UuidArray(accounts)});
  read.reserve(found.rows());
  for (const Row row : found) {
    const auto account = std::make_shared<KnownAccount>();
    account->holder_id = row.Get<std::string_view>("holder_id");
    account->holder_type = row.Get<std::string_view>("holder_type");
    account->currency = row.Get<std::string_view>("currency");
    account->status = row.Get<std::string_view>("status");
    summa_projection_account& record = account->record;
    record.struct_size = sizeof record;
    record.id = ToAbi(row.Get<Uuid>("id"));
    record.holder_id = ToAbi(account->holder_id);
    record.holder_type = ToAbi(account->holder_type);
    record.currency = ToAbi(account->currency);
    record.status = ToAbi(account->status);
    read.push_back(account);
  }
  return read;
}

std::shared_ptr<const KnownAccount> AccountCache::Find(const Uuid& account) const {
  const auto found = known_.find(account);
  return found == known_.end() ? nullptr : found->second;
}

void AccountCache::Keep(const std::vector<std::shared_ptr<const KnownAccount>>& accounts) {
  for (const auto& account : accounts) known_[FromAbi(account->record.id)] = account;
}

void AccountCache::Expire() {
  const auto now = std::chrono::steady_clock::now();
  if (known_.size() <= kMost && now - since_ < kLongest) return;
  known_.clear();
  since_ = now;
}

std::optional<std::int64_t> PositionOf(Session& ledger, const ledger::EventTable& table,
                                       const Uuid& event) {
  const Result found = ledger.Exec(
      "SELECT " + table.position + "::bigint AS position FROM " + table.name + " WHERE id = $1",
      {UuidValue(event)});
  if (found.rows() == 0) return std::nullopt;
  return found[0].Get<std::int64_t>("position");
}

// The events of one operation follow each other in an aggregate, so few versions are looked at.
ByUuid<Earlier> CountEarlier(Session& session, const ledger::EventTable& table,
                             std::span<const Uuid> events, std::int64_t at_most) {
  ByUuid<Earlier> earlier;
  if (events.empty()) return earlier;
  const std::string statement =
      "SELECT e.id, count(*) FILTER (WHERE p.event_type = e.event_type) AS same_type, count(*) AS "
      "any_type FROM " +
      table.name + " e JOIN " + table.name +
      " p ON p.aggregate_type = e.aggregate_type AND p.aggregate_id = e.aggregate_id AND p." +
      table.version + " < e." + table.version + " AND p." + table.version + " >= e." +
      table.version +
      " - $2::bigint WHERE e.id = ANY ($1) AND p.event_type IN ('CREDIT_POSTED', "
      "'DEBIT_POSTED') AND p.event_data->>'transactionId' = e.event_data->>'transactionId' "
      "GROUP BY e.id";
  for (const Row row : session.Exec(statement, {UuidArray(events), at_most})) {
    earlier[row.Get<Uuid>("id")] = {row.Get<std::int64_t>("same_type"),
                                    row.Get<std::int64_t>("any_type")};
  }
  return earlier;
}

}  // namespace summa::projections
