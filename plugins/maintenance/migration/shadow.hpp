// The partitioned table that takes the place of the flat one: all ranges of its history, some
// ahead, and a partition for what is outside of them, so that a mirrored row always finds a place.
#pragma once

#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "migration/inventory.hpp"
#include "migration/record.hpp"
#include "partition/catalog.hpp"
#include "partition/interval.hpp"

namespace summa::maintenance {

struct ShadowRequest {
  Interval interval = Interval::kMonthly;
  int ahead = 3;
  // Strategy attach: the first partition begins here, and what is before has no partition yet.
  std::optional<DatabaseTime> bound;
  // Of its slices: the last one ends here. They keep the CHECK of their bounds, with which each can
  // become a partition of another table at once.
  std::optional<DatabaseTime> end;
};

// The ranges of the flat table's history, of which the last ends at `end`. SH-0827 when there are
// too many. Reads the whole table when created_at has no index.
std::vector<Range> RangesUntil(Session& session, const Inventory& flat, Interval interval,
                               DatabaseTime end);

// SH-0827 when the table would have too many partitions.
void RequireFewPartitions(Session& session, const Inventory& flat, const ShadowRequest& request);

// Creates it, empty and without indexes, with the owner, the grants, the comments and the options
// of the flat table. What the flat table is called in the inventory names all of them. In the open
// transaction. Returns its oid. SH-0822 when a table of its name, or
// of one of its partitions, exists already.
std::int64_t CreateShadow(Session& session, const Inventory& flat, const ShadowRequest& request);

// The next index that a partition of the shadow lacks; creates it without blocking writers, outside
// of a transaction. Returns its name; empty: no partition lacks any. An index that an earlier try
// has left invalid is dropped first; 55P03 while the server still builds it. SH-0822 when another
// table's index has its name.
std::string CreateNextIndex(Session& session, const Inventory& flat, std::int64_t shadow);

// The indexes of the parent, without those of the partitions; then AttachIndexes() makes the
// latter part of them. In the open transaction, which holds SHARE ROW EXCLUSIVE on the parent.
void CreateParentIndexes(Session& session, const Inventory& flat, const std::string& shadow);
// Of one partition, in the open transaction, which holds ACCESS EXCLUSIVE on it. The one that stands
// for the flat table's primary key becomes its primary key.
void AttachIndexes(Session& session, const Inventory& flat, const std::string& shadow,
                   const std::string& partition);

// Makes the index of one partition that stands for the flat table's primary key its primary key,
// when it is not yet. In the open transaction.
void MakePrimaryKeyOf(Session& session, const Inventory& flat, const Partition& leaf);

// The name of an index of the shadow before the swap, and of the flat table afterwards.
std::string ShadowIndexName(const std::string& index);
std::string OldIndexName(const std::string& index);

}  // namespace summa::maintenance
