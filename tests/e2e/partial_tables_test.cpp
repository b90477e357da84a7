// A part of the ledger is never taken for the whole, whatever hides the rest: policies, views,
// missing rights, lost partitions, another schema, or what nobody knows.
#include <thread>

#include "tests/e2e/restricted_role.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kLedgerTables[] = {"ledger_event",          "outbox",
                                         "worker_lease",          "transaction_record",
                                         "entry_record",          "account_balance",
                                         "system_account",        "hot_account_entry",
                                         "block_checkpoint",      "dead_letter_queue",
                                         "reconciliation_result", "reconciliation_watermark"};

class PartialTables : public RestrictedRole {
 protected:
  void SetUp() override { Install(); }
  void EnableOnAll() {
    for (const char* table : kLedgerTables) Enable(table);
  }
  void Enable(const std::string& table) {
    db_->Execute("ALTER TABLE " + table + " ENABLE ROW LEVEL SECURITY");
  }
  // Puts something else in the place of a table; :old is the table.
  void Replace(const std::string& table, const std::string& by) {
    db_->Execute("ALTER TABLE " + table + " RENAME TO " + table + "_old; CREATE " + by + " " +
                 table + " AS SELECT * FROM " + table + "_old; GRANT ALL ON " + table + ", " +
                 table + "_old TO background");
  }
  void ExpectNothingDone(long long pending) {
    EXPECT_EQ(Pending(), pending) << "nothing was marked";
    EXPECT_EQ(Streams(), 0U) << "nothing was sent";
    EXPECT_EQ(db_->Count("SELECT count(*) FROM reconciliation_result"), 0);
  }
  std::string Doctor() {
    const RunResult run = Run({"doctor"});
    EXPECT_EQ(run.exit_code, 1) << run.err;
    return run.out;
  }
};

TEST_F(PartialTables, WithoutPolicyEveryVerbAndWorkerRefuses) {
  const long long pending = Pending();
  ASSERT_GT(pending, 0);
  EnableOnAll();
  ExpectRefused({"run", "--once", "--wait", "100ms"}, "SH-0430", 77);
  ExpectRefused({"verify:all", "--full"}, "SH-0430", 77);
  ExpectRefused({"verify:status"}, "SH-0430", 77);
  ExpectRefused({"reconcile"}, "SH-0430", 77);
  ExpectRefused({"outbox", "status"}, "SH-0430", 77);
  ExpectRefused({"dlq", "list"}, "SH-0430", 77);
  ExpectNothingDone(pending);
  const std::string doctor = Doctor();
  for (const char* table : kLedgerTables) {
    EXPECT_THAT(doctor, HasSubstr("hides rows of public." + std::string(table) +
                                  " from role background (no policy: all of them)"));
  }
  EXPECT_THAT(doctor, HasSubstr("ALTER ROLE background BYPASSRLS"));
  db_->Execute("ALTER ROLE background BYPASSRLS");
  EXPECT_EQ(Run({"run", "--once"}).exit_code, 0);
  EXPECT_EQ(Pending(), 0);
  EXPECT_EQ(Run({"verify:all", "--full"}).exit_code, 0);
  db_->Execute("ALTER ROLE background NOBYPASSRLS");
}

TEST_F(PartialTables, APolicyOnOneTopicDeliversNothing) {
  const long long pending = Pending();
  Enable("outbox");
  db_->Execute("CREATE POLICY one_topic ON outbox USING (topic = 'ledger-account-created')");
  ExpectRefused({"run", "--once", "--wait", "100ms", "--only", "outbox-processor"}, "SH-0430", 77);
  ExpectRefused({"outbox", "status"}, "SH-0430", 77);
  ExpectNothingDone(pending);
  EXPECT_THAT(Doctor(), HasSubstr("(policies: one_topic)"));
}

// Seen through a filter, what the other tables say would look tampered with.
TEST_F(PartialTables, FourFilteredTablesMakeNoFindingAndTheOutboxGoesOn) {
  for (const char* table :
       {"entry_record", "account_balance", "hot_account_entry", "system_account"}) {
    Enable(table);
  }
  for (const auto& verb : {std::vector<std::string>{"reconcile"}, {"verify:all"}}) {
    const RunResult run = Run(verb);
    EXPECT_EQ(run.exit_code, 77) << run.out << run.err;
    EXPECT_THAT(run.out, Not(HasSubstr("step1_user")));
  }
  EXPECT_EQ(db_->Count("SELECT count(*) FROM reconciliation_result"), 0);
  EXPECT_EQ(Run({"run", "--once", "--only", "outbox-processor"}).exit_code, 0);
  EXPECT_EQ(Pending(), 0);
}

