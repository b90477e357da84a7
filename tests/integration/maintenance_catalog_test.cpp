#include "partition/catalog.hpp"

#include "tests/integration/maintenance_support.hpp"

namespace summa::maintenance {
namespace {

class MaintenanceCatalogTest : public MaintenanceTest {
 protected:
  std::string RefusalOf(const std::string& table) {
    try {
      ReadTable(*session_, table);
    } catch (const Error& error) {
      return error.code();
    }
    return "none";
  }

  // A DETACH CONCURRENTLY that was cancelled while it waited for a reader.
  void LeavePending(const std::string& table, const std::string& partition) {
    Db reader(settings_.url), detacher(settings_.url);
    reader.Execute("BEGIN");
    reader.Query("SELECT count(*) FROM " + table);
    std::string state = "none";
    std::thread thread([&] {
      try {
        detacher.Execute("ALTER TABLE " + table + " DETACH PARTITION " + partition +
                         " CONCURRENTLY");
      } catch (const DbError& error) {
        state = error.sqlstate;
      }
    });
    const bool waits = test::BecomesTrue([&] { return WaitsForLock(detacher.BackendPid()); });
    db_->Query("SELECT pg_cancel_backend(" + std::to_string(detacher.BackendPid()) + ")");
    if (!waits) reader.Execute("ROLLBACK");  // it would be waited for
    thread.join();
    ASSERT_TRUE(waits);
    ASSERT_EQ(state, "57014");
  }
};

TEST_F(MaintenanceCatalogTest, ReadsRangesOverflowAndDefault) {
  MakeTable();
  db_->Execute(
      "CREATE TABLE high PARTITION OF events FOR VALUES FROM ('2026-03-01Z') TO (MAXVALUE)");
  db_->Execute(
      "CREATE TABLE feb PARTITION OF events FOR VALUES FROM ('2026-02-01Z') TO ('2026-03-01Z')");
  db_->Execute(
      "CREATE TABLE low PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2026-01-01Z')");

  const PartitionedTable table = ReadTable(*session_, "events");
  EXPECT_EQ(table.schema, "public");
  EXPECT_EQ(table.name, "events");
  EXPECT_EQ(table.quoted, "public.events");
  EXPECT_EQ(table.key, "created_at");
  EXPECT_EQ(table.default_partition, "");
  ASSERT_EQ(table.partitions.size(), 4U);
  EXPECT_EQ(table.partitions[0].name, "low");
  EXPECT_EQ(table.partitions[0].from, DatabaseTime::min());
  EXPECT_EQ(table.partitions[0].to, At(2026, 1, 1));
  EXPECT_EQ(table.partitions[1].quoted, "public.events_old");
  EXPECT_EQ(table.partitions[1].from, At(2026, 1, 1));
  EXPECT_EQ(table.partitions[1].to, At(2026, 2, 1));
  EXPECT_EQ(table.partitions[2].name, "feb");
  EXPECT_EQ(table.partitions[3].name, "high");
  EXPECT_EQ(table.partitions[3].to, DatabaseTime::max());
  EXPECT_EQ(table.overflow_low(), &table.partitions[0]);
  EXPECT_EQ(table.overflow_high(), &table.partitions[3]);
  EXPECT_EQ(table.covered(), (Range{At(2026, 1, 1), At(2026, 3, 1)}));
}

TEST_F(MaintenanceCatalogTest, ATableWithoutPartitionsCoversNothing) {
  db_->Execute(
      "CREATE TABLE events (LIKE ledger_event) PARTITION BY RANGE (created_at); "
      "CREATE TABLE rest PARTITION OF events DEFAULT");
  const PartitionedTable table = ReadTable(*session_, "events");
  EXPECT_TRUE(table.partitions.empty());
  EXPECT_EQ(table.default_partition, "public.rest");
  EXPECT_EQ(table.overflow_low(), nullptr);
  EXPECT_EQ(table.overflow_high(), nullptr);
  EXPECT_FALSE(table.covered());
}

TEST_F(MaintenanceCatalogTest, BoundsAreExactWhateverTheTimeZoneOfWhoWroteThem) {
  MakeTable();
  db_->Execute(
      "SET timezone = 'Asia/Kolkata'; SET datestyle = 'SQL, DMY'; "
      "CREATE TABLE odd PARTITION OF events "
      "FOR VALUES FROM ('2026-02-01 05:30:00.000001') TO ('2026-03-01')");
  const PartitionedTable table = ReadTable(*session_, "events");
  ASSERT_EQ(table.partitions.size(), 2U);
  EXPECT_EQ(table.partitions[1].from, At(2026, 2, 1) + std::chrono::microseconds(1));
  EXPECT_EQ(table.partitions[1].to, At(2026, 3, 1) - std::chrono::minutes(330));
}

TEST_F(MaintenanceCatalogTest, ReadsThePlansTable) {
  MakeTable("plan.events", "plan.ledger_event");
  const PartitionedTable table = ReadTable(*session_, "plan.events");
  EXPECT_EQ(table.quoted, "plan.events");
  ASSERT_EQ(table.partitions.size(), 1U);
  EXPECT_EQ(table.partitions[0].schema, "plan");
}

TEST_F(MaintenanceCatalogTest, ReadsOddNames) {
  const std::string long_name = std::string(61, 'x') + "\"'";  // 63 bytes
  const std::string quoted = "\"o\"\"d\".\"" + std::string(61, 'x') + "\"\"'\"";
  db_->Execute("CREATE SCHEMA \"o\"\"d\"; CREATE TABLE " + quoted +
               " (id uuid, \"a t\"\"\" timestamptz NOT NULL) PARTITION BY RANGE (\"a t\"\"\"); "
               "CREATE TABLE \"o\"\"d\".\"Jan ( TO )\" PARTITION OF " +
               quoted + " FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z')");
  const PartitionedTable table = ReadTable(*session_, quoted);
  EXPECT_EQ(table.schema, "o\"d");
  EXPECT_EQ(table.name, long_name);
  EXPECT_EQ(table.quoted, quoted);
  EXPECT_EQ(table.key, "a t\"");
  ASSERT_EQ(table.partitions.size(), 1U);
  EXPECT_EQ(table.partitions[0].name, "Jan ( TO )");
  EXPECT_EQ(table.partitions[0].quoted, "\"o\"\"d\".\"Jan ( TO )\"");
}

TEST_F(MaintenanceCatalogTest, SaysWhichPartitionIsBeingDetached) {
  if (db_->Count("SELECT current_setting('server_version_num')::int") < 140000) {
    GTEST_SKIP() << "DETACH CONCURRENTLY came with PostgreSQL 14";
  }
  MakeTable();
  db_->Execute(
      "CREATE TABLE low PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2026-01-01Z')");
  LeavePending("events", "low");
  const PartitionedTable table = ReadTable(*session_, "events");
  ASSERT_EQ(table.partitions.size(), 2U);
  EXPECT_TRUE(table.partitions[0].detach_pending);
  EXPECT_EQ(table.partitions[0].to, At(2026, 1, 1));
  EXPECT_FALSE(table.partitions[1].detach_pending);
  EXPECT_EQ(table.overflow_low(), nullptr) << "no row reaches it any more";

  db_->Execute("ALTER TABLE events DETACH PARTITION low FINALIZE");
  EXPECT_EQ(ReadTable(*session_, "events").partitions.size(), 1U);
}

TEST_F(MaintenanceCatalogTest, EstimatesAreUnknownUntilTheTableIsAnalyzed) {
  MakeTable();
  for (int i = 0; i < 3; ++i) db_->Execute(Insert("events", "2026-01-05Z"));
  const Partition before = ReadTable(*session_, "events").partitions.at(0);
  EXPECT_EQ(before.rows, -1);
  EXPECT_GT(before.bytes, 0);
  db_->Execute("ANALYZE events_old");
  EXPECT_EQ(ReadTable(*session_, "events").partitions.at(0).rows, 3);
}

TEST_F(MaintenanceCatalogTest, BytesIncludeIndexes) {
  MakeTable();
  const std::int64_t before = ReadTable(*session_, "events").partitions.at(0).bytes;
  db_->Execute("CREATE INDEX ON events_old (hash)");
  EXPECT_GT(ReadTable(*session_, "events").partitions.at(0).bytes, before);
}

TEST_F(MaintenanceCatalogTest, RefusesWhatIsNotThere) {
  for (const char* name : {"nothing", "no.such", "a b", "", "\"open", "a.b.c.d", "x.y.z"}) {
    EXPECT_EQ(RefusalOf(name), "SH-0806") << name;
  }
}

TEST_F(MaintenanceCatalogTest, RefusesWhatIsNotPartitionedByTheRangeOfOneTimestamptz) {
  db_->Execute(
      "CREATE TABLE by_list (t timestamptz NOT NULL) PARTITION BY LIST (t); "
      "CREATE TABLE by_two (t timestamptz NOT NULL, n int) PARTITION BY RANGE (t, n); "
      "CREATE TABLE by_expression (t timestamptz NOT NULL) PARTITION BY RANGE ((greatest(t, t))); "
      "CREATE TABLE by_date (t date NOT NULL) PARTITION BY RANGE (t); "
      "CREATE TABLE by_nullable (t timestamptz) PARTITION BY RANGE (t); "
      "CREATE TABLE inherited (LIKE ledger_event); CREATE TABLE heir () INHERITS (inherited); "
      "CREATE VIEW seen AS SELECT * FROM ledger_event; "
      "CREATE TABLE nested (t timestamptz NOT NULL) PARTITION BY RANGE (t); "
      "CREATE TABLE nest PARTITION OF nested FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z') "
      "PARTITION BY RANGE (t); "
      "CREATE TABLE scattered (t timestamptz NOT NULL) PARTITION BY RANGE (t); "
      "CREATE SCHEMA away; CREATE TABLE away.part PARTITION OF scattered FOR VALUES FROM "
      "('2026-01-01Z') TO ('2026-02-01Z')");
  for (const char* name : {"by_list", "by_two", "by_expression", "by_date", "by_nullable",
                           "inherited", "seen", "ledger_event", "nested", "nest", "scattered"}) {
    EXPECT_EQ(RefusalOf(name), "SH-0807") << name;
  }
}

}  // namespace
}  // namespace summa::maintenance
