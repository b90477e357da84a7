// Read models beside a partitioned event store whose oldest range leaves and comes back, with the
// real program and plugin maintenance.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/summa_host.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kModels[] = {"account-balance", "entry-record", "transaction-summary",
                                   "holder-dashboard"};

class Departed : public testing::Test {
 protected:
  Departed()
      : url_(server_.CreateDatabase("departed")),
        db_(url_),
        file_("summa.yaml", "database: { ledger: { url: \"" + url_ +
                                "\" }, migrate: auto }\nhost: { listen: \"127.0.0.1:0\" }\n"
                                "plugins: { projections: {}, maintenance: { require_verified: "
                                "false, partitions: { ledger_event: { ahead: 1 } } } }\n") {
    db_.Execute("SET TimeZone = 'UTC'");
    const RunResult made = Run({"migrate", "--create-ledger", "plan", "--partitioned"});
    EXPECT_EQ(made.exit_code, 0) << made.out << made.err;
    MakeHistory();
    EXPECT_EQ(Run({"partitions", "create"}).exit_code, 0);
  }
  // Three accounts; the range that is the older one has events of all, and the last one of none.
  void MakeHistory() {
    db_.Execute(
        "DROP TABLE ledger_event_overflow_low; INSERT INTO account_balance (id, holder_id, "
        "holder_type, currency) SELECT md5(n::text)::uuid, 'holder_' || n, 'individual', 'USD' "
        "FROM generate_series(1, 3) n");
    for (int month = -6; month < 0; ++month) {
      const std::string name = NameOf(month);
      db_.Execute("DO $do$ BEGIN EXECUTE format('CREATE TABLE " + name +
                  " PARTITION OF ledger_event FOR VALUES FROM (%L) TO (%L)', " + Start(month) +
                  ", " + Start(month + 1) + "); END $do$; ALTER TABLE " + name +
                  " ADD PRIMARY KEY (id), ADD UNIQUE (position), ADD UNIQUE (aggregate_type, "
                  "aggregate_id, sequence_number)");
    }
    for (const int month : {-6, -5}) {
      for (int account = 1; account <= 3; ++account) {
        Append(account, month, month == -6 ? "ACCOUNT_OPENED" : "ACCOUNT_FROZEN");
        Append(account, month, "ACCOUNT_UNFROZEN");
      }
    }
  }
  void Append(int account, int month, const std::string& type) {
    db_.Query(
        "INSERT INTO ledger_event (aggregate_type, aggregate_id, event_type, event_data, "
        "sequence_number, previous_hash, event_hash, created_at) SELECT 'account', "
        "md5($1)::uuid, $2, '{}', coalesce(max(sequence_number), 0) + 1, (array_agg(event_hash "
        "ORDER BY sequence_number DESC))[1], encode(sha256((count(*) || $1)::bytea), 'hex'), " +
            Start(month) + " FROM ledger_event WHERE aggregate_id = md5($1)::uuid",
        {std::to_string(account), type});
  }
  static std::string Start(int month) {
    return "(date_trunc('month', now()) + interval '" + std::to_string(month) + " months')";
  }
  std::string NameOf(int month) {
    return "ledger_event_" + db_.Value("SELECT to_char(" + Start(month) + ", 'YYYY_MM')");
  }
  RunResult Run(std::vector<std::string> words) const {
    words.insert(words.end(), {"-c", file_.Path(), "--output", "json"});
    return SummaHost(words);
  }
  void RunOnce() {
    const RunResult run = Run({"run", "--once"});
    EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  }
  void ExpectReadModelsOfTheLedger() {
    for (const char* model : kModels) {
      const RunResult verified = Run({"projections", "verify", model});
      EXPECT_EQ(verified.exit_code, 0) << model << ": " << verified.out << verified.err;
      EXPECT_EQ(JsonMember(verified.out, "inFlight"), "0") << model << ": " << verified.out;
    }
  }
  // Until it has ended or failed.
  void Rebuild() {
    const RunResult begun = Run({"projections", "rebuild", "holder-dashboard", "--detach"});
    ASSERT_EQ(begun.exit_code, 0) << begun.out << begun.err;
    WaitUntil(
        [&] {
          RunOnce();
          return db_.Count(
                     "SELECT count(*) FROM summa_host.operation WHERE finished_at IS NULL AND "
                     "error IS NULL") == 0;
        },
        kTimeout, "the rebuild");
  }
  std::string Operation(const std::string& column) {
    return db_.Value("SELECT coalesce(" + column +
                     "::text, '') FROM summa_host.operation ORDER BY id DESC LIMIT 1");
  }

  PostgresServer server_;
  std::string url_;
  Db db_;
  TemporaryFile file_;
};

TEST_F(Departed, ReadModelsKeepWhatTheyHaveAndAreNotMadeAnewWithoutIt) {
  const std::string oldest = NameOf(-6);
  const std::string key = db_.Value("SELECT md5('1')::uuid");
  RunOnce();
  ExpectReadModelsOfTheLedger();
  const RunResult left = Run({"partitions", "detach", oldest, "--wait", "60s"});
  ASSERT_EQ(left.exit_code, 0) << left.out << left.err;
  Append(2, -5, "ACCOUNT_FROZEN");
  RunOnce();
  ExpectReadModelsOfTheLedger();

  const RunResult of_key = Run({"projections", "rebuild", "holder-dashboard", "--key", key});
  EXPECT_EQ(of_key.exit_code, 65) << of_key.out;
  EXPECT_THAT(of_key.out + of_key.err, HasSubstr("SH-0568"));
  Rebuild();
  EXPECT_THAT(Operation("error"), HasSubstr(oldest));
  EXPECT_EQ(Run({"operations", "abort", Operation("id")}).exit_code, 0);
  RunOnce();
  ExpectReadModelsOfTheLedger();

  const RunResult back = Run({"partitions", "attach", oldest, "--wait", "60s"});
  ASSERT_EQ(back.exit_code, 0) << back.out << back.err;
  EXPECT_EQ(Run({"projections", "rebuild", "holder-dashboard", "--key", key}).exit_code, 0);
  Rebuild();
  EXPECT_EQ(Operation("state"), "done") << Operation("error");
  ExpectReadModelsOfTheLedger();
}

}  // namespace
}  // namespace summa::test