TEST_F(PartialTables, AnOwnerIsFilteredWhenForced) {
  db_->Execute("GRANT ALL ON SCHEMA public TO background; ALTER TABLE outbox OWNER TO background");
  Enable("outbox");
  EXPECT_EQ(Run({"outbox", "status"}).exit_code, 0) << "an owner sees everything";
  db_->Execute("ALTER TABLE outbox FORCE ROW LEVEL SECURITY");
  ExpectRefused({"outbox", "status"}, "SH-0430", 77);
  EXPECT_THAT(Doctor(), HasSubstr("NO FORCE ROW LEVEL SECURITY"));
}

TEST_F(PartialTables, APolicyUnderLoadStopsTheHostsWorkAndItGoesOnAfterwards) {
  const TemporaryFile file("summa.yaml", Configuration());
  RunningHost host({"-c", file.Path()});
  host.StatusWhen("running");
  TrafficGenerator traffic(url_, {.connections = 2, .accounts = 5, .rate = 50});
  traffic.Start();
  WaitUntil([&] { return Streams() > 0; }, kTimeout, "messages");
  Enable("outbox");
  Answer ready;
  WaitUntil(
      [&] {
        ready = HttpGet(host.Port(), "/readyz");
        return ready.status == 503 && ready.body.find("SH-0430") != std::string::npos;
      },
      kTimeout, "the host that says that rows are hidden");
  const long long delivered =
      db_->Count("SELECT count(*) FROM outbox WHERE processed_at IS NOT NULL");
  WaitUntil([&] { return Pending() > 0; }, kTimeout, "rows that wait");
  traffic.Stop();
  EXPECT_EQ(db_->Count("SELECT count(*) FROM outbox WHERE processed_at IS NOT NULL"), delivered);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.worker_parked"), 0);
  db_->Execute("ALTER TABLE outbox DISABLE ROW LEVEL SECURITY");
  WaitUntil([&] { return Pending() == 0; }, kTimeout, "the rest to be delivered");
  WaitUntil([&] { return HttpGet(host.Port(), "/readyz").status == 200; }, kTimeout, "ready");
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0);
}

TEST_F(PartialTables, ViewsAndCopiesInThePlaceOfTablesAreRefused) {
  Replace("entry_record", "VIEW");
  ExpectRefused({"reconcile"}, "SH-0431", 78);
  ExpectRefused({"verify:all"}, "is a view", 78);
  EXPECT_THAT(Doctor(), HasSubstr("public.entry_record is a view"));
  EXPECT_EQ(Run({"run", "--once", "--only", "outbox-cleanup"}).exit_code, 0)
      << "its plugin has nothing to do with that table";
  Replace("transaction_record", "VIEW");
  db_->Execute("ALTER VIEW transaction_record SET (security_barrier)");
  const long long pending = Pending();
  ExpectRefused({"run", "--once", "--wait", "100ms", "--only", "outbox-processor"}, "SH-0431", 78);
  EXPECT_EQ(Pending(), pending);
  Replace("account_balance", "MATERIALIZED VIEW");
  EXPECT_THAT(Doctor(), HasSubstr("public.account_balance is a materialized view"));
}

// Before PostgreSQL 15 every role may create something in schema public.
TEST_F(PartialTables, WhatTheLedgersSchemaHasUnderNamesOfTheServerHidesNothing) {
  const long long pending = Pending();
  ASSERT_GT(pending, 0);
  db_->Execute(
      "CREATE FUNCTION public.none(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'; "
      "CREATE AGGREGATE public.count(*) (SFUNC = public.none, STYPE = bigint, INITCOND = '0'); "
      "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS "
      "$$ SELECT timestamptz '2000-01-01' $$; "
      "CREATE TABLE public.pg_class (LIKE pg_catalog.pg_class); "
      "GRANT SELECT ON public.pg_class TO background");
  EXPECT_EQ(JsonMember(Run({"outbox", "status"}).out, "pending"), std::to_string(pending));
  EXPECT_EQ(Run({"run", "--once"}).exit_code, 0) << "with times of leases that are right";
  EXPECT_EQ(Pending(), 0);
  EXPECT_EQ(JsonMember(Run({"reconcile"}).out, "status"), "healthy");
  EXPECT_THAT(Run({"doctor"}).out, Not(HasSubstr("ledger_event has no sequence")));
  db_->Execute(
      "ALTER TABLE entry_record SET (autovacuum_enabled = false); UPDATE pg_catalog.pg_class SET "
      "reltuples = 1000 WHERE oid = 'public.entry_record'::regclass");
  EXPECT_EQ(JsonMember(Run({"reconcile"}).out, "status"), "incomplete");
}

