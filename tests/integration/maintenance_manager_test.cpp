// The partition manager: room ahead of writers, an outage repaired, rows that have no range, and
// who stands in the way.
#include "tests/integration/maintenance_manager_support.hpp"

namespace summa::maintenance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ManagerTest : public PartitionsTest {
 protected:
  std::vector<std::string> RowsOf(const std::string& table) {
    return db_->Column("SELECT id FROM " + table + " ORDER BY id");
  }
};

TEST_F(ManagerTest, CreatesRangesAheadAndOverflowPartitionsOnce) {
  UseReading({0});
  EXPECT_GT(RunManager().items, 0);
  EXPECT_THAT(Attached(), ElementsAre(NameOfMonth(0), NameOfMonth(1), NameOfMonth(2),
                                      "reading_overflow_high", "reading_overflow_low"));
  EXPECT_EQ(RunManager().items, 0);
  EXPECT_EQ(Findings(), "");
}

TEST_F(ManagerTest, NewPartitionsHaveTheCommentOfTheTable) {
  UseReading({0});
  db_->Execute("COMMENT ON TABLE reading IS 'what the meters say'");
  RunManager();
  for (const std::string& name : {NameOfMonth(1), std::string("reading_overflow_high")}) {
    EXPECT_EQ(db_->Value("SELECT obj_description($1::regclass, 'pg_class')", {name}),
              "what the meters say")
        << name;
  }
}

TEST_F(ManagerTest, WritersGoOnWhileTheUpperOverflowPartitionMoves) {
  UseReading({0});
  RunManager();
  std::atomic<bool> stop{false};
  std::atomic<int> written{0}, failed{0};
  std::vector<std::thread> writers;
  for (int i = 0; i < 3; ++i) {
    writers.emplace_back([&] {
      Db db(url_);
      while (!stop) {
        try {
          db.Execute("INSERT INTO reading (at, note) VALUES (now(), 'w')");
          ++written;
        } catch (const test::DbError&) {
          ++failed;
        }
      }
    });
  }
  test::WaitUntil([&] { return written > 10; }, test::kTimeout, "writers");
  for (int ahead = 3; ahead < 8; ++ahead) {
    settings_.tables[0].ranges.ahead = ahead;
    RunManager();
    const int before = written;
    test::WaitUntil([&] { return written > before || failed > 0; }, test::kTimeout, "writers");
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM reading"), written);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM reading_overflow_high"), 0);
}

TEST_F(ManagerTest, RowsOfAnOutageGoIntoRangesWithoutTriggers) {
  UseReading({-4});
  settings_.tables[0].ranges.ahead = 0;
  db_->Execute(
      "CREATE TABLE reading_overflow_high PARTITION OF reading FOR VALUES FROM ("
      "'" +
      db_->Value("SELECT " + MonthStart(-3)) + "') TO (MAXVALUE)");
  for (int month = -3; month <= 0; ++month) AddReadings(month, 20);
  const std::vector<std::string> before = Readings();
  db_->Execute(
      "CREATE TABLE seen (id bigint); CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS "
      "$f$ "
      "BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NEW; END $f$; CREATE TRIGGER see BEFORE "
      "INSERT ON reading FOR EACH ROW EXECUTE FUNCTION see(); ALTER TABLE reading ENABLE ALWAYS "
      "TRIGGER see");
  RunManager();
  EXPECT_EQ(Readings(), before);
  EXPECT_THAT(RowsOf("reading_overflow_high"), IsEmpty());
  EXPECT_EQ(RowsOf(NameOfMonth(-2)).size(), 20u);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM seen"), 0);
  AddReadings(0, 1);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM seen"), 1) << "new partitions have the trigger";
}

