// The migration of ledger_event to partitions against a real PostgreSQL: nothing is lost on any way
// through it, and a copy that differs in anything is never put into place.
#include "tests/integration/maintenance_migration_support.hpp"

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <summa/operation.hpp>
#include <summa/testkit/fake_host.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "migration/exchange.hpp"
#include "migration/migration.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/integration/plugin_steps.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::maintenance {
namespace {

TEST_F(MigrationTest, StopsWithAnEqualCopyUntilItIsToldToExchange) {
  const std::string before = Rows("ledger_event");
  Start();
  Run();
  EXPECT_EQ(State(), "ready");
  EXPECT_FALSE(IsPartitioned());
  EXPECT_EQ(Rows("ledger_event"), before);
  EXPECT_EQ(Rows("ledger_event_new"), before);
  Append();
  EXPECT_EQ(Rows("ledger_event_new"), Rows("ledger_event")) << "an insert is mirrored";
}

TEST_F(MigrationTest, ExchangesTheTablesAndMirrorsTheOtherWayRound) {
  db_->Execute(
      "CREATE VIEW recent AS SELECT id, hash FROM ledger_event; CREATE ROLE reader; GRANT SELECT "
      "ON ledger_event TO reader; GRANT UPDATE (hash) ON ledger_event TO reader; COMMENT ON TABLE "
      "ledger_event IS 'it''s all here'");
  const std::string before = Rows("ledger_event");
  Start(true);
  Run();
  EXPECT_EQ(State(), "swapped");
  ASSERT_TRUE(IsPartitioned());
  EXPECT_EQ(Rows("ledger_event"), before);
  Append();
  EXPECT_EQ(Rows("ledger_event_old"), Rows("ledger_event"));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM recent"),
            db_->Count("SELECT count(*) FROM ledger_event"));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_depend WHERE classid = 'pg_rewrite'::regclass AND "
                       "refobjid = 'ledger_event_old'::regclass"),
            0)
      << "no view reads the old table";
  EXPECT_EQ(db_->Value("SELECT has_table_privilege('reader', 'ledger_event', 'SELECT') AND "
                       "has_column_privilege('reader', 'ledger_event', 'hash', 'UPDATE')"),
            "t");
  EXPECT_EQ(db_->Value("SELECT obj_description('ledger_event'::regclass)"), "it's all here");
  EXPECT_EQ(db_->Value("SELECT pg_get_serial_sequence('ledger_event', 'sequence_number')"),
            "public.ledger_event_sequence_number_seq");
  EXPECT_EQ(db_->Value("SELECT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' "
                       "AND conrelid = 'outbox'::regclass AND convalidated"),
            "summa_host.ledger_event_key");
  ExpectGuardedPartitions();
  db_->Execute("DROP OWNED BY reader; DROP ROLE reader");
}

TEST_F(MigrationTest, GoesBackWithoutLosingAnEvent) {
  Start(true);
  Run();
  Append();
  const std::string rows = Rows("ledger_event");
  Request("rollback");
  Run();
  EXPECT_EQ(State(), "rolled_back");
  EXPECT_FALSE(IsPartitioned());
  EXPECT_EQ(Rows("ledger_event"), rows);
  EXPECT_FALSE(Exists("ledger_event_new"));
  ExpectNoTriggerOfOurs();
  EXPECT_TRUE(Exists("ledger_event_pkey")) << "the indexes have their names again";
  EXPECT_EQ(db_->Value("SELECT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' "
                       "AND conrelid = 'outbox'::regclass AND convalidated"),
            "ledger_event");
  Append();
}

TEST_F(MigrationTest, FinalizingRemovesTheFlatTable) {
  Start(true);
  Run();
  Request("finalize");
  Run();
  EXPECT_EQ(State(), "finalized");
  EXPECT_FALSE(Exists("ledger_event_old"));
  Append();
  EXPECT_EQ(db_->Value("SELECT state FROM summa_host.operation"), "done");
}

TEST_F(MigrationTest, AnAbortLeavesTheTableAsItWas) {
  Start();
  Run();
  Append();
  const std::string rows = Rows("ledger_event");
  Request("abort");
  Run();
  EXPECT_EQ(State(), "aborted");
  EXPECT_EQ(Rows("ledger_event"), rows);
  EXPECT_FALSE(Exists("ledger_event_new"));
  ExpectNoTriggerOfOurs();
  Append();
}

