// How a partition is made: as a table of its own, complete, before it is attached.
#pragma once

#include <summa/sql.hpp>

#include <string>
#include <vector>

#include "partition/catalog.hpp"
#include "partition/names.hpp"

namespace summa::maintenance {

// Creates the table `name` in the parent's schema, with the parent's columns, defaults, NOT NULLs,
// CHECKs, storage and comments; every index of the parent (built before ATTACH, which then adopts
// it) and the unique indexes that exist only on partitions; the CHECK of its bounds that lets
// ATTACH skip the scan; owner, grants, storage options, statistics targets, replica identity and
// row level security flags of the newest partition (of the parent, when there is none). Identity
// and serial columns keep the parent's sequence. Inside the caller's transaction, which then holds
// ACCESS SHARE on the parent, and SHARE ROW EXCLUSIVE on tables that foreign keys of it reference.
// Returns the quoted name.
std::string CreateLeaf(Session& session, const PartitionedTable& parent, const std::string& name,
                       DatabaseTime from, DatabaseTime to);

// Gives a table that was not made by CreateLeaf, and is no partition, the CHECK of these bounds:
// reads all of it. Inside the caller's transaction.
void CheckBounds(Session& session, const PartitionedTable& parent, const std::string& quoted_leaf,
                 DatabaseTime from, DatabaseTime to);

// ATTACH with these bounds (min(): MINVALUE, max(): MAXVALUE), then without the CHECK of the
// bounds, which the partition's own constraint now implies. Takes SHARE UPDATE EXCLUSIVE on the
// parent and ACCESS EXCLUSIVE on the partition. A partition that was not made for these bounds by
// CreateLeaf is scanned under these locks.
void AttachLeaf(Session& session, const PartitionedTable& parent, const std::string& quoted_leaf,
                DatabaseTime from, DatabaseTime to);
// The same as statements: ATTACH, and the end of the CHECK.
std::vector<std::string> StatementsOfAttach(const std::string& quoted_parent,
                                            const std::string& quoted_leaf, DatabaseTime from,
                                            DatabaseTime to);
void DetachLeaf(Session& session, const PartitionedTable& parent, const std::string& quoted_leaf);

}  // namespace summa::maintenance
