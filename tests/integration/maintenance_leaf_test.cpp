#include "partition/leaf.hpp"

#include "tests/integration/maintenance_support.hpp"

namespace summa::maintenance {
namespace {

class MaintenanceLeafTest : public MaintenanceTest {
 protected:
  std::string Create(const std::string& name, DatabaseTime from = At(2026, 2, 1),
                     DatabaseTime to = At(2026, 3, 1), const std::string& table = "events") {
    session_->Begin();
    const std::string leaf = CreateLeaf(*session_, ReadTable(*session_, table), name, from, to);
    session_->Commit();
    return leaf;
  }
  void Attach(const std::string& leaf, DatabaseTime from = At(2026, 2, 1),
              DatabaseTime to = At(2026, 3, 1), const std::string& table = "events") {
    session_->Begin();
    AttachLeaf(*session_, ReadTable(*session_, table), leaf, from, to);
    session_->Commit();
  }
  // How often ATTACH read the leaf. Inside one transaction, as the server counts there.
  std::int64_t ScansOfAttach(const std::string& leaf) {
    const auto scans = [&] {
      return session_
          ->Exec("SELECT pg_stat_get_xact_numscans($1::text::regclass) AS n", {Parameter(leaf)})
          .Value<std::int64_t>();
    };
    session_->Begin();
    const PartitionedTable table = ReadTable(*session_, "events");
    const std::int64_t before = scans();
    AttachLeaf(*session_, table, leaf, At(2026, 2, 1), At(2026, 3, 1));
    const std::int64_t after = scans();
    session_->Rollback();
    return after - before;
  }
  // What a partition consists of, without the names that belong to it alone.
  std::string Describe(const std::string& table) {
    return db_->Value(
        "SELECT jsonb_pretty(jsonb_build_object("
        "'columns', (SELECT jsonb_agg(jsonb_build_array(attname, atttypid::regtype, atttypmod, "
        "  attnotnull, attstorage, coalesce(attstattarget, -1), attoptions, attgenerated, "
        "  col_description(attrelid, attnum), pg_get_expr(d.adbin, d.adrelid), "
        "  (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(attacl) a)) ORDER BY attname) "
        "  FROM pg_attribute LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum "
        "  WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped), "
        "'indexes', (SELECT jsonb_agg(t ORDER BY t) FROM (SELECT "
        "  regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', '') || indisunique || "
        "  indisprimary || indisreplident || EXISTS (SELECT FROM pg_constraint WHERE conindid = "
        "  indexrelid) || EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid) AS t "
        "  FROM pg_index WHERE indrelid = c.oid) i), "
        "'constraints', (SELECT jsonb_agg(pg_get_constraintdef(oid) ORDER BY "
        "  pg_get_constraintdef(oid)) FROM pg_constraint WHERE conrelid = c.oid), "
        "'owner', c.relowner::regrole, "
        "'grants', (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(c.relacl) a), "
        "'options', c.reloptions, "
        "'toast', (SELECT reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid), "
        "'identity', c.relreplident, 'rls', c.relrowsecurity, 'force', c.relforcerowsecurity)) "
        "FROM pg_class c WHERE oid = $1::regclass",
        {table});
  }
  void AddUniqueIndexes(const std::string& leaf) {
    db_->Execute("ALTER TABLE " + leaf + " ADD PRIMARY KEY (id); ALTER TABLE " + leaf +
                 " ADD CONSTRAINT numbers UNIQUE (sequence_number); "
                 "CREATE UNIQUE INDEX versions ON " +
                 leaf + " (aggregate_type, aggregate_id, aggregate_version)");
  }
};

TEST_F(MaintenanceLeafTest, NamesHaveAtMost63BytesAndStayDifferent) {
  EXPECT_EQ(PartitionName("ledger_event", "2026_01"), "ledger_event_2026_01");
  EXPECT_EQ(PartitionName(std::string(55, 'x'), "2026_01"), std::string(55, 'x') + "_2026_01");
  const std::string longer(56, 'x'), longest(63, 'x');
  EXPECT_EQ(PartitionName(longer, "2026_01").size(), 63U);
  EXPECT_EQ(PartitionName(longest, "2026_01"), PartitionName(longest, "2026_01"));
  EXPECT_NE(PartitionName(longest, "2026_01"), PartitionName(longest, "2026_02"));
  // 46 bytes are kept: 15 characters of three bytes, and not a part of the next.
  std::string wide;
  for (int i = 0; i < 21; ++i) wide += "\u20ac";
  const std::string name = PartitionName(wide, "2026_01");
  EXPECT_EQ(name.substr(0, 45), wide.substr(0, 45));
  EXPECT_EQ(name.size(), 45U + 17U);
  EXPECT_EQ(name[45], '_');
}

TEST_F(MaintenanceLeafTest, IsCompleteBeforeItIsAttached) {
  MakeTable();
  db_->Execute(
      "CREATE INDEX ON events (aggregate_type, aggregate_id); "
      "CREATE INDEX ON events (correlation_id); "
      "CREATE TABLE kinds (kind varchar(50) PRIMARY KEY); INSERT INTO kinds VALUES ('account'); "
      "ALTER TABLE events ADD FOREIGN KEY (aggregate_type) REFERENCES kinds; "
      "ALTER TABLE events ADD CHECK (aggregate_version > 0)");
  AddUniqueIndexes("events_old");
  const std::string leaf = Create("feb");
  db_->Execute(Insert(leaf, "2026-02-05Z"));
  EXPECT_EQ(ScansOfAttach(leaf), 0);

  const std::string of_leaf =
      "SELECT string_agg(indexrelid::text, ' ' ORDER BY indexrelid) FROM pg_index WHERE "
      "indrelid = 'feb'::regclass";
  const std::string indexes = db_->Value(of_leaf);
  Attach(leaf);
  EXPECT_EQ(db_->Value(of_leaf), indexes) << "none was built by ATTACH";
  EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_inherits i JOIN pg_index x ON x.indexrelid = "
                       "i.inhrelid WHERE x.indrelid = 'feb'::regclass"),
            2);
  EXPECT_EQ(Describe("feb"), Describe("events_old"));
}

