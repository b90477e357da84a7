// What of the database would slow down or stop the delivery: for `summa-host doctor`. Reads only.
#pragma once

#include <functional>
#include <summa/health.hpp>
#include <summa/sql.hpp>

namespace summa::outbox {

void ExamineTable(Session& session, const std::function<void(const Finding&)>& report);

}  // namespace summa::outbox