TEST_F(MigrationTest, AnAbortOfTheJournalTakesEverythingBack) {
  Start();
  RunUntil("indexing");
  host::Operations(settings_).Abort(id_, "anna");
  Run();
  EXPECT_EQ(State(), "aborted");
  EXPECT_FALSE(Exists("ledger_event_new"));
}

// Its mirror is gone, or its bound, and another host comes to it with another clock.
TEST_F(MigrationTest, AnAbortThatHasBegunIsFinished) {
  Start(false, "attach");
  Run();
  ASSERT_EQ(State(), "ready");
  Db reader(settings_.url);
  reader.Execute("BEGIN");
  reader.Query("SELECT count(*) FROM ledger_event_new");  // it cannot be dropped yet
  db_->Execute("UPDATE summa_host.migration SET bound = now() + interval '1 minute'");
  bool waited = false;
  Run([&] {
    if (waited) return;
    waited = true;
    ExpectNoTriggerOfOurs();
    db_->Execute("UPDATE summa_host.migration SET bound = now() + interval '40 days'");
    reader.Execute("COMMIT");
  });
  EXPECT_TRUE(waited);
  EXPECT_EQ(State(), "aborted");
  EXPECT_FALSE(Exists("ledger_event_new"));
  Append();
}

// What the server still does for a host that has died, or was too late.
class LateIndexTest : public MigrationTest {
 protected:
  // The first index of the copy that the migration makes.
  LateIndexTest() {
    Start();
    RunUntil("indexing");
    leaf_ = db_->Value(
        "SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = "
        "'ledger_event_new'::regclass");
    index_ = leaf_ + "_ledger_event_pkey";
  }
  std::string IndexOid() { return db_->Value("SELECT to_regclass($1)::oid", {index_}); }
  // In a statement like `statement`.
  bool WaitForLocks(const std::string& statement, int sessions) {
    Db look(settings_.url);
    return test::BecomesTrue([&] {
      return look.Count(
                 "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                 "AND query LIKE $1 AND wait_event_type = 'Lock'",
                 {statement}) == sessions;
    });
  }
  // Runs the migration while `beside` runs, which returns whether it saw what it waited for. The migration must
  // not refuse meanwhile.
  void RunBeside(const std::function<bool()>& beside) {
    std::future<bool> seen = std::async(std::launch::async, beside);
    EXPECT_EQ(Refusal(), "");
    EXPECT_TRUE(seen.get()) << "the migration did not come to the statement in question";
    EXPECT_EQ(State(), "ready");
  }

  std::string leaf_, index_;
};

TEST_F(LateIndexTest, IsUsedWhenItIsDone) {
  Db writer(settings_.url);
  writer.Execute("BEGIN; LOCK TABLE " + leaf_ + " IN ROW EXCLUSIVE MODE");
  std::thread builder([this] {
    Db db(settings_.url);
    db.Execute("CREATE UNIQUE INDEX CONCURRENTLY " + index_ + " ON " + leaf_ + " (id)");
  });
  EXPECT_TRUE(test::BecomesTrue([&] {
    return db_->Count(
               "SELECT count(*) FROM pg_stat_progress_create_index WHERE index_relid = "
               "to_regclass($1)::oid",
               {index_}) == 1;
  }));
  const std::string oid = IndexOid();
  // The migration waits, or wants to drop what is built.
  std::atomic<bool> waited{false};
  std::string waiting_for;
  std::future<bool> ended = std::async(std::launch::async, [&] {
    Db look(settings_.url);
    const bool seen = test::BecomesTrue([&] {
      return waited || look.Count(
                           "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DROP "
                           "INDEX%' AND wait_event_type = 'Lock'") > 0;
    });
    writer.Execute("COMMIT");
    return seen;
  });
  Run([&] {
    if (waited.exchange(true)) return;
    waiting_for = db_->Value("SELECT waiting_for FROM summa_host.migration");
    builder.join();
  });
  EXPECT_TRUE(ended.get());
  if (builder.joinable()) builder.join();
  EXPECT_THAT(waiting_for, testing::HasSubstr("builds the index " + index_));
  EXPECT_EQ(State(), "ready");
  EXPECT_EQ(IndexOid(), oid) << "it was dropped and built again";
}

