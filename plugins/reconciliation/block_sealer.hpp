// Blocks: groups of events in the order of their positions, each with a hash over theirs and over
// the block before. The row is Summa's and its verifier accepts it; beside it a seal of ours says
// which positions the block covers and has a hash over every column of its events.
#pragma once

#include <string>
#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>

#include "discrepancy.hpp"
#include "settings.hpp"
#include "work.hpp"

namespace summa::reconciliation {

struct LastBlock {
  std::string id, hash;  // empty: there is none yet
  std::int64_t sequence = 0, to = 0;
};

struct SealOutcome {
  std::int64_t blocks = 0, events = 0, late = 0;
  std::int64_t sealed_position = 0;
  std::int64_t waiting_events = 0;  // above the last block
  Findings findings;                // events whose hash is wrong; they are sealed as they are
};

// `sql`: of the holder of the lease of block-checkpoint.
class BlockSealer {
 public:
  BlockSealer(const summa_sql_v1* sql, Work& work, const Settings& settings)
      : sql_(sql), work_(work), settings_(settings) {}

  // Seals everything up to the position below which nothing can appear any more, in blocks of at
  // most `block_size` events; then looks for events that appeared below the last block all the
  // same, and seals each by itself. Throws SH-0702 when a writer stays open too long.
  SealOutcome Run();

  // The last block there is.
  static LastBlock ReadLast(Session& session);

 private:
  struct Draft {
    std::int64_t from = 0, to = 0, events = 0;
    std::string events_hash, content_hash, positions;
  };

  std::int64_t Horizon(Session& session);
  // The events after `last`, up to `horizon`, as many as a block takes.
  Draft Read(Session& session, const LastBlock& last, std::int64_t horizon, SealOutcome& outcome);
  // False: somebody else has made a block meanwhile.
  bool Write(const LastBlock& last, const Draft& draft);
  void SealLate(Session& session, SealOutcome& outcome);

  const summa_sql_v1* sql_;
  Work& work_;
  const Settings& settings_;
  ledger::EventTable table_;
};

}  // namespace summa::reconciliation
