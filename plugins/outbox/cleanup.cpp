#include "cleanup.hpp"

#include <optional>
#include <span>
#include <string>
#include <summa/crash_point.hpp>
#include <summa/sql.hpp>

#include "outbox_sql.hpp"
#include "processor.hpp"

namespace summa::outbox {
namespace {

// Rows of outbox_sent that are deleted together.
constexpr std::int64_t kSentBatch = 1000;

class DeliveredRows final : public RemovableRows {
 public:
  explicit DeliveredRows(std::chrono::microseconds retention) : retention_(retention.count()) {}

  std::vector<std::string> Next(Session& session, std::int64_t limit) override {
    const Result due = session.Exec(
        Statement(sql::cleanup_due),
        {retention_, Timestamp(processed_at_), id_ ? Parameter(*id_) : Parameter(nullptr), limit});
    std::vector<std::string> ids;
    ids.reserve(due.rows());
    for (const summa::Row row : due) {
      ids.push_back(row.Get<std::string>("id"));
      processed_at_ = row.Get<DatabaseTime>("processed_at");
    }
    if (!ids.empty()) id_ = ids.back();
    CrashPoint("outbox.cleanup");
    return ids;
  }

  std::int64_t Delete(Session& session, std::span<const std::string> ids) override {
    return session.Exec(Statement(sql::cleanup), {retention_, TextArray(ids)}).affected_rows();
  }

 private:
  const std::int64_t retention_;
  // Of the last row that was found.
  DatabaseTime processed_at_ = DatabaseTime::min();
  std::optional<std::string> id_;
};

}  // namespace

Cleanup::Cleanup(Host host, std::chrono::microseconds retention)
    : host_(host),
      retention_(retention),
      rows_(host, {.code = "SH-0511",
                   .rows = "outbox: old rows",
                   .refused = "the ledger refuses to delete rows that were delivered"}) {}

TickResult Cleanup::Run(const Tick& tick) {
  Session session(tick.sql());
  const WorkCaller caller = CallerOf(host_, tick);
  ForgetSent(caller, session);
  DeliveredRows delivered(retention_);
  TickResult result;
  result.items = rows_.Run(caller, session, delivered);
  return result;
}

void Cleanup::ForgetSent(const WorkCaller& caller, Session& session) const {
  InBatches(caller, [&] {
    session.Begin();
    const std::int64_t deleted =
        session
            .Exec(Statement(sql::cleanup_sent),
                  {retention_.count(), Processor::kSettledMargin.count(), kSentBatch})
            .affected_rows();
    session.Commit();
    return deleted == kSentBatch;
  });
}

}  // namespace summa::outbox
