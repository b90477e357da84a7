// Compares the seals of blocks with the events: a seal knows which positions its block covers, so
// what appeared later, what is gone and what was changed are three different things; and it covers
// all columns, of which Summa's hashes leave out most.
#pragma once

#include <map>
#include <string>
#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>
#include <vector>

#include "discrepancy.hpp"
#include "work.hpp"

namespace summa::reconciliation {

struct SealResult {
  std::string block_id;
  // What was sealed is there and unchanged, whatever else is there as well.
  bool intact = true;
  // Some of it is in detached partitions, so that its hashes were not compared.
  bool detached = false;
  std::string reason;              // when it is not
  std::vector<std::int64_t> late;  // positions that are in the block's range and not in the block
};

struct SealReport {
  std::map<std::int64_t, SealResult> blocks;  // by block_sequence
  std::int64_t events = 0;
  Findings findings;  // but for the late events
};

// Seals of blocks above `after_sequence`. The session is outside a transaction.
SealReport CheckSeals(Session& session, Work& work, const ledger::EventTable& table,
                      std::int64_t after_sequence);

}  // namespace summa::reconciliation
