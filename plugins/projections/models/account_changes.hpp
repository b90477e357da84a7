// What a batch of events changes in the amounts of accounts, folded: one entry for each account.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <summa/projection.hpp>
#include <summa/uuid.hpp>
#include <utility>
#include <vector>

namespace summa::projections {

struct AccountChange {
  const summa_projection_account* account = nullptr;
  std::int64_t credits = 0, debits = 0, held = 0;  // added
  std::int64_t opened = 0, transactions = 0;
  std::int64_t position = 0;            // of its last event
  std::int64_t updated_at = INT64_MIN;  // when that was created
  std::int64_t last_transaction_at = SUMMA_PROJECTION_NO_TIME;
};

// In the order of ids, in which rows are locked by everybody. Throws SH-0553 when a sum does not
// fit, or the ledger has no record of an account.
std::vector<std::pair<Uuid, AccountChange>> FoldByAccount(
    std::span<const summa_projection_event> events);

}  // namespace summa::projections
