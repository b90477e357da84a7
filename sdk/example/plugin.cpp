// Keeps the turnover of each day and currency in a table for reports.
#include <summa/plugin.hpp>

#include <atomic>
#include <memory>
#include <set>

namespace turnover {
namespace {

// Whole days are summed again and overwritten, so that a repetition in any state changes nothing.
constexpr std::string_view kSum = R"sql(
INSERT INTO turnover.daily AS d (day, currency, amount, entries)
SELECT (created_at AT TIME ZONE 'UTC')::date, currency, sum(amount)::bigint, count(*)
FROM entry_record
WHERE entry_type = 'CREDIT'
  AND created_at >= date_trunc(
        'day', clock_timestamp() - make_interval(secs => $1::float8 / 1000000), 'UTC')
GROUP BY 1, 2
ON CONFLICT (day, currency) DO UPDATE
  SET amount = excluded.amount, entries = excluded.entries
  WHERE (d.amount, d.entries) IS DISTINCT FROM (excluded.amount, excluded.entries)
RETURNING day::text, currency, amount
)sql";

constexpr std::string_view kShow =
    "SELECT day::text, amount, entries FROM turnover.daily WHERE currency = $1 "
    "ORDER BY day DESC LIMIT $2";

// Logs once per day and currency that a turnover is high. One thread at a time.
class Alarm {
 public:
  Alarm(summa::Host host, std::optional<std::int64_t> above) : host_(host), above_(above) {}

  void Check(const std::string& day, const std::string& currency, std::int64_t amount) {
    if (!above_ || amount <= *above_ || !said_.emplace(day, currency).second) return;
    host_.Warn("TO-0002", "the turnover of a day is above the alarm",
               {{"day", day}, {"currency", currency}, {"amount", std::to_string(amount)}});
  }

 private:
  summa::Host host_;
  std::optional<std::int64_t> above_;
  std::set<std::pair<std::string, std::string>> said_;
};

class Daily final : public summa::Worker {
 public:
  Daily(summa::Host host, std::chrono::microseconds look_back, std::optional<std::int64_t> above)
      : alarm_(host, above), look_back_(look_back) {
    changed_ =
        host.Counter("summa_turnover_changed_days_total", "Days whose turnover was written.");
  }

  summa::TickResult Run(const summa::Tick& tick) override {
    summa::Session session(tick.sql());  // fenced by the lease of this worker
    session.Begin();
    const summa::Result days = session.Exec(kSum, {look_back_.count()});
    session.Commit();  // refused by the host when the lease is lost; nothing is written then

    // Only committed turnovers are logged.
    for (const summa::Row day : days) {
      alarm_.Check(day.Get<std::string>("day"), day.Get<std::string>("currency"),
                   day.Get<std::int64_t>("amount"));
    }
    changed_.Add(static_cast<double>(days.rows()));
    changed_days_ += static_cast<std::int64_t>(days.rows());
    return {static_cast<std::int64_t>(days.rows()), false, std::nullopt};
  }

  std::int64_t changed_days() const { return changed_days_; }  // any thread

 private:
  Alarm alarm_;
  std::chrono::microseconds look_back_;
  summa::Metric changed_;
  std::atomic<std::int64_t> changed_days_{0};
};

// The latest days of a currency, as a JSON object.
std::string Days(const summa_sql_v1* sql, const std::string& currency, std::int64_t most) {
  summa::Session session(sql);
  // Reading needs no transaction.
  const summa::Result days = session.Exec(kShow, {currency, most});
  summa::JsonWriter json;
  json.BeginObject().Member("currency", currency).Key("days").BeginArray();
  for (const summa::Row day : days) {
    json.BeginObject()
        .Member("day", day.Get<std::string_view>("day"))
        .Member("amount", day.Get<std::int64_t>("amount"))
        .Member("entries", day.Get<std::int64_t>("entries"))
        .EndObject();
  }
  if (days.rows() == 0) {
    throw summa::Error(SUMMA_E_NOT_FOUND, "TO-0001", "there is no turnover of " + currency,
                       "run `summa-host run --once --only turnover-daily` first");
  }
  json.EndArray().EndObject();
  return json.Take();
}

// The verb `turnover show`. Options that are required or have a default are always present.
summa::CommandResult Show(const summa::CommandCall& call) {
  return {Days(call.sql(), *call.Option("currency"), *call.IntegerOption("days")), false};
}

// GET /v1/turnover/{currency}
summa::Response Get(const summa::Request& request) {
  return {Days(request.sql(), *request.Parameter("currency"), *request.IntegerParameter("days"))};
}

class TurnoverPlugin final : public summa::Plugin {
 public:
  explicit TurnoverPlugin(summa::Host host) : Plugin(host) {}

  void Configure(const summa::Config& config) override {
    std::optional<std::int64_t> above;
    if (config.Find("alarm_above")) above = config.Integer("alarm_above");
    daily_ = std::make_unique<Daily>(host(), config.Duration("look_back"), above);
  }
  std::vector<summa::WorkerBinding> Workers() override {
    return {{"turnover-daily", daily_.get()}};
  }
  std::vector<summa::CommandBinding> Commands() override { return {{"turnover show", Show}}; }
  std::vector<summa::RouteBinding> Routes() override {
    return {{"GET", "/v1/turnover/{currency}", Get}};
  }
  std::string StatusJson() override {
    summa::JsonWriter json;
    json.BeginObject().Member("changedDays", daily_->changed_days()).EndObject();
    return json.Take();
  }

 private:
  std::unique_ptr<Daily> daily_;
};

}  // namespace
}  // namespace turnover

SUMMA_PLUGIN(turnover::TurnoverPlugin)