TEST_F(LateIndexTest, IsNotMadeTwice) {
  Db other(settings_.url);
  other.Execute("BEGIN; CREATE UNIQUE INDEX " + index_ + " ON " + leaf_ + " (id)");
  const std::string oid = other.Value("SELECT to_regclass($1)::oid", {index_});
  RunBeside([&] {
    // Another one, of another partition, may wait for this one.
    const bool seen = WaitForLocks("CREATE%INDEX CONCURRENTLY%" + index_ + "%", 1);
    other.Execute("COMMIT");
    return seen;
  });
  EXPECT_EQ(IndexOid(), oid) << "it was built again";
}

// Both drop what a third has not finished; the late one is first.
TEST_F(LateIndexTest, IsNotDroppedTwice) {
  db_->Execute("CREATE UNIQUE INDEX " + index_ + " ON " + leaf_ +
               " (id); UPDATE pg_index SET indisvalid = false WHERE indexrelid = '" + index_ +
               "'::regclass");
  const std::string oid = IndexOid();
  Db writer(settings_.url);
  writer.Execute("BEGIN; LOCK TABLE " + leaf_ + " IN ROW EXCLUSIVE MODE");
  std::thread late([this] {
    Db db(settings_.url);
    db.Execute("DROP INDEX CONCURRENTLY " + index_);
  });
  EXPECT_TRUE(WaitForLocks("DROP INDEX CONCURRENTLY%", 1));
  RunBeside([&] {
    const bool seen = WaitForLocks("DROP INDEX CONCURRENTLY%", 2);
    writer.Execute("COMMIT");
    return seen;
  });
  late.join();
  EXPECT_NE(IndexOid(), oid);
}

TEST_F(LateIndexTest, IsNamedWhenItIsOfAnotherTable) {
  db_->Execute("CREATE TABLE other (id int); CREATE INDEX " + index_ + " ON other (id)");
  EXPECT_THAT(Refusal(), testing::HasSubstr("SH-0822"));
  EXPECT_EQ(State(), "indexing");
}

class StrategyTest : public MigrationTest, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Strategies, StrategyTest, testing::Values("online", "attach"),
                         [](const auto& tested) { return std::string(tested.param); });

// With either strategy heads and keys of the guard are made from the rows as they are now.
TEST_P(StrategyTest, RefusesChangesOfEvents) {
  Start(false, GetParam());
  RunUntil(GetParam() == std::string("attach") ? "indexing" : "backfilling");
  for (const char* change : {"UPDATE ledger_event SET event_type = 'x'", "DELETE FROM ledger_event",
                             "TRUNCATE ledger_event CASCADE"}) {
    EXPECT_EQ(SqlStateOf(change), "55000") << change;
  }
}

TEST_F(MigrationTest, NobodyChangesTheCopyAlone) {
  Start();
  Run();
  for (const char* change : {"UPDATE ledger_event_new SET event_type = 'x'",
                             "DELETE FROM ledger_event_new", "TRUNCATE ledger_event_new"}) {
    EXPECT_EQ(SqlStateOf(change), "55000") << change;
  }
}

TEST_F(MigrationTest, NamesWhatItHasNoRuleFor) {
  db_->Execute(
      "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; "
      "CREATE TRIGGER audit_events AFTER INSERT ON ledger_event FOR EACH ROW EXECUTE FUNCTION "
      "audit(); CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM ledger_event");
  Start();
  const std::string refusal = Refusal();
  EXPECT_THAT(refusal, testing::HasSubstr("SH-0826"));
  EXPECT_THAT(refusal, testing::HasSubstr("trigger audit_events"));
  EXPECT_THAT(refusal, testing::HasSubstr("materialized view public.summary"));
  EXPECT_FALSE(Exists("ledger_event_new"));
}

TEST_F(MigrationTest, DoesNotExchangeATableThatWasChangedMeanwhile) {
  Start();
  Run();
  db_->Execute("CREATE INDEX later ON ledger_event (event_type)");
  Request("swap");
  EXPECT_THAT(Refusal(), testing::HasSubstr("SH-0823"));
  EXPECT_EQ(State(), "ready");
  EXPECT_FALSE(IsPartitioned());
}

// A snapshot from before the end of the copy would read an empty table, without an error.
TEST_F(MigrationTest, WaitsForSnapshotsThatAreOlderThanTheCopy) {
  Start();
  Run();
  ASSERT_EQ(State(), "ready");
  Db reader(settings_.url);
  reader.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
  reader.Query("SELECT count(*) FROM summa_host.operation");
  // As if the copy had ended only now.
  db_->Execute("UPDATE summa_host.migration SET backfill_xid = pg_current_xact_id()::text");
  Request("swap");
  int waits = 0;
  Run([&] {
    EXPECT_TRUE(waits >= 3 || State() == "ready");
    if (++waits == 3) reader.Execute("COMMIT");
  });
  EXPECT_GE(waits, 3);
  EXPECT_EQ(State(), "swapped");
}

