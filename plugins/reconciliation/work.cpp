#include "work.hpp"

#include <summa/ledger/exchange.hpp>

namespace summa::reconciliation {

void ThrowStopped() {
  throw Error(SUMMA_E_CANCELLED, "SH-0705", "told to stop before everything was checked",
              "start it again; completed work is kept where that is possible");
}

void Work::ThrowIfStopped() const {
  if (ShouldStop()) ThrowStopped();
}

void Work::Read(std::int64_t rows) {
  if (!Done(rows)) ThrowStopped();
}

void Work::GiveWay(Session& session) const {
  if (!ledger::GiveWay(session, caller().wait)) ThrowStopped();
}

}  // namespace summa::reconciliation
