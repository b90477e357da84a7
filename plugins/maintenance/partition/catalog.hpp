// What the catalog says of a partitioned table. Names decide about nothing; bounds do.
#pragma once

#include <summa/sql.hpp>
#include <summa/time.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "partition/interval.hpp"

namespace summa::maintenance {

struct Partition {
  std::int64_t oid = 0;
  std::string schema, name;  // not quoted
  std::string quoted;        // schema and name, ready for a statement
  DatabaseTime from, to;     // min(): MINVALUE, max(): MAXVALUE
  bool detach_pending = false;
  bool flat = false;       // a migration has attached it, and slices may take its place
  bool remainder = false;  // the last events of chains, in the place of ranges that have left
  double rows = -1;        // the catalog's estimate; -1: never counted
  std::int64_t bytes = 0;  // with indexes and TOAST

  // Unbounded on one side: takes the rows that no range has.
  bool overflow() const {
    return !flat && (from == DatabaseTime::min() || to == DatabaseTime::max());
  }
};

struct PartitionedTable {
  std::int64_t oid = 0;
  std::string schema, name, quoted;
  std::string key;                    // not quoted; of type timestamptz, NOT NULL
  std::vector<Partition> partitions;  // by bound, those being detached included
  std::string default_partition;      // quoted; empty: there is none

  const Partition* Find(std::int64_t partition_oid) const;  // nullptr: there is none
  const Partition* overflow_low() const;
  const Partition* overflow_high() const;
  // Of ranges, without overflow: where they begin and end; nothing when there is none.
  std::optional<Range> covered() const;
};

// The table with this name, quoted where necessary, on the session's search_path. Throws
// summa::Error: SH-0806 there is no such table, SH-0807 it is not partitioned by the range of one
// timestamptz column that is NOT NULL. Keys of several columns or of an expression, subpartitions,
// foreign tables as partitions, partitions in another schema and inheritance are refused in the
// same way.
PartitionedTable ReadTable(Session& session, const std::string& table);

}  // namespace summa::maintenance
