// Several parts of the migration at the same time.
#pragma once

#include <summa/sql.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "partition/catalog.hpp"

namespace summa::maintenance {

// Calls work(0) to work(count - 1), at most `threads` of them at the same time, in threads of their
// own. When one throws, no further one is begun, the others end, and the first of them is rethrown.
void InParallel(std::size_t count, int threads, const std::function<void(std::size_t)>& work);

// VACUUM of each partition, with options such as "FREEZE": before it is read, so that the rows are
// written for this only once.
void VacuumEach(const summa_sql_v1* sql, const std::vector<Partition>& partitions,
                const std::string& options, int workers);

}  // namespace summa::maintenance
