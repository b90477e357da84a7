// A range whose last events stay leaves, and comes back, with the real program that is killed at
// every step: at no moment has a chain no last event, nothing is lost, and nothing is left over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/summa_host.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class Remainder : public testing::Test {
 protected:
  Remainder()
      : url_(server_.CreateDatabase("remainder")),
        db_(url_),
        file_("summa.yaml",
              "database: { ledger: { url: \"" + url_ +
                  "\" }, migrate: auto }\nhost: { listen: \"127.0.0.1:0\" }\nschedules: { "
                  "partition-manager: { lease_ttl: 3s } }\nplugins: { maintenance: { "
                  "require_verified: false, partitions: { ledger_event: { ahead: 1 } } } }\n") {
    db_.Execute("SET TimeZone = 'UTC'");
    const RunResult made = Run({"migrate", "--create-ledger", "plan", "--partitioned"});
    EXPECT_EQ(made.exit_code, 0) << made.out << made.err;
    MakeHistory();
    EXPECT_EQ(Run({"partitions", "create"}).exit_code, 0);
    heads_ = Heads();
    events_ = Events();
  }

  // Three accounts with events in two months that are long over; their last events are in the
  // second, in the first, and in the second.
  void MakeHistory() {
    db_.Execute("DROP TABLE ledger_event_overflow_low");
    for (int month = -6; month < 0; ++month) {
      const std::string name = NameOf(month);
      db_.Execute("DO $do$ BEGIN EXECUTE format('CREATE TABLE " + name +
                  " PARTITION OF ledger_event FOR VALUES FROM (%L) TO (%L)', " + Start(month) +
                  ", " + Start(month + 1) + "); END $do$; ALTER TABLE " + name +
                  " ADD PRIMARY KEY (id), ADD UNIQUE (position), ADD UNIQUE (aggregate_type, "
                  "aggregate_id, sequence_number)");
    }
    for (int month = -6; month <= -5; ++month) {
      for (int account = 1; account <= 3; ++account) {
        if (month == -5 && account == 2) continue;
        for (int event = 1; event <= 2; ++event) Append(account, month);
      }
    }
  }
  void Append(int account, int month) {
    db_.Query(
        "INSERT INTO ledger_event (aggregate_type, aggregate_id, event_type, event_data, "
        "sequence_number, previous_hash, event_hash, created_at) SELECT 'account', "
        "md5($1)::uuid, 'E', '{}', coalesce(max(sequence_number), 0) + 1, (array_agg(event_hash "
        "ORDER BY sequence_number DESC))[1], encode(sha256((count(*) || $1)::bytea), 'hex'), " +
            Start(month) + " FROM ledger_event WHERE aggregate_id = md5($1)::uuid",
        {std::to_string(account)});
  }
  static std::string Start(int month) {
    return "(date_trunc('month', now()) + interval '" + std::to_string(month) + " months')";
  }
  std::string NameOf(int month) {
    return "ledger_event_" + db_.Value("SELECT to_char(" + Start(month) + ", 'YYYY_MM')");
  }

  RunResult Run(std::vector<std::string> words, const std::string& crash_at = "") const {
    words.insert(words.end(), {"-c", file_.Path(), "--output", "json"});
    std::map<std::string, std::string> environment;
    if (!crash_at.empty()) environment["SUMMA_CRASH_AT"] = crash_at;
    return SummaHost(words, std::move(environment));
  }
  RunResult Partitions(std::vector<std::string> words, const std::string& crash_at = "") const {
    words.insert(words.begin(), "partitions");
    words.insert(words.end(), {"--wait", "60s"});
    return Run(std::move(words), crash_at);
  }
  bool IsAttached(const std::string& name) {
    return db_.Count(
               "SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE "
               "i.inhparent = 'ledger_event'::regclass AND c.relname = $1",
               {name}) > 0;
  }
  std::vector<std::string> Remainders() {
    return db_.Column("SELECT name FROM summa_host.partition_remainder ORDER BY 1");
  }
  // What Summa reads before it appends.
  std::vector<std::string> Heads() {
    return db_.Column(
        "SELECT DISTINCT ON (aggregate_id) e::text FROM ledger_event e ORDER BY aggregate_id, "
        "sequence_number DESC");
  }
  std::vector<std::string> Events() {
    return db_.Column("SELECT e::text FROM ledger_event e ORDER BY position");
  }
  void Detach(const std::string& name, const std::string& crash_at) {
    SCOPED_TRACE("killed at " + crash_at);
    const RunResult killed = Partitions({"detach", name}, crash_at);
    EXPECT_NE(killed.exit_code, 0) << "the point was not reached: " << killed.out << killed.err;
    EXPECT_EQ(Heads(), heads_);
    std::vector<std::string> words = {"detach"};
    if (IsAttached(name)) words.push_back(name);
    const RunResult again = Partitions(words);
    EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
    ExpectDetached(name);
  }
  void ExpectDetached(const std::string& name) {
    EXPECT_EQ(db_.Value("SELECT state FROM summa_host.partition_record WHERE name = $1", {name}),
              "detached");
    EXPECT_EQ(Heads(), heads_);
    ASSERT_THAT(Remainders(), SizeIs(1));
    EXPECT_TRUE(IsAttached(Remainders().front()));
    EXPECT_EQ(Events(), heads_by_position_);
    ExpectNoLeftovers();
  }
  void ExpectNoLeftovers() {
    EXPECT_EQ(db_.Count("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND NOT relispartition "
                        "AND relname LIKE 'ledger_event_remainder%'"),
              0);
  }
  void Attach(const std::string& name, const std::string& crash_at) {
    SCOPED_TRACE("killed at " + crash_at);
    const RunResult killed = Partitions({"attach", name}, crash_at);
    EXPECT_NE(killed.exit_code, 0) << "the point was not reached: " << killed.out << killed.err;
    EXPECT_EQ(Heads(), heads_);
    if (IsAttached(name)) {
      EXPECT_EQ(Partitions({"create"}).exit_code, 0);
    } else {
      const RunResult again = Partitions({"attach", name});
      EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
    }
    EXPECT_EQ(Heads(), heads_);
    ASSERT_THAT(Remainders(), SizeIs(1)) << "that of the older range";
    ExpectNoLeftovers();
  }

  PostgresServer server_;
  std::string url_;
  Db db_;
  TemporaryFile file_;
  std::vector<std::string> heads_, events_, heads_by_position_;
};