TEST_F(PartialTables, ChildrenByInheritanceAreRefused) {
  db_->Execute("CREATE TABLE entry_record_2025 () INHERITS (entry_record)");
  ExpectRefused({"reconcile"}, "child by inheritance", 78);
}

TEST_F(PartialTables, RightsOnSomeColumnsAreNotEnoughAndNamed) {
  db_->Execute(
      "REVOKE SELECT ON entry_record FROM background; GRANT SELECT (id, transaction_id, "
      "account_id, "
      "system_account_id, entry_type, amount, currency, balance_before, balance_after, "
      "is_hot_account, created_at) ON entry_record TO background");
  const RunResult run = Run({"reconcile"});
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.out + run.err, HasSubstr("SH-0406"));
  EXPECT_THAT(run.out, Not(HasSubstr("\"status\":\"healthy\"")));
  EXPECT_THAT(Doctor(), HasSubstr("(its columns account_lock_version)"));
}

class Partitions : public PartialTables {
 protected:
  // Two partitions, by aggregate: each part for itself looks sound.
  void SetUp() override {
    PartialTables::SetUp();
    db_->Execute(
        "ALTER SEQUENCE ledger_event_sequence_number_seq OWNED BY NONE; "
        "CREATE TABLE parted (LIKE ledger_event INCLUDING DEFAULTS) PARTITION BY RANGE "
        "(aggregate_id); "
        "CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (MINVALUE) TO "
        "('80000000-0000-4000-8000-000000000000'); "
        "CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM "
        "('80000000-0000-4000-8000-000000000000') TO (MAXVALUE); "
        "INSERT INTO parted SELECT * FROM ledger_event; DROP TABLE ledger_event CASCADE; "
        "ALTER TABLE parted RENAME TO ledger_event; GRANT SELECT ON ledger_event TO background");
  }
};

TEST_F(Partitions, ThatAreDetachedMakeTheVerificationIncomplete) {
  for (int i = 0; i < 60; ++i) {
    db_->Query("SELECT fixture.credit(fixture.account_id($1::int), 1)",
               {std::to_string(i % 5 + 1)});
  }
  db_->Execute("ANALYZE ledger_event");
  RunResult run = Run({"verify:all"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "status"), "valid");
  db_->Execute("ALTER TABLE ledger_event DETACH PARTITION parted_high");
  run = Run({"verify:all"});
  EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "status"), "incomplete") << run.out;
  EXPECT_THAT(run.out, HasSubstr("SH-0709"));
  db_->Execute(
      "ALTER TABLE ledger_event ATTACH PARTITION parted_high FOR VALUES FROM "
      "('80000000-0000-4000-8000-000000000000') TO (MAXVALUE)");
  EXPECT_EQ(Run({"verify:all"}).exit_code, 0);
}

// Nothing counts the rows of the outbox: they come and go.
TEST_F(PartialTables, APartitionOfTheOutboxThatIsDetachedIsNamed) {
  db_->Execute(
      "CREATE TABLE parted (LIKE outbox INCLUDING DEFAULTS) PARTITION BY LIST (topic); "
      "CREATE TABLE parted_created PARTITION OF parted FOR VALUES IN ('ledger-account-created'); "
      "CREATE TABLE parted_rest PARTITION OF parted DEFAULT; "
      "INSERT INTO parted SELECT * FROM outbox; DROP TABLE outbox CASCADE; "
      "ALTER TABLE parted RENAME TO outbox; GRANT SELECT, UPDATE, DELETE ON outbox TO background");
  EXPECT_EQ(Run({"outbox", "status"}).err.find("SH-0432"), std::string::npos);
  db_->Execute("ALTER TABLE outbox DETACH PARTITION parted_created");
  const std::string says = "public.parted_created has rows and the columns of public.outbox";
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"run", "--once"}, {"outbox", "status"}, {"outbox", "verify"}}) {
    const RunResult run = Run(words);
    EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
    EXPECT_THAT(run.err, HasSubstr("SH-0432 " + says)) << words[0];
  }
  EXPECT_THAT(Doctor(), HasSubstr("SH-0432 " + says));
  EXPECT_GT(db_->Count("SELECT count(*) FROM parted_created WHERE status = 'pending'"), 0);
  db_->Execute("CREATE SCHEMA attic; ALTER TABLE parted_created SET SCHEMA attic");
  EXPECT_THAT(Run({"doctor"}).out, Not(HasSubstr("SH-0432")));
  EXPECT_THAT(Run({"outbox", "status"}).err, Not(HasSubstr("SH-0432")));
}

