// An exchange of tables among readers that are never all away at once.
#pragma once

#include <summa/operation.hpp>
#include <summa/sql.hpp>
#include <summa/work.hpp>

#include <vector>

#include "partition/ddl.hpp"

namespace summa::maintenance {

// While this lives, long readers of the ledger that know of exchanges (ledger::GiveWay) begin
// nothing. The constructor records who holds one of the locks for long, and waits until nobody
// does, for a bounded time: the exchange itself sees who is left. When the session is lost, the
// readers go on.
class ReadersAway {
 public:
  ReadersAway(OperationStep& step, const WorkCaller& caller, const std::vector<LockRequest>& locks);

 private:
  Session session_;
};

}  // namespace summa::maintenance