TEST_F(Remainder, IsMadeAndTakenBackWhereverItWasKilled) {
  const std::vector<std::string> leaving = {
      "partition.remainder",        "partition.remainder_made", "partition.remainder_part",
      "partition.remainder_filled", "partition.record",         "partition.recorded",
      "partition.exchange",         "partition.exchanged",      "partition.settle",
      "partition.settled"};
  const std::vector<std::string> returning = {"partition.remainder", "partition.return_copy",
                                              "partition.return_copied", "partition.return",
                                              "partition.returned"};
  const RunResult first = Partitions({"detach", NameOf(-6)});
  ASSERT_EQ(first.exit_code, 0) << first.out << first.err;
  EXPECT_THAT(first.out, HasSubstr("\"keptEvents\":1"));
  heads_by_position_ = db_.Column(
      "SELECT e::text FROM ledger_event e WHERE (aggregate_id, sequence_number) IN (SELECT "
      "aggregate_id, max(sequence_number) FROM ledger_event GROUP BY 1) ORDER BY position");
  const std::string name = NameOf(-5);
  for (std::size_t i = 0; i < leaving.size(); ++i) {
    Detach(name, leaving[i]);
    if (i < returning.size()) {
      Attach(name, returning[i]);
    } else {
      EXPECT_EQ(Partitions({"attach", name}).exit_code, 0);
    }
  }
  ASSERT_EQ(Partitions({"attach", NameOf(-6)}).exit_code, 0);
  EXPECT_EQ(Events(), events_);
  EXPECT_THAT(Remainders(), SizeIs(0));
}

TEST_F(Remainder, IsNamedInTheListAndInThePlan) {
  const RunResult dry = Partitions({"detach", NameOf(-6), "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.out << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("\"remainder\":true"));
  ASSERT_EQ(Partitions({"detach", NameOf(-6)}).exit_code, 0);
  ASSERT_THAT(Remainders(), SizeIs(1));
  const RunResult list = Run({"partitions", "list"});
  EXPECT_THAT(list.out, HasSubstr("\"name\":\"" + Remainders().front() + "\""));
  EXPECT_THAT(list.out, HasSubstr("\"state\":\"attached\",\"remainder\":true"));
  EXPECT_THAT(list.out, HasSubstr("\"remainder\":false,\"keptEvents\":1"));
  const RunResult plan = Run({"partitions", "plan"});
  EXPECT_THAT(plan.out, HasSubstr("\"remainders\":[{\"table\":\"public.ledger_event\",\"name\":\"" +
                                  Remainders().front() + "\""));
}

}  // namespace
}  // namespace summa::test
