// What the parts of the partition manager work with. Borrowed for one run or one verb.
#pragma once

#include <summa/host.hpp>
#include <summa/sql.hpp>
#include <summa/work.hpp>

#include "manager/settings.hpp"
#include "partition/ddl.hpp"

namespace summa::maintenance {

struct Environment {
  Host host;
  const summa_sql_v1* sql;  // of the lease of the worker
  WorkCaller caller;
  const ManagerSettings& settings;

  DdlLimits ddl_limits() const {
    DdlLimits limits;
    limits.deadline = settings.ddl_deadline;
    return limits;
  }
};

}  // namespace summa::maintenance