TEST_F(Partitions, ThatAreRecordedAsDetachedAreKnown) {
  db_->Execute(
      "ALTER TABLE ledger_event DETACH PARTITION parted_high; "
      "CREATE TABLE IF NOT EXISTS summa_host.partition_record (id bigint GENERATED ALWAYS AS "
      "IDENTITY PRIMARY KEY, parent text NOT NULL, name text NOT NULL, from_time timestamptz NOT "
      "NULL, to_time timestamptz NOT NULL, state text NOT NULL)");
  const std::string says = "SH-0432 public.parted_high";
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr(says));
  db_->Execute(
      "INSERT INTO summa_host.partition_record (parent, name, from_time, to_time, state) VALUES "
      "('ledger_event', 'parted_high', '2000-01-01', '2001-01-01', 'detaching')");
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr(says)) << "it may not read the record";
  db_->Execute("GRANT SELECT ON summa_host.partition_record TO background");
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr(says)) << "it is still being detached";
  for (const char* state : {"detached", "archived"}) {
    db_->Execute(std::string("UPDATE summa_host.partition_record SET state = '") + state + "'");
    EXPECT_THAT(Run({"doctor"}).out, Not(HasSubstr("SH-0432"))) << state;
  }
  db_->Execute("UPDATE summa_host.partition_record SET state = 'attached'");
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr(says));
}

// Its rows are out of sight until it is finished. Recorded, it counts as detached.
TEST_F(Partitions, APendingDetachStopsWorkUnlessItIsRecorded) {
  {
    Db reader(url_), detacher(url_);
    reader.Execute("BEGIN; SELECT count(*) FROM ledger_event");
    std::thread thread([&] {
      EXPECT_THROW(detacher.Execute("ALTER TABLE ledger_event DETACH PARTITION parted_high "
                                    "CONCURRENTLY"),
                   DbError);
    });
    const std::string begun = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending";
    WaitUntil([&] { return db_->Count(begun) > 0; }, kTimeout, "the first phase of the detach");
    db_->Query("SELECT pg_terminate_backend($1::int)", {std::to_string(detacher.BackendPid())});
    thread.join();
    reader.Execute("COMMIT");
  }
  const long long pending = Pending();
  ASSERT_GT(pending, 0);
  ExpectRefused({"run", "--once", "--wait", "100ms", "--only", "outbox-processor"}, "SH-0431", 78);
  EXPECT_EQ(Pending(), pending);
  EXPECT_THAT(Doctor(), HasSubstr("DETACH CONCURRENTLY is not finished"));
  db_->Execute(
      "CREATE TABLE IF NOT EXISTS summa_host.partition_record (id bigint GENERATED ALWAYS AS "
      "IDENTITY PRIMARY KEY, parent text NOT NULL, name text NOT NULL, from_time timestamptz NOT "
      "NULL, to_time timestamptz NOT NULL, state text NOT NULL); "
      "GRANT SELECT ON summa_host.partition_record TO background; "
      "INSERT INTO summa_host.partition_record (parent, name, from_time, to_time, state) VALUES "
      "('public.ledger_event', 'parted_high', '2000-01-01', '2001-01-01', 'detaching')");
  EXPECT_EQ(Run({"run", "--once", "--only", "outbox-processor"}).exit_code, 0);
  EXPECT_EQ(Pending(), 0);
  db_->Execute("UPDATE summa_host.partition_record SET state = 'attached'");
  ExpectRefused({"outbox", "status"}, "SH-0431", 78);
}