TEST_F(MaintenanceLeafTest, WithoutItsCheckAttachWouldReadIt) {
  MakeTable();
  const std::string leaf = Create("feb");
  EXPECT_EQ(ScansOfAttach(leaf), 0);
  db_->Execute("ALTER TABLE feb DROP CONSTRAINT summa_partition_bounds");
  EXPECT_GT(ScansOfAttach(leaf), 0) << "the proof of the other cases proves nothing";
}

TEST_F(MaintenanceLeafTest, ItsCheckKeepsOtherRowsOutAndGoesWithAttach) {
  MakeTable();
  const std::string leaf = Create("feb");
  for (const char* outside : {"2026-01-31 23:59:59.999999Z", "2026-03-01Z"}) {
    try {
      db_->Execute(Insert(leaf, outside));
      ADD_FAILURE() << outside;
    } catch (const DbError& error) {
      EXPECT_EQ(error.sqlstate, "23514");
    }
  }
  db_->Execute(Insert(leaf, "2026-02-01Z"));
  db_->Execute(Insert(leaf, "2026-02-28 23:59:59.999999Z"));
  Attach(leaf);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_constraint WHERE conrelid = 'feb'::regclass AND "
                       "contype = 'c'"),
            0);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM events"), 2);
}

TEST_F(MaintenanceLeafTest, HasWhatTheNewestPartitionHas) {
  MakeTable();
  db_->Execute(
      "CREATE ROLE keeper; CREATE ROLE app; CREATE ROLE auditor; CREATE ROLE stranger; "
      "GRANT CREATE ON SCHEMA public TO keeper; "
      "COMMENT ON TABLE events IS 'the ''events'''; COMMENT ON COLUMN events.hash IS 'hex'; "
      "COMMENT ON COLUMN events_old.hash IS 'hex'; "
      "ALTER TABLE events ALTER COLUMN event_data SET STORAGE external; "
      "CREATE TABLE jan PARTITION OF events FOR VALUES FROM ('2026-03-01Z') TO ('2026-04-01Z') "
      "WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, toast.autovacuum_enabled = "
      "false); "
      "COMMENT ON COLUMN jan.hash IS 'hex'");
  AddUniqueIndexes("jan");
  db_->Execute(
      "CREATE UNIQUE INDEX \"odd ON x USING y\" ON jan (sequence_number, (id::text)) INCLUDE "
      "(hash) "
      "WHERE hash <> ' USING '; "
      "CREATE UNIQUE INDEX identities ON jan (id, sequence_number); "
      "ALTER TABLE jan REPLICA IDENTITY USING INDEX identities; "
      "ALTER TABLE jan ALTER COLUMN hash SET STATISTICS 500; "
      "ALTER TABLE jan ALTER COLUMN hash SET (n_distinct = -1); "
      "ALTER TABLE jan ENABLE ROW LEVEL SECURITY; ALTER TABLE jan FORCE ROW LEVEL SECURITY; "
      "GRANT SELECT ON jan TO app; GRANT INSERT ON jan TO app WITH GRANT OPTION; "
      "GRANT UPDATE (hash, prev_hash) ON jan TO auditor; GRANT SELECT ON jan TO PUBLIC; "
      "ALTER TABLE jan OWNER TO keeper; REVOKE DELETE, TRUNCATE ON jan FROM keeper; "
      "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO stranger");
  const std::string leaf = Create("feb");
  EXPECT_EQ(db_->Value("SELECT obj_description('feb'::regclass, 'pg_class')"), "the 'events'");
  EXPECT_EQ(db_->Value("SELECT has_table_privilege('stranger', 'feb', 'INSERT')"), "f");
  Attach(leaf);
  EXPECT_EQ(Describe("feb"), Describe("jan"));
  db_->Execute(
      "ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM stranger; DROP TABLE events; "
      "REVOKE CREATE ON SCHEMA public FROM keeper; DROP ROLE keeper, app, auditor, stranger");
}

