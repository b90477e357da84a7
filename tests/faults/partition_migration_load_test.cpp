// Both strategies of the migration to partitions under load, on a ledger of our own traffic and on
// one that Summa made: nobody sees an error that a repetition does not cure, no event is lost,
// doubled or changed, and the outbox and the reconciliation go on as if nothing happened.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "tests/faults/checker.hpp"
#include "tests/faults/migration_load.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/shared_data.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using ::testing::IsEmpty;

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

// Over eight months up to now, in the order of the positions.
constexpr const char* kSpread =
    "UPDATE ledger_event e SET created_at = now() - interval '240 days' * ((highest - "
    "sequence_number)::float8 / highest) FROM (SELECT max(sequence_number) AS highest FROM "
    "ledger_event) m";

// The accounts that the fixture works on are some of those that Summa has made.
constexpr const char* kSummasAccounts = R"sql(
CREATE TABLE fixture.account AS
  SELECT row_number() OVER (ORDER BY id)::integer AS number, id FROM account_balance
  WHERE status = 'active' AND currency = 'USD';
CREATE OR REPLACE FUNCTION fixture.account_id(number integer) RETURNS uuid LANGUAGE sql STABLE AS
  'SELECT id FROM fixture.account a WHERE a.number = $1';
)sql";

// Changes the times of events by `spread`. A row of the outbox keeps the time of its event: there
// are rows that find their event by it.
template <typename Spread>
void SpreadOverMonths(const std::string& url, const Spread& spread) {
  Db db(url);
  db.Execute(
      "CREATE TABLE told AS SELECT o.id, e.id AS event_id FROM fixture.outbox_position o JOIN "
      "ledger_event e ON e.sequence_number = o.position");
  spread();
  db.Execute(
      "UPDATE outbox o SET created_at = e.created_at FROM told t JOIN ledger_event e ON e.id = "
      "t.event_id WHERE t.id = o.id; DROP TABLE told");
  db.Execute("VACUUM ANALYZE");
}

void MakeGenerated(const std::string& name) {
  const std::string url = InstallLedger(Server(), name);
  TrafficGenerator traffic(url, {.connections = 4, .accounts = 40});
  traffic.Start();
  WaitUntil([&] { return traffic.Committed() >= 1500; }, kTimeout, traffic.LastError());
  traffic.Stop();
  SpreadOverMonths(url, [&] { Db(url).Execute(kSpread); });
}

// False when it is not there.
bool MakeDeployed(const std::string& name) {
  const auto shared = ForSharedData();
  const std::string folder = shared.value_or("") + "/summa-db/";
  if (!shared || !std::ifstream(folder + "small.sql.gz").good()) return false;
  const std::string url = Server().CreateDatabase(name);
  Server().RunSqlFile(name, folder + "small.sql.gz", /*gzipped=*/true);
  InstallFunctions(Server(), name);
  Db(url).Execute(kSummasAccounts);
  SpreadOverMonths(url, [&] { Server().RunSqlFile(name, folder + "spread-months.sql"); });
  return true;
}

class PartitionMigrationLoadTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    static int number = 0;
    const std::string name = GetParam() + "_" + std::to_string(++number);
    if (GetParam() == "generated") {
      MakeGenerated(name);
    } else if (!MakeDeployed(name)) {
      GTEST_SKIP() << "skipped: no database made by Summa in ../shared";
    }
    load_ = std::make_unique<MigrationLoad>(Server(), name);
    load_->Start();
  }
  // To its end; everybody goes on for a while afterwards.
  void Migrate(const std::vector<std::string>& words, const std::string& state) {
    load_->Migrate(words, state);
    load_->WaitForMore();
  }
  void ExpectNothingIsBroken() {
    const std::vector<std::string> broken = load_->Finish();
    EXPECT_THAT(broken, IsEmpty()) << Report(broken);
    for (const auto& [state, count] : load_->errors().Retryable()) {
      std::cout << "errors that are retried, " << state << ": " << count << "\n";
    }
  }

  std::unique_ptr<MigrationLoad> load_;
};

// Chunks are small, so that the copy takes its time.
TEST_P(PartitionMigrationLoadTest, OnlineToItsEndDisturbsNobody) {
  Migrate({"--strategy=online", "--batch-size", "400", "--yes"}, "swapped");
  EXPECT_THAT(load_->Differences("ledger_event", "ledger_event_old"), IsEmpty());
  Migrate({"--finalize", "--yes"}, "finalized");
  ExpectNothingIsBroken();
}

TEST_P(PartitionMigrationLoadTest, AttachDisturbsNobody) {
  Migrate({"--strategy=attach", "--yes"}, "swapped");
  ExpectNothingIsBroken();
}

INSTANTIATE_TEST_SUITE_P(Ledgers, PartitionMigrationLoadTest,
                         testing::Values("generated", "deployed"),
                         [](const auto& ledger) { return ledger.param; });

}  // namespace
}  // namespace summa::test
