#include "tests/bench/recorded_poll.hpp"

#include <memory>
#include <stdexcept>
#include <summa/testkit/fake_host.hpp>
#include <summa/testkit/memory_bus.hpp>
#include <vector>

#include "host/abi/sql_service.hpp"
#include "host/database/control_plane.hpp"
#include "processor.hpp"
#include "tests/bench/report.hpp"
#include "tests/integration/plugin_steps.hpp"
#include "tests/services/db.hpp"

namespace summa::bench {
namespace {

constexpr std::int64_t kMinusInfinity = INT64_MIN;  // PostgreSQL's -infinity in binary
constexpr std::size_t kEmptyArrayBytes = 12;        // three words: no dimension

struct Sent {
  std::string statement;
  std::int64_t created_from;
};

// The table's functions know only the session, so what they record is the program's.
std::vector<Sent> recorded;
const summa_sql_v1* forward = nullptr;

bool IsPoll(std::string_view sql, std::size_t count) {
  return count == 6 && sql.find("summa_host.outbox_tail") != sql.npos;
}

std::int32_t RecordingExec(summa_sql_session* session, summa_str sql,
                           const summa_sql_parameter* parameters, std::size_t count,
                           std::int32_t format, summa_sql_result** out, summa_error* error) {
  if (IsPoll(FromAbi(sql), count)) {
    recorded.push_back(
        {std::string(FromAbi(sql)), detail::FromBigEndian<std::int64_t>(parameters[0].data)});
    // The statement is run again with no exclusions: it must have had none.
    if (parameters[2].size != kEmptyArrayBytes) {
      recorded.back().statement.clear();
    }
  }
  return forward->exec(session, sql, parameters, count, format, out, error);
}

RecordedPoll Describe(const Sent& sent, const std::string& url) {
  if (sent.statement.empty()) throw std::runtime_error("the poll left out streams");
  RecordedPoll poll;
  poll.statement = sent.statement;
  poll.created_from = sent.created_from == kMinusInfinity
                          ? "-infinity"
                          : test::Db(url).Value(
                                "SELECT '2000-01-01 00:00+00'::timestamptz + "
                                "$1::bigint * interval '1 microsecond'",
                                {std::to_string(sent.created_from)});
  return poll;
}

}  // namespace

RecordedPolls RecordPolls(const std::string& url, const std::function<void()>& write) {
  host::DatabaseSettings settings;
  settings.url = url;
  settings.application_name = "bench";
  host::ControlPlane(settings).Migrate(test::StepsWith({"outbox"}));
  host::SqlService sql({{"ledger", std::make_shared<host::SessionPool>(settings)}});
  forward = sql.unleased();
  recorded.clear();
  summa_sql_v1 table = *forward;
  table.exec = &RecordingExec;

  testkit::FakeHost fake(&table);
  testkit::MemoryBus bus;
  summa::detail::BusTable bus_table(&bus);
  outbox::Processor processor(fake.host(), {}, BusClient(bus_table.table()));
  testkit::FakeTick tick(&table, SUMMA_TICK_NEW_LEASE);
  const Stopwatch first;
  processor.Run(Tick(tick.abi()));
  const double first_seconds = first.Seconds();
  tick.SetFlags(0);
  write();
  const Stopwatch second;
  const TickResult delivered = processor.Run(Tick(tick.abi()));
  const double second_seconds = second.Seconds();
  if (recorded.size() != 2 || delivered.items != 1) {
    throw std::runtime_error("the processor polled " + std::to_string(recorded.size()) +
                             " times, not 2, and delivered " + std::to_string(delivered.items) +
                             " rows, not 1");
  }
  RecordedPolls polls{Describe(recorded[0], url), Describe(recorded[1], url)};
  polls.unbounded.seconds = first_seconds;
  polls.bounded.seconds = second_seconds;
  if (polls.unbounded.created_from != "-infinity" || polls.bounded.created_from == "-infinity") {
    throw std::runtime_error("the first poll must be without a bound and the second with one");
  }
  return polls;
}

}  // namespace summa::bench