// Also while the events are sealed that have come meanwhile.
TEST_F(MigrationTest, SaysWhoIsInTheWayUntilTheyAreGone) {
  Start();
  Run();
  ASSERT_EQ(State(), "ready");
  Request("swap");
  Db reader(settings_.url);
  reader.Execute("BEGIN; SELECT count(*) FROM ledger_event");
  const std::string name = "process " + std::to_string(reader.BackendPid());
  bool open = true;
  int waits = 0, steps = 0;
  const auto waiting_for = [&] {
    return db_->Value("SELECT waiting_for FROM summa_host.migration");
  };
  const auto look = [&] {
    if (!open || waits == 0) return true;
    ++steps;
    EXPECT_THAT(waiting_for(), testing::HasSubstr(name));
    return true;
  };
  RunWhile(look, [&] {
    if (waiting_for().empty()) return;  // it tries to get the lock
    if (++waits == 1) {
      // More than an exchange begins with.
      db_->Execute(
          "INSERT INTO ledger_event (aggregate_type, aggregate_id, aggregate_version, event_type, "
          "event_data, correlation_id, hash) SELECT 'account', gen_random_uuid(), 1, 'x', '{}', "
          "gen_random_uuid(), 'h' FROM generate_series(1, 540)");
    } else if (open && steps >= 10) {
      open = false;
      reader.Execute("COMMIT");
    }
  });
  EXPECT_FALSE(open);
  EXPECT_EQ(State(), "swapped");
}

// A role without pg_read_all_stats is not told what kind of process another role's is.
TEST_F(MigrationTest, ARoleWithoutRightsSeesOlderSnapshotsOfOthers) {
  db_->Execute("CREATE ROLE plain");
  Db reader(settings_.url);
  reader.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
  reader.Query("SELECT 1");
  const std::string end_of_copy = db_->Value("SELECT pg_current_xact_id()::text");
  {
    Session session(sql());
    session.Begin();
    session.Exec("SET LOCAL ROLE plain");
    EXPECT_THAT(OlderSnapshots(session, end_of_copy), testing::Not(testing::IsEmpty()));
    session.Rollback();
  }
  db_->Execute("DROP ROLE plain");
}

TEST_F(MigrationTest, DoesNotForgetAnAbortThatComesWhileTheExchangeWaits) {
  Start();
  Run();
  ASSERT_EQ(State(), "ready");
  Request("swap");
  Db reader(settings_.url);
  reader.Execute("BEGIN");
  reader.Query("SELECT count(*) FROM ledger_event");
  bool asked = false;
  try {
    Run([&] {
      if (std::exchange(asked, true)) return;
      Request("abort");
      reader.Execute("COMMIT");
    });
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0828") << error.what();
  }
  EXPECT_FALSE(IsPartitioned());
  Run();
  EXPECT_EQ(State(), "aborted");
}

TEST_F(MigrationTest, AttachesTheFlatTableAsItsOldestPartition) {
  const std::string before = Rows("ledger_event");
  Start(true, "attach");
  Run();
  EXPECT_EQ(State(), "swapped");
  ASSERT_TRUE(IsPartitioned());
  EXPECT_EQ(Rows("ledger_event"), before);
  EXPECT_EQ(Rows("ledger_event_old"), before) << "no row was copied";
  Append();
  EXPECT_EQ(db_->Count("SELECT count(*) FROM ledger_event"),
            db_->Count("SELECT count(*) FROM summa_host.ledger_event_key"));
  Request("rollback");
  Run();
  EXPECT_EQ(State(), "rolled_back");
  EXPECT_FALSE(IsPartitioned());
  EXPECT_FALSE(Exists("ledger_event_new"));
  Append();
}

TEST_F(MigrationTest, DoesNotDetachTheFlatTableOnceTheNewPartitionsHaveEvents) {
  Start(true, "attach");
  Run();
  db_->Execute(
      "ALTER TABLE ledger_event DISABLE TRIGGER ALL; INSERT INTO ledger_event (aggregate_type, "
      "aggregate_id, aggregate_version, event_type, event_data, correlation_id, hash, created_at) "
      "VALUES ('account', gen_random_uuid(), 1, 'x', '{}', gen_random_uuid(), 'h', now() + "
      "interval '70 days')");
  Request("rollback");
  EXPECT_THAT(Refusal(), testing::HasSubstr("SH-0856"));
  EXPECT_EQ(State(), "swapped");
}

