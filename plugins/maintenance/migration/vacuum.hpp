// VACUUM of partitions that only the migration knows yet.
#pragma once

#include <summa/sql.hpp>

#include <string>
#include <vector>

#include "partition/catalog.hpp"

namespace summa::maintenance {

// VACUUM of each partition, with options such as "FREEZE": before it is read, so that the rows are
// written for this only once. At most `workers` at the same time.
void VacuumEach(const summa_sql_v1* sql, const std::vector<Partition>& partitions,
                const std::string& options, int workers);

}  // namespace summa::maintenance
