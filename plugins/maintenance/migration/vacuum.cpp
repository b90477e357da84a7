#include "migration/vacuum.hpp"

#include <summa/parallel.hpp>

namespace summa::maintenance {

void VacuumEach(const summa_sql_v1* sql, const std::vector<Partition>& partitions,
                const std::string& options, int workers) {
  InParallel(partitions.size(), workers, [&](std::size_t i) {
    Session session(sql);
    session.ExecAutocommit("VACUUM (" + options + ") " + partitions[i].quoted);
  });
}

}  // namespace summa::maintenance