TEST_F(ManagerTest, AnOverflowPartitionWithManyRowsBecomesARange) {
  UseReading({-2});
  db_->Execute("CREATE TABLE reading_overflow_high PARTITION OF reading FOR VALUES FROM ('" +
               db_->Value("SELECT " + MonthStart(-1)) + "') TO (MAXVALUE)");
  AddReadings(0, 50);
  const std::vector<std::string> before = Readings();
  const std::string holder = db_->Value("SELECT 'reading_overflow_high'::regclass::oid");
  settings_.drain_rows = 10;
  RunManager();
  EXPECT_EQ(Readings(), before);
  EXPECT_EQ(db_->Column("SELECT DISTINCT tableoid FROM reading"), std::vector{holder});
  EXPECT_THAT(RowsOf("reading_overflow_high"), IsEmpty());
  EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_constraint WHERE conname = "
                       "'summa_host_new_bounds'"),
            0);
  EXPECT_EQ(RunManager().items, 0);
}

// The row came between the look at the overflow partition and the CHECK.
TEST_F(ManagerTest, ACheckOfNewBoundsThatARowBreaksRefusesNoOther) {
  UseReading({0});
  RunManager();
  db_->Execute("INSERT INTO reading (at) VALUES ('2222-02-02T00:00:00Z')");
  {
    Session session(sql_->unleased());
    EXPECT_FALSE(CheckNewBounds(environment(), session, "public.reading_overflow_high",
                                "at < '2222-01-01T00:00:00Z'")
                     .done);
  }
  db_->Execute("INSERT INTO reading (at) VALUES ('2222-02-02T00:00:00Z')");
}

TEST_F(ManagerTest, ARowFarAheadStaysAndIsReported) {
  UseReading({0});
  RunManager();
  db_->Execute("INSERT INTO reading (at) VALUES ('2222-02-02T00:00:00Z')");
  const std::vector<std::string> before = Readings();
  settings_.tables[0].ranges.ahead = 4;
  RunManager();
  EXPECT_EQ(Readings(), before);
  EXPECT_THAT(Findings(), HasSubstr("2222-02-02"));
}

TEST_F(ManagerTest, NamesWhoIsInTheWayAndSucceedsAfterwards) {
  UseReading({0});
  RunManager();
  settings_.tables[0].ranges.ahead = 3;
  settings_.ddl_deadline = std::chrono::milliseconds(300);
  Db other(url_);
  other.Execute("BEGIN; SELECT count(*) FROM reading");
  const std::string error = ErrorOfRun();
  EXPECT_THAT(error, HasSubstr("SH-0839"));
  EXPECT_THAT(error, HasSubstr(std::to_string(other.BackendPid())));
  EXPECT_THAT(Findings(), HasSubstr(std::to_string(other.BackendPid())));
  other.Execute("COMMIT");
  settings_.ddl_deadline = std::chrono::minutes(2);
  EXPECT_EQ(ErrorOfRun(), "");
  EXPECT_EQ(Attached().size(), 6u);
  EXPECT_EQ(Findings(), "");
}

TEST_F(ManagerTest, DropsWhatAnInterruptedRunHasMadeAndNothingElse) {
  UseReading({0});
  db_->Execute("CREATE TABLE reading_mine (LIKE reading)");
  {
    Session session(sql_->unleased());
    const PartitionedTable table = maintenance::ReadTable(session, "reading");
    db_->Execute("CREATE TABLE reading_half (LIKE reading)");
    session.Begin();
    MarkUnattached(session, table, "public.reading_half");
    session.Commit();
  }
  RunManager();
  EXPECT_EQ(db_->Value("SELECT to_regclass('reading_half') IS NULL"), "t");
  EXPECT_EQ(db_->Value("SELECT to_regclass('reading_mine') IS NULL"), "f");
}

TEST_F(ManagerTest, ReportsADefaultPartition) {
  UseReading({0});
  db_->Execute("CREATE TABLE reading_rest PARTITION OF reading DEFAULT");
  ErrorOfRun();
  EXPECT_THAT(Findings(), HasSubstr("DEFAULT"));
}

}  // namespace
}  // namespace summa::maintenance
