#include "cleanup.hpp"

namespace summa::outbox {

TickResult Cleanup::Run(const Tick& tick) {
  Session session(tick.sql());
  session.Begin();
  const std::int64_t deleted = table_.DeleteDelivered(session, retention_.count());
  session.Commit();
  TickResult result;
  result.items = deleted;
  result.backlog = deleted > 0;
  return result;
}

}  // namespace summa::outbox
