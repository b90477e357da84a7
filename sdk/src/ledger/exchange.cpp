#include <string>
#include <summa/ledger/exchange.hpp>

namespace summa::ledger {
namespace {

// How often a reader looks: an exchange takes less than a second once its readers are away.
constexpr std::chrono::milliseconds kPause{200};

// Of the advisory lock in this database: held by an exchange, tried for an instant by readers.
std::string Key() { return "hashtextextended('summa exchange of ledger_event', 0)"; }

}  // namespace

void AnnounceExchange(Session& session) {
  session.Exec("SELECT pg_advisory_xact_lock(" + Key() + ")");
}

bool GiveWay(Session& session, const std::function<bool(std::chrono::microseconds)>& wait) {
  const std::string announced = "SELECT NOT pg_try_advisory_xact_lock_shared(" + Key() + ")";
  for (std::chrono::microseconds waited{0};
       waited < kLongestGiveWay && session.Exec(announced).Value<bool>(); waited += kPause) {
    if (wait(kPause)) return false;
  }
  return true;
}

}  // namespace summa::ledger
