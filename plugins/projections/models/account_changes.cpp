#include "models/account_changes.hpp"

#include <algorithm>
#include <string>

namespace summa::projections {
namespace {

void Add(std::int64_t& sum, std::int64_t amount, const Uuid& account) {
  if (!__builtin_add_overflow(sum, amount, &sum)) return;
  throw Error(SUMMA_E_DATA, "SH-0553",
              "the amounts of account " + ToText(account) + " are too large for a bigint",
              "Look at the events of the account");
}

[[noreturn]] void RefuseUnknown(const summa_projection_event& event, const Uuid& account) {
  throw Error(SUMMA_E_DATA, "SH-0553",
              "account_balance has no row with id " + ToText(account) + ", of which the event " +
                  std::to_string(event.position) + " (" + std::string(FromAbi(event.stored_type)) +
                  ") speaks",
              "Find out who has removed the account");
}

void Apply(const summa_projection_event& event, const Uuid& account, AccountChange& change) {
  const std::string_view type = FromAbi(event.type);
  if (type == "HOLD_PLACED") return Add(change.held, event.amount, account);
  if (type == "HOLD_RELEASED") return Add(change.held, -event.amount, account);
  if (type == "HOLD_CAPTURED") return Add(change.held, -event.original_amount, account);
  if (type == "ACCOUNT_OPENED") return Add(change.opened, 1, account);
  const bool credit = type == "CREDIT_POSTED";
  if (!credit && type != "DEBIT_POSTED") return;
  Add(credit ? change.credits : change.debits, event.amount, account);
  change.last_transaction_at = std::max(change.last_transaction_at, event.created_at);
  if ((event.flags & SUMMA_EVENT_FIRST_OF_TRANSACTION) != 0) Add(change.transactions, 1, account);
}

}  // namespace

std::vector<std::pair<Uuid, AccountChange>> FoldByAccount(
    std::span<const summa_projection_event> events) {
  std::vector<std::pair<Uuid, const summa_projection_event*>> sorted;
  sorted.reserve(events.size());
  for (const summa_projection_event& event : events) {
    if ((event.flags & SUMMA_EVENT_HAS_ACCOUNT) == 0) continue;
    sorted.emplace_back(FromAbi(event.account_id), &event);
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::pair<Uuid, AccountChange>> changes;
  for (const auto& [account, event] : sorted) {
    if (event->account == nullptr) RefuseUnknown(*event, account);
    if (changes.empty() || changes.back().first != account) {
      changes.emplace_back(account, AccountChange());
    }
    AccountChange& change = changes.back().second;
    change.account = event->account;
    change.position = std::max(change.position, event->position);
    change.updated_at = std::max(change.updated_at, event->created_at);
    Apply(*event, account, change);
  }
  return changes;
}

}  // namespace summa::projections
