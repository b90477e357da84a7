// Events of the ledger in the vocabulary of projections, with the accounts and transactions that
// they concern: what projections are called with, complete in itself.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>
#include <summa/ledger/reader.hpp>
#include <summa/projection.hpp>
#include <vector>

namespace summa::projections {

// A stored event that says nothing a projection could use, because it lacks what its type requires,
// or because the ledger has no record of its transaction.
struct Fault {
  std::int64_t position = 0;
  Uuid key;  // of the aggregate
  std::string event_type, error;
};

// What is read beside the events.
enum class Records {
  kAll,
  // No transaction that has entries, unless an event says too little without it.
  kWithoutTransactions
};

// An account with its texts. Does not change, so batches share it.
struct KnownAccount {
  std::string holder_id, holder_type, currency, status;
  summa_projection_account record{};  // points to them
};

// Owns every text and every pointer in it. Not copied, since the events point into it.
struct EventBatch {
  EventBatch() = default;
  EventBatch(const EventBatch&) = delete;
  EventBatch& operator=(const EventBatch&) = delete;

  std::vector<summa_projection_event> events;
  std::vector<std::shared_ptr<const KnownAccount>> accounts;
  std::vector<summa_projection_transaction> transactions;
  std::vector<Fault> faults;
  std::vector<std::string> unknown_types;  // each once; not of the vocabulary

  Records records = Records::kAll;
  int stored_events = 0;
  bool full = false;           // there may be more
  ledger::Checkpoint reached;  // when all of it is applied

  summa_str Keep(std::string_view text) {
    if (text.empty()) return {"", 0};
    auto* copy = static_cast<char*>(texts_.allocate(text.size(), 1));
    text.copy(copy, text.size());
    return {copy, text.size()};
  }

 private:
  std::pmr::monotonic_buffer_resource texts_{64 * 1024};
};

}  // namespace summa::projections