TEST_F(MaintenanceLeafTest, UniqueIndexesComeFromTheNewestPartitionThatHasThem) {
  MakeTable();
  AddUniqueIndexes("events_old");
  db_->Execute(
      "CREATE TABLE march PARTITION OF events FOR VALUES FROM ('2026-03-01Z') TO ('2026-04-01Z'); "
      "CREATE TABLE high PARTITION OF events FOR VALUES FROM ('2026-04-01Z') TO (MAXVALUE); "
      "CREATE UNIQUE INDEX ON high (hash)");
  Attach(Create("feb"));
  EXPECT_EQ(Describe("feb"), Describe("events_old"));
}

TEST_F(MaintenanceLeafTest, IsMadeFromTheParentWhenThereIsNoPartition) {
  db_->Execute(
      "CREATE ROLE reader; "
      "CREATE TABLE events (LIKE ledger_event INCLUDING DEFAULTS) PARTITION BY RANGE (created_at); "
      "CREATE INDEX ON events (correlation_id); GRANT SELECT ON events TO reader");
  Attach(Create("feb"));
  EXPECT_EQ(db_->Value("SELECT has_table_privilege('reader', 'feb', 'SELECT')"), "t");
  EXPECT_EQ(db_->Value("SELECT has_table_privilege('reader', 'feb', 'INSERT')"), "f");
  db_->Execute("DROP TABLE events; DROP ROLE reader");
}

TEST_F(MaintenanceLeafTest, ThePlansTableGetsItsPartition) {
  MakeTable("plan.events", "plan.ledger_event");
  db_->Execute(
      "CREATE INDEX ON plan.events (correlation_id); "
      "ALTER TABLE plan.events_old ADD PRIMARY KEY (id)");
  const std::string leaf = Create("feb", At(2026, 2, 1), At(2026, 3, 1), "plan.events");
  EXPECT_EQ(leaf, "plan.feb");
  Attach(leaf, At(2026, 2, 1), At(2026, 3, 1), "plan.events");
  EXPECT_EQ(Describe("plan.feb"), Describe("plan.events_old"));
}

TEST_F(MaintenanceLeafTest, AllPartitionsDrawFromOneSequence) {
  db_->Execute(
      "CREATE TABLE events (LIKE ledger_event INCLUDING DEFAULTS, n bigint GENERATED BY DEFAULT AS "
      "IDENTITY) PARTITION BY RANGE (created_at); "
      "CREATE TABLE jan PARTITION OF events FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z')");
  const long long sequences = db_->Count("SELECT count(*) FROM pg_class WHERE relkind = 'S'");
  Attach(Create("feb"));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_class WHERE relkind = 'S'"), sequences);
  db_->Execute(Insert("events", "2026-01-05Z"));
  db_->Execute(Insert("events", "2026-02-05Z"));
  db_->Execute(Insert("events", "2026-01-06Z"));
  EXPECT_EQ(
      db_->Value("SELECT string_agg(sequence_number || '/' || n, ' ' ORDER BY n) FROM events"),
      "1/1 2/2 3/3");
}