TEST_F(Partitions, TablesOfAMigrationAreKnownUnlessItWasAborted) {
  db_->Execute(
      "CREATE TABLE ledger_event_old (LIKE ledger_event); "
      "INSERT INTO ledger_event_old SELECT * FROM ledger_event");
  const std::string says = "SH-0432 public.ledger_event_old";
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr(says));
  db_->Execute(
      "INSERT INTO summa_host.operation (plugin, kind, version, worker, single, arguments, rate, "
      "requested_by, state) VALUES ('maintenance', 'partition-migration', 1, "
      "'partition-migration', true, '{}', 0, 'test', 'paused')");
  EXPECT_THAT(Run({"doctor"}).out, Not(HasSubstr("SH-0432")));
  db_->Execute("UPDATE summa_host.operation SET state = 'done', finished_at = now()");
  EXPECT_THAT(Run({"doctor"}).out, Not(HasSubstr("SH-0432")));
  db_->Execute("UPDATE summa_host.operation SET state = 'aborted'");
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr(says));
}

TEST_F(Partitions, WithoutRightsAreNamedByTheDoctor) {
  const std::string doctor = Doctor();
  EXPECT_THAT(doctor, HasSubstr("may not SELECT on partitions of public.ledger_event: parted_"));
  db_->Execute("GRANT SELECT ON parted_low, parted_high TO background");
  EXPECT_THAT(Run({"doctor"}).out, Not(HasSubstr("may not SELECT on partitions")));
}

TEST_F(PartialTables, AnEmptyCopyBesideTheLedgerIsNotTheLedger) {
  db_->Execute(
      "CREATE SCHEMA copy; DO $$ DECLARE t text; BEGIN FOR t IN SELECT relname FROM pg_class WHERE "
      "relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP EXECUTE format('CREATE TABLE "
      "copy.%I (LIKE public.%I INCLUDING ALL)', t, t); END LOOP; END $$; GRANT USAGE ON SCHEMA "
      "copy "
      "TO background; GRANT ALL ON ALL TABLES IN SCHEMA copy TO background");
  std::string configuration = Configuration();
  configuration.replace(configuration.find("ledger: { "), 10, "ledger: { schema: copy, ");
  const TemporaryFile file("summa.yaml", configuration);
  const RunResult run = SummaHost({"verify:all", "-c", file.Path(), "--output", "json"});
  EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
  EXPECT_EQ(JsonMember(run.out, "status"), "incomplete") << run.out;
  EXPECT_THAT(run.out, HasSubstr("a ledger with events in public"));
  const RunResult doctor = SummaHost({"doctor", "-c", file.Path(), "--output", "json"});
  EXPECT_THAT(doctor.out, HasSubstr("copy.ledger_event is empty"));
}

TEST_F(PartialTables, AReadThatTheCatalogContradictsIsIncompleteUntilItIsAnalyzed) {
  for (const char* table : {"entry_record", "account_balance"}) {
    db_->Execute("ALTER TABLE " + std::string(table) + " SET (autovacuum_enabled = false)");
    db_->Execute("UPDATE pg_class SET reltuples = 1000 WHERE oid = '" + std::string(table) +
                 "'::regclass");
    RunResult run = Run({"reconcile"});
    EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
    EXPECT_EQ(JsonMember(run.out, "status"), "incomplete") << run.out;
    EXPECT_THAT(run.out, HasSubstr("rows of " + std::string(table) + " were read"));
    db_->Execute("ANALYZE " + std::string(table));
    run = Run({"reconcile"});
    EXPECT_EQ(JsonMember(run.out, "status"), "healthy") << run.out;
  }
  // What was found says more.
  db_->Execute(
      "UPDATE pg_class SET reltuples = 1000 WHERE oid = 'entry_record'::regclass; "
      "UPDATE account_balance SET balance = balance + 1 WHERE id = fixture.account_id(1)");
  EXPECT_EQ(JsonMember(Run({"reconcile"}).out, "status"), "mismatches_found");
}

TEST_F(PartialTables, ACopyThatASubscriptionFillsIsRefused) {
  db_->Execute(
      "CREATE SUBSCRIPTION copied CONNECTION 'host=/nonexistent' PUBLICATION p WITH (connect = "
      "false, "
      "enabled = false, slot_name = NONE)");
  db_->Execute(
      "INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) SELECT oid, "
      "'entry_record'::regclass, 'r' FROM pg_subscription WHERE subname = 'copied'");
  ExpectRefused({"reconcile"}, "filled by a subscription", 78);
  db_->Execute("DROP SUBSCRIPTION copied");
}

}  // namespace
}  // namespace summa::test
