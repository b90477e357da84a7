// Events that became visible below the last block, and so are in none: each is sealed by itself in
// summa_host.late_event, so that it cannot be changed or removed unnoticed either.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>
#include <vector>

#include "discrepancy.hpp"

namespace summa::reconciliation {

struct LateEvent {
  std::int64_t position = 0, block_sequence = 0;
  std::string event_id;
};

// Those that are not sealed yet, among the last `blocks` blocks. What lies in the range of a block
// without a seal of ours is not found here but by the verification of the block.
std::vector<LateEvent> FindLateEvents(Session& session, const ledger::EventTable& table,
                                      std::int64_t blocks);

// Seals them, in one transaction. Returns how many were not sealed before.
std::int64_t SealLateEvents(const summa_sql_v1* sql, const ledger::EventTable& table,
                            std::span<const std::int64_t> positions);

// Those that are sealed and are no longer what was sealed.
Findings CheckLateEvents(Session& session, const ledger::EventTable& table);

}  // namespace summa::reconciliation
