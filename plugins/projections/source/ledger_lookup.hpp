// Reads what the payload of an event does not say: the entries of its transaction, the records of
// transactions and accounts. Set-wise: one statement each for a batch.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>
#include <unordered_map>
#include <vector>

#include "source/event_batch.hpp"

namespace summa::projections {

struct UuidHash {
  std::size_t operator()(const Uuid& uuid) const {
    return std::hash<std::string_view>()(
        {reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size()});
  }
};
template <typename T>
using ByUuid = std::unordered_map<Uuid, T, UuidHash>;

// A posting to the account of a customer.
struct Entry {
  Uuid id, account_id;
  bool credit = false;
  std::int64_t amount = 0;
  std::int64_t balance_before = SUMMA_PROJECTION_NO_VALUE;
  std::int64_t balance_after = SUMMA_PROJECTION_NO_VALUE;
  std::int64_t version = 0;  // of the account; where it has none, the highest
};

// Entries of each transaction, by account, then in the order in which they were posted.
ByUuid<std::vector<Entry>> ReadEntries(Session& session, std::span<const Uuid> transactions);

// The records of these transactions and of those that they reverse, into batch.transactions, which
// has none. The ids are in order.
void ReadTransactions(Session& session, std::span<const Uuid> transactions, EventBatch& batch);

// Those that the ledger has.
std::vector<std::shared_ptr<const KnownAccount>> ReadAccounts(Session& session,
                                                              std::span<const Uuid> accounts);

// Accounts that were read a short time ago. What describes an account changes with an event of its
// own, with which it is read again; only what somebody changes by hand is noticed later.
class AccountCache {
 public:
  // nullptr: it has to be read.
  std::shared_ptr<const KnownAccount> Find(const Uuid& account) const;
  void Keep(const std::vector<std::shared_ptr<const KnownAccount>>& accounts);
  // Before each batch: nothing is kept for long, and not too much.
  void Expire();

 private:
  static constexpr std::size_t kMost = 100'000;  // some 30 MB
  static constexpr std::chrono::seconds kLongest{30};

  ByUuid<std::shared_ptr<const KnownAccount>> known_;
  std::chrono::steady_clock::time_point since_{};
};

// How many postings of the same transaction stand before an event in its aggregate. In the plan's
// layout, each posting is an event of its own.
struct Earlier {
  std::int64_t same_type = 0, any_type = 0;
};
ByUuid<Earlier> CountEarlier(Session& session, const ledger::EventTable& table,
                             std::span<const Uuid> events, std::int64_t at_most);

// Of the event with this id; nothing: there is none.
std::optional<std::int64_t> PositionOf(Session& ledger, const ledger::EventTable& table,
                                       const Uuid& event);

}  // namespace summa::projections
