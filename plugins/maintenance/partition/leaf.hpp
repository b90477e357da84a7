// How a partition is made: as a table of its own, complete, before it is attached.
#pragma once

#include <summa/sql.hpp>

#include <string>

#include "partition/catalog.hpp"
#include "partition/names.hpp"

namespace summa::maintenance {

// Creates the table `name` in the parent's schema, with the parent's columns, defaults, NOT NULLs,
// CHECKs, storage and comments; every index of the parent (built before ATTACH, which then adopts
// it) and the unique indexes that exist only on partitions; the CHECK of its bounds that lets
// ATTACH skip the scan; owner, grants, autovacuum options and replica identity of the newest
// partition. Inside the caller's transaction. Returns the quoted name.
std::string CreateLeaf(Session& session, const PartitionedTable& parent, const std::string& name,
                       DatabaseTime from, DatabaseTime to);

// ATTACH with these bounds (min(): MINVALUE, max(): MAXVALUE), then without the CHECK of the
// bounds, which the partition's own constraint now implies.
void AttachLeaf(Session& session, const PartitionedTable& parent, const std::string& quoted_leaf,
                DatabaseTime from, DatabaseTime to);
void DetachLeaf(Session& session, const PartitionedTable& parent, const std::string& quoted_leaf);

}  // namespace summa::maintenance