TEST_F(MaintenanceLeafTest, TriggersOfTheParentComeWithAttachAndGoWithDetach) {
  MakeTable();
  db_->Execute(
      "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; "
      "CREATE TRIGGER guard BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION pass(); "
      "ALTER TABLE events ENABLE ALWAYS TRIGGER guard");
  const std::string triggers =
      "SELECT coalesce(string_agg(tgname || ' ' || tgenabled::text, ','), '') FROM pg_trigger "
      "WHERE "
      "tgrelid = 'feb'::regclass";
  const std::string leaf = Create("feb");
  EXPECT_EQ(db_->Value(triggers), "");
  Attach(leaf);
  EXPECT_EQ(db_->Value(triggers), "guard A");
  session_->Begin();
  DetachLeaf(*session_, ReadTable(*session_, "events"), leaf);
  session_->Commit();
  EXPECT_EQ(db_->Value(triggers), "");
}

TEST_F(MaintenanceLeafTest, AttachesBesideAWriterAndAnOldReader) {
  MakeTable();
  Db writer(settings_.url), reader(settings_.url);
  writer.Execute("BEGIN; " + Insert("events", "2026-01-05Z"));
  reader.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ");
  reader.Query("SELECT count(*) FROM events");
  const std::string leaf = Create("feb");
  // Neither has ended: had ATTACH to wait for one of them, this would be 55P03.
  session_->Begin();
  session_->Exec("SET LOCAL lock_timeout = '100ms'");
  AttachLeaf(*session_, ReadTable(*session_, "events"), leaf, At(2026, 2, 1), At(2026, 3, 1));
  session_->Commit();
  writer.Execute(Insert("events", "2026-02-05Z"));
  writer.Execute("COMMIT");
  reader.Execute(Insert("events", "2026-02-06Z"));
  reader.Execute("COMMIT");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM feb"), 2);
}

TEST_F(MaintenanceLeafTest, OverflowPartitionsHaveOneOpenEndAndMove) {
  MakeTable();
  const std::string low = Create("low", DatabaseTime::min(), At(2026, 1, 1));
  Attach(low, DatabaseTime::min(), At(2026, 1, 1));
  const std::string high = Create("high", At(2026, 2, 1), DatabaseTime::max());
  Attach(high, At(2026, 2, 1), DatabaseTime::max());
  db_->Execute(Insert("events", "infinity"));
  db_->Execute(Insert("events", "-infinity"));
  PartitionedTable table = ReadTable(*session_, "events");
  ASSERT_NE(table.overflow_low(), nullptr);
  ASSERT_NE(table.overflow_high(), nullptr);
  EXPECT_EQ(table.overflow_low()->quoted, low);
  EXPECT_EQ(table.overflow_high()->quoted, high);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM high"), 1);

  const std::string leaf = Create("feb");
  session_->Begin();
  DetachLeaf(*session_, table, high);
  AttachLeaf(*session_, table, leaf, At(2026, 2, 1), At(2026, 3, 1));
  AttachLeaf(*session_, table, high, At(2026, 3, 1), DatabaseTime::max());
  session_->Commit();
  table = ReadTable(*session_, "events");
  EXPECT_EQ(table.covered(), (Range{At(2026, 1, 1), At(2026, 3, 1)}));
  EXPECT_EQ(table.overflow_high()->from, At(2026, 3, 1));
}

TEST_F(MaintenanceLeafTest, OddNamesAreQuoted) {
  const std::string quoted = "\"o\"\"d\".\"" + std::string(61, 'x') + "\"\"'\"";
  db_->Execute("CREATE SCHEMA \"o\"\"d\"; CREATE TABLE " + quoted +
               " (\"a t\"\"\" timestamptz NOT NULL, n int) PARTITION BY RANGE (\"a t\"\"\"); "
               "CREATE INDEX ON " +
               quoted + " (n); CREATE TABLE \"o\"\"d\".\"Old'\" PARTITION OF " + quoted +
               " FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z'); "
               "CREATE UNIQUE INDEX \"u\"\"'\" ON \"o\"\"d\".\"Old'\" (n)");
  const PartitionedTable table = ReadTable(*session_, quoted);
  const std::string leaf =
      Create(PartitionName(table.name, "2026_02"), At(2026, 2, 1), At(2026, 3, 1), quoted);
  Attach(leaf, At(2026, 2, 1), At(2026, 3, 1), quoted);
  EXPECT_EQ(ReadTable(*session_, quoted).partitions.at(1).quoted, leaf);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_index WHERE indrelid = $1::regclass", {leaf}), 2);
}

}  // namespace
}  // namespace summa::maintenance
