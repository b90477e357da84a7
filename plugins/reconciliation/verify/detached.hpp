// Which partitions of the events are known to have left the table, from the records of the
// maintenance plugin: summa_host.partition_record, partition_edge and ledger_event_key. Without
// that plugin, and as long as nothing was detached, there are none.
#pragma once

#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>

#include <span>
#include <string>
#include <vector>

#include "detached_run.hpp"

namespace summa::verify {

class Detached {
 public:
  Detached() = default;
  // Records of partitions of this table that are not attached now, whatever state was recorded:
  // what is attached is verified. Of a flat table nothing is asked.
  static Detached Find(Session& session, const ledger::EventTable& table);

  bool any() const { return !records_.empty(); }
  std::int64_t events() const { return events_; }  // in all of them
  std::int64_t changed_at() const {
    return changed_at_;
  }  // the last record, microseconds since 2000

  // A subquery: the runs below a version, for ParseRuns(); NULL: none. The arguments are
  // expressions.
  std::string RunsBelow(const std::string& type, const std::string& id,
                        const std::string& version) const;
  // A condition: whether a run of the aggregate contains a version; when that is its last one, with
  // this hash.
  std::string Contains(const std::string& type, const std::string& id, const std::string& version,
                       const std::string& hash) const;
  // How many versions up to this one are in runs of the aggregate.
  std::string CountUpTo(const std::string& type, const std::string& id,
                        const std::string& version) const;
  // A subquery of one row, also when any() is not: first_version and last_version, the lowest and
  // the highest version of the aggregate that are in detached partitions; 0: none.
  std::string Extent(const std::string& type, const std::string& id) const;
  // A condition, for any(): whether events of the aggregate of a row of a comparison with the books
  // are away, in a range that ends after the transaction of the row began. `row`: an alias.
  std::string HasTransactionOf(const std::string& row) const;

  // All runs of one aggregate.
  std::vector<DetachedRun> RunsOf(Session& session, const std::string& type, const Uuid& id,
                                  std::int64_t below) const;
  // Positions in [from, to] of events that are in the partitions, in order.
  std::vector<std::int64_t> Positions(Session& session, std::int64_t from, std::int64_t to) const;
  // How many there are in each of the ranges.
  std::vector<std::int64_t> Count(Session& session, std::span<const std::int64_t> from,
                                  std::span<const std::int64_t> to) const;

 private:
  std::string Edges(const std::string& type, const std::string& id) const;
  // A condition on `k`, a key with a position in [from, to]: its event is in the partitions, and
  // not in the table as well, as one that stayed or came late.
  std::string IsAway(std::int64_t from, std::int64_t to) const;

  ledger::EventTable table_;
  std::string records_;    // "'{1,2}'::bigint[]"
  std::string spans_;      // a condition on `e`, an event: its time is one of the partitions'
  bool has_keys_ = false;  // positions are known
  std::int64_t events_ = 0, changed_at_ = 0;
};

}  // namespace summa::verify
