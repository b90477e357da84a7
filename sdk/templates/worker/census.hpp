// The worker, apart from the plugin around it, so that a test can call it.
#pragma once

#include <summa/plugin.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace account_census {

// Writes only what has changed, so that a run that is repeated changes nothing.
inline constexpr std::string_view kCount = R"sql(
INSERT INTO account_census.status AS s (status, accounts, counted_at)
SELECT status, count(*), clock_timestamp() FROM account_balance GROUP BY status
ON CONFLICT (status) DO UPDATE SET accounts = excluded.accounts, counted_at = excluded.counted_at
  WHERE s.accounts <> excluded.accounts
RETURNING status, accounts
)sql";

class Census final : public summa::Worker {
 public:
  Census(summa::Host host, std::optional<std::int64_t> alarm_above)
      : host_(host), alarm_above_(alarm_above) {
    changes_ = host.Counter("summa_account_census_changes_total",
                            "Statuses whose number of accounts has changed.");
  }

  summa::TickResult Run(const summa::Tick& tick) override {
    summa::Session session(tick.sql());  // fenced by the lease of this worker
    session.Begin();
    const summa::Result changed = session.Exec(kCount);
    session.Commit();  // refused by the host when the lease is lost; nothing is written then

    // Only what is committed is logged and counted.
    for (const summa::Row row : changed) {
      Check(row.Get<std::string>("status"), row.Get<std::int64_t>("accounts"));
    }
    changes_.Add(static_cast<double>(changed.rows()));
    return {static_cast<std::int64_t>(changed.rows()), false, std::nullopt};
  }

 private:
  void Check(const std::string& status, std::int64_t accounts) const {
    if (!alarm_above_ || accounts <= *alarm_above_) return;
    host_.Warn("AC-0001", "there are more accounts of a status than expected",
               {{"status", status}, {"accounts", std::to_string(accounts)}});
  }

  summa::Host host_;
  std::optional<std::int64_t> alarm_above_;
  summa::Metric changes_;
};

}  // namespace account_census
