// What one poll reads when millions of rows were delivered while another session holds an old
// snapshot: their entries under 'pending' stay in the index, and no vacuum may take them away.
#include <libpq-fe.h>

#include <iostream>
#include <stdexcept>
#include <summa/json.hpp>

#include "tests/bench/recorded_poll.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/servers.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::bench {
namespace {

// Rows as fixture.bulk_processed makes them, but still waiting: only what was pending once leaves
// an entry behind. All are older than an hour.
constexpr char kInsertPending[] = R"(
INSERT INTO outbox (id, topic, payload, created_at)
SELECT ('00000001-0000-4000-8000-' || lpad(to_hex(number), 12, '0'))::uuid,
       'ledger-account-credited',
       jsonb_build_object('accountId', fixture.account_id((number % 1000)::integer + 1),
                          'amount', 100, 'reference', 'processed_' || number),
       now() - interval '1 hour' - ($1::bigint - number) * interval '1 ms'
FROM generate_series(1::bigint, $1::bigint) AS number)";
constexpr char kDeliver[] =
    "UPDATE outbox SET status = 'processed', processed_at = created_at + interval '1 second'";

struct Explained {
  std::string plan;
  long long buffers = 0;
};

// Pages of the first line of buffers, which is the root's and so the sum of all.
long long BuffersOf(const std::string& plan) {
  const std::size_t at = plan.find("Buffers: shared");
  if (at == std::string::npos) throw std::runtime_error("no buffers in the plan:\n" + plan);
  const std::string line = plan.substr(at, plan.find('\n', at) - at);
  long long sum = 0;
  for (const char* word : {"hit=", "read="}) {
    const std::size_t found = line.find(word);
    if (found != std::string::npos) sum += std::stoll(line.substr(line.find('=', found) + 1));
  }
  return sum;
}

// The function's own plan is what counts: auto_explain tells it, as it really ran.
Explained Explain(const std::string& url, const RecordedPoll& poll) {
  test::Db db(url);
  std::vector<std::string> notices;
  PQsetNoticeProcessor(
      db.Handle(),
      [](void* all, const char* text) {
        static_cast<std::vector<std::string>*>(all)->push_back(text);
      },
      &notices);
  db.Execute("PREPARE poll (timestamptz, text, text[], bigint, boolean, boolean) AS " +
             poll.statement);
  db.Execute(
      "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; "
      "SET auto_explain.log_nested_statements = on; SET auto_explain.log_analyze = on; "
      "SET auto_explain.log_buffers = on; SET client_min_messages = log");
  notices.clear();
  db.Query("EXECUTE poll ('" + poll.created_from + "', 'bus', '{}', 1001, false, false)");
  for (const std::string& notice : notices) {
    const std::size_t plan = notice.find("Nested Loop");
    if (plan == std::string::npos) continue;
    return {notice.substr(plan), BuffersOf(notice)};
  }
  throw std::runtime_error("the server told no plan of the poll");
}

class PollBenchmark {
 public:
  explicit PollBenchmark(const Options& options)
      : rows_(options.Number("rows")),
        max_buffers_(options.Number("most-buffers")),
        json_(options.Json()),
        server_(RealisticPostgres(/*durable=*/false)) {}

  void Run() {
    Prepare();
    test::Db holder(url_);
    holder.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
    holder.Query("SELECT count(*) FROM worker_lease");  // the snapshot is taken here, and stays
    Say("delivering them while a snapshot is held");
    test::Db(url_).Execute(kDeliver);
    test::Db(url_).Execute("VACUUM (ANALYZE) outbox");
    Say("polling");
    const auto write = [this] {
      test::Db(url_).Query("SELECT fixture.credit(fixture.account_id(1), 100)");
    };
    const RecordedPolls polls = RecordPolls(url_, write);
    write();
    const Explained bounded = Explain(url_, polls.bounded);
    const Explained unbounded = Explain(url_, polls.unbounded);
    if (json_) {
      PrintJson(polls, bounded, unbounded);
    } else {
      PrintResult(polls, bounded, unbounded);
    }
    if (max_buffers_ > 0 && bounded.buffers >= max_buffers_) {
      throw std::runtime_error("a bounded poll touched " + std::to_string(bounded.buffers) +
                               " pages, expected fewer than " + std::to_string(max_buffers_) +
                               "\n" + bounded.plan);
    }
  }

 private:
  void Prepare() {
    Say("making " + std::to_string(rows_) + " outbox rows");
    url_ = test::InstallLedger(server_, "ledger");
    test::EnsureAccounts(url_, 1);
    test::Db db(url_);
    db.Query(kInsertPending, {std::to_string(rows_)});
  }

  void PrintResult(const RecordedPolls& polls, const Explained& bounded,
                   const Explained& unbounded) const {
    std::cout << "one waiting row behind " << Grouped(static_cast<double>(rows_))
              << " delivered ones, a snapshot held since before their delivery\n"
              << MachineText() << "; PostgreSQL " << PostgresVersion(url_)
              << "\n\nThe poll, with the processor's lower bound " << polls.bounded.created_from
              << ":\n\n"
              << bounded.plan << "\nThe same without a bound:\n\n"
              << unbounded.plan << "\n";
    PrintTable({{"", "pages", "ms of the tick"},
                {"poll with the bound", Grouped(static_cast<double>(bounded.buffers)),
                 Fixed(polls.bounded.seconds * 1000, 1)},
                {"poll without a bound", Grouped(static_cast<double>(unbounded.buffers)),
                 Fixed(polls.unbounded.seconds * 1000, 1)}});
  }

  void PrintJson(const RecordedPolls& polls, const Explained& bounded,
                 const Explained& unbounded) const {
    JsonWriter json;
    json.BeginObject()
        .Member("benchmark", "poll")
        .Member("machine", MachineText())
        .Member("postgresql", PostgresVersion(url_))
        .Member("rows", rows_)
        .Member("boundedBuffers", bounded.buffers)
        .Member("unboundedBuffers", unbounded.buffers)
        .Member("boundedTickSeconds", polls.bounded.seconds)
        .Member("unboundedTickSeconds", polls.unbounded.seconds)
        .Member("boundedPlan", bounded.plan)
        .Member("unboundedPlan", unbounded.plan)
        .EndObject();
    std::cout << json.Take() << "\n";
  }

  const long long rows_, max_buffers_;
  const bool json_;
  test::PostgresServer server_;
  std::string url_;
};

int RunPoll(int count, char** words) {
  const Options options(count, words,
                        "Pages that one poll of the outbox reads behind delivered rows that an old "
                        "snapshot keeps in the index.",
                        {{"rows", "10000000", "delivered rows in front (about 1 GB per million)"},
                         {"most-buffers", "0",
                          "fail when the bounded poll touches as many pages; "
                          "0: only measure"}});
  if (options.Number("rows") == 0) throw std::runtime_error("--rows is at least 1");
  PollBenchmark(options).Run();
  return 0;
}

}  // namespace
}  // namespace summa::bench

int main(int count, char** words) {
  return summa::bench::Guarded(summa::bench::RunPoll, count, words);
}
