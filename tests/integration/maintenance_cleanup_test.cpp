// The cleanups of the maintenance plugin on a real PostgreSQL: which rows go, in batches, and what
// stands in the way of one row stops no other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <summa/testkit/fake_host.hpp>

#include "cleanup.hpp"
#include "host/abi/sql_service.hpp"
#include "host/database/control_plane.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::maintenance {
namespace {

using std::chrono::hours;
using test::Db;
using ::testing::HasSubstr;

test::PostgresServer& Server() {
  static test::PostgresServer server;
  return server;
}

class MaintenanceCleanup : public testing::Test {
 protected:
  MaintenanceCleanup() {
    static int number = 0;
    url_ = test::InstallLedger(Server(), "cleanup_" + std::to_string(++number));
    host::DatabaseSettings settings;
    settings.url = url_;
    settings.application_name = "cleanup-test";
    host::ControlPlane(settings).Migrate();
    sql_ = std::make_unique<host::SqlService>(
        std::map<std::string, std::shared_ptr<host::SessionPool>>{
            {"ledger", std::make_shared<host::SessionPool>(settings)}});
    fake_ = std::make_unique<testkit::FakeHost>(sql_->unleased());
    tick_ = std::make_unique<testkit::FakeTick>(sql_->unleased());
    db_ = std::make_unique<Db>(url_);
  }

  std::int64_t Run(Cleanup& cleanup) { return cleanup.Run(Tick(tick_->abi())).items; }
  // Keys key-1 to key-`count`, which expired one after the other.
  void InsertKeys(int count) {
    db_->Query(
        "INSERT INTO idempotency_key (key, expires_at) SELECT 'key-' || n, now() - interval '1 "
        "hour' - n * interval '1 ms' FROM generate_series(1, $1::int) n",
        {std::to_string(count)});
  }
  long long Keys() { return db_->Count("SELECT count(*) FROM idempotency_key"); }
  Cleanup KeyCleanup() { return {fake_->host(), kIdempotencyKeys, std::chrono::microseconds(0)}; }

  std::string url_;
  std::unique_ptr<host::SqlService> sql_;
  std::unique_ptr<testkit::FakeHost> fake_;
  std::unique_ptr<testkit::FakeTick> tick_;
  std::unique_ptr<Db> db_;
};

TEST_F(MaintenanceCleanup, DeletesExpiredKeysInBatchesAndKeepsTheOthers) {
  InsertKeys(3 * RowCleanup::kFirstBatch + 7);
  // All of one transaction have the same time.
  db_->Execute(
      "INSERT INTO idempotency_key (key, expires_at) SELECT 'same-' || n, now() - interval '1 "
      "day' FROM generate_series(1, 250) n; "
      "INSERT INTO idempotency_key (key, expires_at) VALUES ('first', '-infinity'), "
      "('valid', now() + interval '1 hour'), ('last', 'infinity')");
  Cleanup cleanup = KeyCleanup();
  EXPECT_EQ(Run(cleanup), 3 * RowCleanup::kFirstBatch + 7 + 250 + 1);
  EXPECT_EQ(db_->Column("SELECT key FROM idempotency_key ORDER BY key"),
            (std::vector<std::string>{"last", "valid"}));
  EXPECT_EQ(Run(cleanup), 0);
}

TEST_F(MaintenanceCleanup, LeavesLeasesThatExpiredLessThanAnHourAgo) {
  db_->Execute(
      "INSERT INTO worker_lease (worker_id, lease_holder, lease_until) VALUES "
      "('held', 'a', now() + interval '1 minute'), ('forever', 'b', 'infinity'), "
      "('just', 'c', now() - interval '50 minutes'), ('long', 'd', now() - interval '70 minutes'), "
      "('idle', 'idle:e', now() - interval '2 days')");
  Cleanup cleanup(fake_->host(), kWorkerLeases, kLeaseAge);
  EXPECT_EQ(Run(cleanup), 2);
  EXPECT_EQ(db_->Column("SELECT worker_id FROM worker_lease ORDER BY worker_id"),
            (std::vector<std::string>{"forever", "held", "just"}));
}

TEST_F(MaintenanceCleanup, KeepsProcessedEventsForTheRetention) {
  db_->Execute(
      "INSERT INTO processed_event (id, topic, processed_at) SELECT gen_random_uuid(), 't', now() "
      "- n * interval '1 hour' - interval '1 minute' FROM generate_series(1, 300) n");
  Cleanup cleanup(fake_->host(), kProcessedEvents, hours(168));
  EXPECT_EQ(Run(cleanup), 133) << "168 hours and a minute, and older";
  EXPECT_EQ(db_->Count("SELECT count(*) FROM processed_event"), 167);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM processed_event WHERE processed_at < now() - "
                       "interval '168 hours'"),
            0);
}