TEST_F(MigrationTest, DoesNotBeginWhatWouldMakeTooManySlices) {
  Start(true, "attach", "hourly");
  EXPECT_THAT(Refusal(), testing::HasSubstr("SH-0827"));
  EXPECT_FALSE(Exists("ledger_event_new"));
}

struct Mutant {
  std::string name, change;
};

class MutantTest : public MigrationTest, public testing::WithParamInterface<Mutant> {};

TEST_P(MutantTest, IsFound) {
  db_->Execute("UPDATE ledger_event SET event_data = event_data || '{\"amount\": 1.0}'");
  Start(true);
  RunUntil("verifying");
  const std::string rows = Rows("ledger_event");
  db_->Execute("ALTER TABLE ledger_event_new DISABLE TRIGGER USER");
  db_->Execute(GetParam().change);
  EXPECT_THAT(Refusal(), testing::HasSubstr("SH-0824"));
  EXPECT_THAT(Refusal(), testing::HasSubstr("SH-0824")) << "also when it is tried again";
  EXPECT_FALSE(IsPartitioned());
  EXPECT_EQ(Rows("ledger_event"), rows);
}

constexpr const char* kWrongLeaf = R"sql(
CREATE TEMP TABLE bound AS
  SELECT c.oid::regclass::text AS leaf, pg_get_expr(c.relpartbound, c.oid) AS bounds,
         pg_get_partition_constraintdef(c.oid) AS condition
  FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
  WHERE h.inhparent = 'ledger_event_new'::regclass AND c.relname LIKE '%overflow_high';
DO $$ DECLARE b bound; moved ledger_event_new; BEGIN
  SELECT * INTO b FROM bound;
  EXECUTE format('ALTER TABLE ledger_event_new DETACH PARTITION %s', b.leaf);
  SELECT * INTO moved FROM ledger_event_new ORDER BY sequence_number LIMIT 1;
  DELETE FROM ledger_event_new WHERE id = moved.id;
  EXECUTE format('INSERT INTO %s SELECT ($1).*', b.leaf) USING moved;
  EXECUTE format('ALTER TABLE %s ADD CONSTRAINT hidden CHECK (%s) NOT VALID', b.leaf, b.condition);
  UPDATE pg_constraint SET convalidated = true WHERE conname = 'hidden';
END $$;
DO $$ DECLARE b bound; BEGIN
  SELECT * INTO b FROM bound;
  EXECUTE format('ALTER TABLE ledger_event_new ATTACH PARTITION %s %s', b.leaf, b.bounds);
END $$)sql";

INSTANTIATE_TEST_SUITE_P(
    Copy, MutantTest,
    testing::Values(
        Mutant{"OneMicrosecond",
               "UPDATE ledger_event_new SET created_at = created_at + interval '1 microsecond' "
               "WHERE sequence_number = 9"},
        Mutant{"OneDigitOfANumber",
               "UPDATE ledger_event_new SET event_data = jsonb_set(event_data, '{amount}', "
               "'1.00') WHERE sequence_number = 9"},
        Mutant{"EmptyForNull",
               "UPDATE ledger_event_new SET prev_hash = '' WHERE sequence_number = (SELECT "
               "min(sequence_number) FROM ledger_event_new WHERE prev_hash IS NULL)"},
        Mutant{"TwoRowsSwapped",
               "UPDATE ledger_event_new a SET event_data = b.event_data, hash = b.hash FROM "
               "ledger_event_new b WHERE (a.sequence_number, b.sequence_number) IN ((9, 10), (10, "
               "9))"},
        Mutant{"OneDropped", "DELETE FROM ledger_event_new WHERE sequence_number = 9"},
        Mutant{"OneDoubled",
               "CREATE TEMP TABLE twice AS SELECT * FROM ledger_event_new WHERE sequence_number = "
               "9; UPDATE twice SET sequence_number = 10, id = gen_random_uuid(), aggregate_id = "
               "gen_random_uuid(), created_at = created_at - interval '40 days'; INSERT INTO "
               "ledger_event_new SELECT * FROM twice"},
        Mutant{"InTheWrongPartition", kWrongLeaf}),
    [](const testing::TestParamInfo<Mutant>& tested) { return tested.param.name; });

}  // namespace
}  // namespace summa::maintenance
