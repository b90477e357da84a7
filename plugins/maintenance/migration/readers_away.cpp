#include "migration/readers_away.hpp"

#include <chrono>
#include <summa/ledger/exchange.hpp>

#include "migration/record.hpp"

namespace summa::maintenance {
namespace {

// One transaction of a reader takes a few seconds.
constexpr std::chrono::seconds kLongestWait{30};
constexpr std::chrono::milliseconds kPause{200};

}  // namespace

ReadersAway::ReadersAway(OperationStep& step, const WorkCaller& caller,
                         const std::vector<LockRequest>& locks)
    : session_(step.sql()) {
  session_.Begin();
  ledger::AnnounceExchange(session_);
  // In the same transaction, which is never idle for long that way.
  std::vector<Blocker> blockers = BlockersOf(session_, locks);
  if (!AnyLasting(blockers)) return;
  {
    Session note(step.sql());
    SetWaitingFor(note, step.id(), TextOf(blockers));
  }
  const BootTime deadline = caller.now() + kLongestWait;
  while (AnyLasting(blockers) && caller.now() < deadline) {
    if (caller.wait(kPause)) return;
    blockers = BlockersOf(session_, locks);
  }
}

}  // namespace summa::maintenance
