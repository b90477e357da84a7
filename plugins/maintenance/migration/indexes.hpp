// The indexes of the flat table on the partitions of its copy.
#pragma once

#include <summa/sql.hpp>
#include <summa/work.hpp>

#include <cstdint>
#include <functional>
#include <string>

#include "migration/inventory.hpp"
#include "partition/catalog.hpp"

namespace summa::maintenance {

// Creates indexes that partitions of the shadow lack, without blocking writers, those of `workers`
// partitions at the same time, each in a session and a thread of its own, which calls `created`
// after each. For about a second, and as long as those take that are begun by then. Returns how
// many; 0: no partition lacks any. An index that an earlier try has left invalid is dropped first;
// 55P03 while the server still builds it. SH-0822 when another table's index has its name.
int CreateMissingIndexes(const summa_sql_v1* sql, const WorkCaller& caller, const Inventory& flat,
                         std::int64_t shadow, int workers, const std::function<void()>& created);

// The indexes of the parent, without those of the partitions; then AttachIndexes() makes the
// latter part of them. In the open transaction, which holds SHARE ROW EXCLUSIVE on the parent.
void CreateParentIndexes(Session& session, const Inventory& flat, const std::string& shadow);
// Of one partition, in the open transaction, which holds ACCESS EXCLUSIVE on it. The one that stands
// for the flat table's primary key becomes its primary key.
void AttachIndexes(Session& session, const Inventory& flat, const Partition& leaf);

// Makes the index of one partition that stands for the flat table's primary key its primary key,
// when it is not yet. In the open transaction.
void MakePrimaryKeyOf(Session& session, const Inventory& flat, const Partition& leaf);

// The name of an index of the shadow before the swap, and of the flat table afterwards.
std::string ShadowIndexName(const std::string& index);
std::string OldIndexName(const std::string& index);

}  // namespace summa::maintenance