TEST_F(MaintenanceCleanup, PassesOverARowThatSomebodyHasLockedAndDeletesItTheNextTime) {
  InsertKeys(250);
  Db other(url_);
  other.Execute("BEGIN");
  other.Query("SELECT FROM idempotency_key WHERE key = 'key-7' FOR UPDATE");
  Cleanup cleanup = KeyCleanup();
  EXPECT_EQ(Run(cleanup), 249);
  EXPECT_EQ(db_->Column("SELECT key FROM idempotency_key"), std::vector<std::string>{"key-7"});
  EXPECT_TRUE(cleanup.Failing().empty()) << "nobody refuses anything";
  other.Execute("COMMIT");
  EXPECT_EQ(Run(cleanup), 1);
}

// The holder has come back, and its statement has not committed yet.
TEST_F(MaintenanceCleanup, LeavesALeaseThatIsBeingTakenAnew) {
  db_->Execute(
      "INSERT INTO worker_lease (worker_id, lease_holder, lease_until) VALUES "
      "('renewed', 'a', now() - interval '2 hours'), ('gone', 'b', now() - interval '3 hours')");
  Db other(url_);
  other.Execute("BEGIN");
  other.Execute(
      "UPDATE worker_lease SET lease_until = now() + interval '1 minute' WHERE worker_id = "
      "'renewed'");
  Cleanup cleanup(fake_->host(), kWorkerLeases, kLeaseAge);
  EXPECT_EQ(Run(cleanup), 1);
  other.Execute("COMMIT");
  EXPECT_EQ(Run(cleanup), 0);
  EXPECT_EQ(db_->Column("SELECT worker_id FROM worker_lease"), std::vector<std::string>{"renewed"});
}

TEST_F(MaintenanceCleanup, NamesARowThatTheLedgerRefusesToDeleteAndDeletesTheOthers) {
  InsertKeys(250);
  db_->Execute(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'keep "
      "it'; END $$; CREATE TRIGGER refuse BEFORE DELETE ON idempotency_key FOR EACH ROW WHEN "
      "(OLD.key IN ('key-7', 'key-201')) EXECUTE FUNCTION refuse()");
  Cleanup cleanup = KeyCleanup();
  EXPECT_EQ(Run(cleanup), 248);
  EXPECT_EQ(Keys(), 2);
  ASSERT_EQ(cleanup.Failing().size(), 1U);
  const Finding failing = cleanup.Failing()[0];
  EXPECT_EQ(failing.severity, Severity::kWarning);
  for (const char* part : {"SH-0841", "key-7 ", "key-201 ", "keep it"}) {
    EXPECT_THAT(failing.found, HasSubstr(part));
  }
  EXPECT_EQ(Run(cleanup), 0);
  EXPECT_EQ(fake_->CountCode("SH-0841"), 1U) << "it is said once";
  db_->Execute("DROP TRIGGER refuse ON idempotency_key");
  EXPECT_EQ(Run(cleanup), 2);
  EXPECT_TRUE(cleanup.Failing().empty());
}

TEST_F(MaintenanceCleanup, StopsBetweenTwoBatches) {
  InsertKeys(3 * RowCleanup::kFirstBatch);
  Cleanup cleanup = KeyCleanup();
  tick_->Stop();
  EXPECT_EQ(Run(cleanup), RowCleanup::kFirstBatch) << "the first batch is finished";
  EXPECT_EQ(Keys(), 2 * RowCleanup::kFirstBatch);
  tick_ = std::make_unique<testkit::FakeTick>(sql_->unleased());
  EXPECT_EQ(Run(cleanup), 2 * RowCleanup::kFirstBatch);
  EXPECT_EQ(Keys(), 0);
}

TEST_F(MaintenanceCleanup, HasNothingToDoInALedgerWithoutTheTable) {
  db_->Execute("DROP TABLE idempotency_key");
  Cleanup cleanup = KeyCleanup();
  EXPECT_EQ(Run(cleanup), 0);
  EXPECT_EQ(Run(cleanup), 0);
  EXPECT_TRUE(cleanup.Failing().empty());
}

}  // namespace
}  // namespace summa::maintenance
