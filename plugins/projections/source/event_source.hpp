// The event store as projections see it: reads a batch of stored events, and everything else that
// their meaning needs, from the ledger.
#pragma once

#include <memory>
#include <span>
#include <summa/ledger/reader.hpp>
#include <summa/sql.hpp>

#include "source/event_batch.hpp"
#include "source/ledger_lookup.hpp"

namespace summa::projections {

// One thread at a time.
class EventSource {
 public:
  EventSource(ledger::EventTable table, ledger::Checkpoint from, int batch_size);

  // The next events; none in it: nothing new is visible. Outside of a transaction. Throws SH-0568
  // when events have left the ledger that were not read yet; the source is of no use then.
  std::unique_ptr<EventBatch> Read(Session& ledger, Records records = Records::kAll);

  const ledger::Checkpoint& checkpoint() const { return reader_.checkpoint(); }
  const std::optional<ledger::OpenWriter>& oldest_writer() const { return reader_.oldest_writer(); }

 private:
  ledger::EventTable table_;
  int batch_size_;
  ledger::EventReader reader_;
  AccountCache known_;
};

// The events at these positions, as many of them as there are, in order.
std::unique_ptr<EventBatch> ReadPositions(Session& ledger, const ledger::EventTable& table,
                                          std::span<const std::int64_t> positions,
                                          Records records = Records::kAll);

// The events after `from` up to `to`, at most batch_size; their positions are decided: nothing can
// appear among them any more. batch.reached is where the next begins.
std::unique_ptr<EventBatch> ReadDecided(Session& ledger, const ledger::EventTable& table,
                                        std::int64_t from, std::int64_t to, int batch_size,
                                        Records records = Records::kAll);

}  // namespace summa::projections
