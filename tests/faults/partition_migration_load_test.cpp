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

// Each time of a row that is the time of an event becomes the new time of the event: the rows of a
// transaction have one time.
constexpr const char* kFollow = R"sql(
SET session_replication_role = replica;
CREATE TABLE moved AS SELECT b.created_at AS before, min(e.created_at) AS now
  FROM before b JOIN ledger_event e USING (id) GROUP BY 1;
CREATE UNIQUE INDEX ON moved (before);
UPDATE ledger_event e SET created_at = m.now FROM before b JOIN moved m ON m.before = b.created_at WHERE b.id = e.id;
DO $do$ DECLARE part record; BEGIN
  FOR part IN SELECT c.oid::regclass AS "table", a.attname AS "column" FROM pg_class c
              JOIN pg_attribute a ON a.attrelid = c.oid AND a.atttypid = 'timestamptz'::regtype AND NOT a.attisdropped
              WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
                AND c.relname NOT IN ('ledger_event', 'before', 'moved') LOOP
    EXECUTE format('UPDATE %1$s t SET %2$I = m.now FROM moved m WHERE m.before = t.%2$I', part."table", part."column");
  END LOOP;
END $do$;
DROP TABLE before, moved;
SET session_replication_role = origin
)sql";

// Changes the times of events by `spread`, and what has the same times.
template <typename Spread>
void SpreadOverMonths(const std::string& url, const Spread& spread) {
  Db db(url);
  db.Execute("CREATE TABLE before AS SELECT id, created_at FROM ledger_event");
  spread();
  db.Execute(kFollow);
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
