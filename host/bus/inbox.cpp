#include "host/bus/inbox.hpp"

#include <cstdint>
#include <summa/sql.hpp>

namespace summa::host {
namespace {

// Rows of one transaction: some tens of milliseconds.
constexpr std::int64_t kBatch = 10'000;

}  // namespace

TickResult InboxCleaner::Run(const Tick& tick) {
  summa::Session session(tick.sql());
  session.Begin();
  const std::int64_t deleted =
      session
          .Exec(
              "DELETE FROM summa_host.inbox WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
              "summa_host.inbox WHERE handled_at < now() - $1::bigint * interval '1 microsecond' "
              "LIMIT $2::bigint))",
              {retention_.count(), kBatch})
          .affected_rows();
  session.Commit();
  return {deleted, deleted == kBatch, std::nullopt};
}

}  // namespace summa::host
