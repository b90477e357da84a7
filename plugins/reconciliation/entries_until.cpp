#include "entries_until.hpp"

#include <chrono>
#include <string>

#include "reconciliation_sql.hpp"

namespace summa::reconciliation {
namespace {

// Transactions of a ledger take milliseconds; one that takes longer than all of these pauses is
// looked at by the next run.
constexpr std::chrono::milliseconds kPause{100};
constexpr int kPauses = 30;

}  // namespace

std::optional<DatabaseTime> SettledUntil(Session& session, Work& work) {
  const Result look = session.Exec(sql::open_transactions);
  const auto unknown = look[0].Get<std::string>("unknown");
  for (int pause = 0; !unknown.empty(); ++pause) {
    if (!session.Exec(sql::still_open, {unknown}).Value<bool>()) break;
    if (pause == kPauses) return std::nullopt;
    if (work.Wait(kPause)) ThrowStopped();
  }
  return look[0].Get<DatabaseTime>("until");
}

std::optional<DatabaseTime> EntriesUntil(Session& session,
                                         const std::optional<DatabaseTime>& settled) {
  return session.Exec(sql::entries_until, {settled ? Timestamp(*settled) : Parameter(nullptr)})
      .Value<std::optional<DatabaseTime>>();
}

}  // namespace summa::reconciliation
