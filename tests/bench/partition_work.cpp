#include "tests/bench/partition_work.hpp"

#include <algorithm>
#include <stdexcept>
#include <summa/uuid.hpp>

#include "tests/bench/partition_data.hpp"
#include "tests/bench/report.hpp"

namespace summa::bench {
namespace {

// As many aggregates are read whatever the size of the ledger, so that its work is compared, and
// not which part of it is in memory.
constexpr long long kRead = 500;

}  // namespace

EverydayWork::EverydayWork(const std::string& url, long long aggregates)
    : hosted_(url),
      db_(url),
      session_(hosted_.sql()),
      aggregates_(aggregates),
      table_(ledger::FindEvents(session_)),
      reader_(table_, {db_.Count("SELECT max(sequence_number) FROM ledger_event"), {}}) {
  options_.snapshot_table.clear();
  db_.Execute(
      "PREPARE latest (text) AS SELECT aggregate_version, hash FROM ledger_event WHERE "
      "aggregate_type = 'transaction' AND aggregate_id = md5('bench-' || $1)::uuid ORDER BY "
      "aggregate_version DESC LIMIT 1; "
      "PREPARE tail AS SELECT * FROM summa_host.outbox_tail(now() - interval '1 hour', 'bench', "
      "'{}', 1001, false, false)");
}

void EverydayWork::Append() { db_.Query("SELECT fixture.credit(fixture.account_id(1), 5)"); }

void EverydayWork::ReadLatest() {
  if (db_.Value("EXECUTE latest ('" + Next() + "')") != std::to_string(kVersions)) {
    throw std::runtime_error("the latest version is another");
  }
}

void EverydayWork::PollStore() {
  reader_.Poll(session_, [](const ledger::StoredEvent&) {});
}

void EverydayWork::PollOutbox() { db_.Query("EXECUTE tail"); }

void EverydayWork::VerifyOne() {
  const auto id = *ParseUuid(db_.Value("SELECT " + AggregateId("'" + Next() + "'") + "::text"));
  const auto report = verify::VerifyAggregate(hosted_.sql(), options_, "transaction", id);
  if (!report.valid || report.event_count != kVersions) {
    throw std::runtime_error("the verification is wrong");
  }
}

// Spread over the table, the same in each round.
std::string EverydayWork::Next() {
  const long long step = std::max(aggregates_ / kRead, 1LL);
  return std::to_string(next_++ % std::min(kRead, aggregates_) * step + 1);
}

double Milliseconds(EverydayWork& work, const Everyday& everyday) {
  double seconds = 0;
  for (int i = 0; i < everyday.calls; ++i) {
    if (everyday.append_each_time) work.Append();
    const Stopwatch watch;
    (work.*everyday.call)();
    seconds += watch.Seconds();
  }
  return seconds * 1000 / everyday.calls;
}

}  // namespace summa::bench
