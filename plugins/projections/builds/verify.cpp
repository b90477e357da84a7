#include "builds/verify.hpp"

#include <map>
#include <optional>
#include <set>

#include "engine/build_tables.hpp"
#include "projections_sql.hpp"
#include "source/event_source.hpp"

namespace summa::projections {
namespace {

constexpr std::size_t kExamples = 20;
constexpr int kPage = 5000;
constexpr std::size_t kMaxInFlight = 100'000;

// Both statements give `key` (text) and `content`, in the order of the key's bytes, which for an id
// is also that of its type.
struct Comparison {
  std::string_view ledger;
  std::string view_content, view_key, view_order, table;
};

const std::map<std::string, Comparison>& Comparisons() {
  static const auto& comparisons = *new std::map<std::string, Comparison>{
      {"account-balance-view",
       {sql::verify_accounts,
        "ROW(holder_id, holder_type, currency, balance, available_balance, pending_debit, "
        "credit_balance, debit_balance, status)",
        "id::text", "id", "account_balance_view"}},
      {"entry-record-view",
       {sql::verify_entries,
        "ROW(account_id, transaction_id, entry_type, amount, currency, balance_before, "
        "balance_after, reference, category)",
        "id::text", "id", "entry_record_view"}},
      {"transaction-summary-view",
       {sql::verify_transactions,
        "ROW(reference, type, status, amount, currency, source_account_id, "
        "destination_account_id, source_system_account_id, destination_system_account_id, "
        "refunded_amount, posted_at)",
        "id::text", "id", "transaction_summary_view"}},
      {"holder-dashboard-view",
       {sql::verify_holders,
        "ROW(accounts, balance, available_balance, held, credits, debits, transactions)",
        "holder_id || chr(31) || holder_type || chr(31) || currency",
        "(holder_id || chr(31) || holder_type || chr(31) || currency) COLLATE \"C\"",
        "holder_dashboard_view"}}};
  return comparisons;
}

// Rows of one side, page by page.
class Side {
 public:
  Side(Session& session, const std::string& statement) : session_(session) {
    session_.Exec("DECLARE side CURSOR FOR " + statement);
    NextPage();
  }
  bool ended() const { return page_->rows() == 0; }
  std::string key() const { return (*page_)[at_].Get<std::string>("key"); }
  std::string content() const { return (*page_)[at_].Get<std::string>("content"); }
  void Next() {
    if (++at_ == page_->rows()) NextPage();
  }

 private:
  void NextPage() {
    page_.emplace(session_.Exec("FETCH " + std::to_string(kPage) + " FROM side"));
    at_ = 0;
  }
  Session& session_;
  std::optional<Result> page_;
  std::size_t at_ = 0;
};

// Keys of rows that events concern which the ledger has and the build does not.
std::set<std::string> InFlight(Session& ledger, const ledger::EventTable& table,
                               const Build& build) {
  std::set<std::string> keys;
  EventSource source(table, build.checkpoint, kPage);
  for (bool more = true; more;) {
    const auto batch = source.Read(ledger);
    more = batch->full;
    for (const summa_projection_event& event : batch->events) {
      keys.insert(ToText(FromAbi(event.id)));
      if ((event.flags & SUMMA_EVENT_HAS_ACCOUNT) != 0) {
        keys.insert(ToText(FromAbi(event.account_id)));
      }
      if (event.account == nullptr) continue;
      keys.insert(std::string(FromAbi(event.account->holder_id)) + '\x1f' +
                  std::string(FromAbi(event.account->holder_type)) + '\x1f' +
                  std::string(FromAbi(event.account->currency)));
    }
    for (const auto& record : batch->transactions) keys.insert(ToText(FromAbi(record.id)));
    if (keys.size() > kMaxInFlight) {
      throw Error(SUMMA_E_TRY_LATER, "SH-0559",
                  build.Name() + " is more than " + std::to_string(kMaxInFlight) +
                      " rows behind the ledger",
                  "Wait until it has caught up: `summa-host projections list`");
    }
  }
  return keys;
}

class Merge {
 public:
  Merge(Side& ledger, Side& view, const std::set<std::string>& in_flight, Verification& result)
      : ledger_(ledger), view_(view), in_flight_(in_flight), result_(result) {}

  void Run(const std::function<bool(std::int64_t)>& progress) {
    while (!ledger_.ended() || !view_.ended()) {
      if (result_.rows % kPage == 0 && progress(result_.rows)) {
        throw Error(SUMMA_E_CANCELLED, "SH-0558", "told to stop before everything was compared");
      }
      Step();
      ++result_.rows;
    }
    progress(result_.rows);
  }

 private:
  void Step() {
    const int order = ledger_.ended() ? 1 : view_.ended() ? -1 : ledger_.key().compare(view_.key());
    const std::string key = order <= 0 ? ledger_.key() : view_.key();
    const std::string ledger = order <= 0 ? ledger_.content() : "";
    const std::string view = order >= 0 ? view_.content() : "";
    if (order <= 0) ledger_.Next();
    if (order >= 0) view_.Next();
    if (ledger == view) return;
    if (in_flight_.count(key) > 0) {
      ++result_.in_flight;
      return;
    }
    ++result_.differences;
    if (result_.examples.size() < kExamples) result_.examples.push_back({key, ledger, view});
  }

  Side& ledger_;
  Side& view_;
  const std::set<std::string>& in_flight_;
  Verification& result_;
};

}  // namespace

bool CanVerify(const std::string& projection) { return Comparisons().count(projection) > 0; }

Verification Verify(const summa_sql_v1* sql, const ledger::EventTable& table, const Build& build,
                    const std::function<bool(std::int64_t)>& progress) {
  const Comparison& comparison = Comparisons().at(build.projection);
  Session read(sql, "read"), ledger(sql);
  // The read model first: what the ledger has beyond it is then known by its events.
  read.Begin(SUMMA_SQL_READ_ONLY | SUMMA_SQL_REPEATABLE_READ);
  Build now = build;
  const Result found = read.Exec(
      "SELECT position, holes FROM summa_read.projection_checkpoint WHERE projection = $1 AND "
      "build "
      "= $2",
      {build.projection, std::int32_t{build.number}});
  now.checkpoint = ledger::Checkpoint::Parse(found[0].Get<std::int64_t>("position"),
                                             found[0].Get<std::string_view>("holes"));
  ledger.Begin(SUMMA_SQL_READ_ONLY | SUMMA_SQL_REPEATABLE_READ);
  Verification result;
  const std::set<std::string> in_flight = InFlight(ledger, table, now);
  Side ledger_side(ledger, std::string(comparison.ledger));
  Side view_side(read, "SELECT " + comparison.view_key + " AS key, " + comparison.view_content +
                           "::text AS content FROM " +
                           TableOfBuild(comparison.table, build.number) + " ORDER BY " +
                           comparison.view_order);
  Merge(ledger_side, view_side, in_flight, result).Run(progress);
  return result;
}

}  // namespace summa::projections
