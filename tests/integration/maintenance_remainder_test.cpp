// The last events of chains that may go on stay when their range leaves: a ledger with a history of
// months, in both layouts, goes on and is verified before, after, and when the range is back.
#include "manager/remainder.hpp"

#include <set>
#include <summa/testkit/fake_host.hpp>
#include <utility>

#include "block_sealer.hpp"
#include "guard/guard.hpp"
#include "host/abi/operation_service.hpp"
#include "ledger_verification.hpp"
#include "manager/archive.hpp"
#include "manager/gates.hpp"
#include "reconciliation.hpp"
#include "rolling.hpp"
#include "snapshot_maker.hpp"
#include "tests/integration/maintenance_manager_support.hpp"
#include "tests/services/server_directory.hpp"
#include "tests/services/shared_data.hpp"

namespace summa::maintenance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kFirst = -6, kSecond = -5, kThird = -4;  // months with events, all long over

class RemainderTest : public PartitionsTest, public testing::WithParamInterface<ledger::Layout> {
 protected:
  template <typename Function>
  void WithWork(const Function& function) {
    fake_->SetOperations(operations_.table());
    testkit::FakeTick fake(sql_->unleased());
    const Tick tick(fake.abi());
    reconciliation::Work work(fake_->host(), tick, 0);
    function(work);
  }
  bool Plan() const { return GetParam() == ledger::Layout::kPlan; }

  void SetUp() override {
    if (Plan()) UsePlanLedger();
    events_ = ledger::DescribeEvents(GetParam());
    settings_.tables[0].table = "ledger_event";
    settings_.tables[0].ranges.ahead = 0;
    settings_.require_verified = false;
    begin_ = db_->Value("SELECT now()");
    MakeFirstMonth();
    MoveTo(kFirst);
    Do("SELECT fixture.transfer(fixture.account_id(1), fixture.account_id(2), 7)",
       "SELECT plan.transact(plan.account_id(1), plan.account_id(2), 7, 'second', 'transfer')");
    Open(5);
    MoveTo(kSecond);
    Open(6);
    MoveTo(kThird);
    MakePartitions();
    before_ = Events();
  }

  void UsePlanLedger() {
    static int number = 0;
    const std::string name = "remainder_" + std::to_string(++number);
    url_ = Server().CreateDatabase(name);
    host::DatabaseSettings settings;
    settings.url = url_;
    settings.application_name = "partitions-test";
    host::ControlPlane(settings).CreatePlanLedger();
    Server().RunSqlFile(name, test::SourceDir() + "/tests/fixture/plan.sql");
    host::ControlPlane(settings).Migrate(test::StepsWith({"maintenance", "reconciliation"}));
    sql_ = std::make_unique<host::SqlService>(
        std::map<std::string, std::shared_ptr<host::SessionPool>>{
            {"ledger", std::make_shared<host::SessionPool>(settings)}});
    fake_ = std::make_unique<testkit::FakeHost>(sql_->unleased());
    manager_ = std::make_unique<PartitionManager>(fake_->host(), settings_);
    db_ = std::make_unique<Db>(url_);
    db_->Execute("SET TimeZone = 'UTC'");
  }

  void Do(const std::string& deployed, const std::string& plan) {
    db_->Query(Plan() ? plan : deployed);
  }
  std::string Account(int number) const {
    return (Plan() ? "plan" : "fixture") + (".account_id(" + std::to_string(number)) + ")";
  }
  void Open(int number) {
    const std::string text = std::to_string(number);
    Do("SELECT fixture.ensure_account(" + text + ", 1000)",
       "SELECT plan.open_account(" + text + ")");
  }
  void Freeze(int number) {
    Do("SELECT fixture.freeze(" + Account(number) + ")",
       "SELECT plan.freeze(" + Account(number) + ")");
  }

  // An event of a type that no books are about, in a month that is over.
  void AppendIn(int month, int account) {
    const std::string of_account =
        " WHERE aggregate_type = 'account' AND aggregate_id = " + Account(account);
    db_->Query(
        "INSERT INTO ledger_event (aggregate_type, aggregate_id, event_type, event_data, "
        "correlation_id, " +
        events_.version + ", " + events_.previous_hash + ", " + events_.hash +
        ", created_at) SELECT 'account', aggregate_id, 'Noted', '{}', "
        "gen_random_uuid(), " +
        events_.version + " + 1, " + events_.hash + ", " + (Plan() ? "plan" : "fixture") +
        ".hash(" + events_.hash + ", '{}'), " + MonthStart(month) +
        " + interval '3 days' FROM ledger_event" + of_account + " ORDER BY " + events_.version +
        " DESC LIMIT 1");
  }

  // Account 3 is closed, 2 has been frozen for a while, and a hold of account 4 is open.
  void MakeFirstMonth() {
    for (int number = 1; number <= 4; ++number) Open(number);
    if (Plan()) {
      db_->Query("SELECT plan.transact(NULL, plan.account_id(1), 100, 'first', 'credit')");
      db_->Execute(
          "BEGIN; UPDATE account_balance SET status = 'closed' WHERE id = plan.account_id(3); "
          "SELECT plan.append(plan.account_id(3), 'ACCOUNT_CLOSED', '{}', gen_random_uuid()); "
          "COMMIT");
      hold_ = db_->Value("SELECT plan.place_hold(plan.account_id(4), 5, 'hold')");
      return;
    }
    Freeze(2);
    db_->Query("SELECT fixture.unfreeze(fixture.account_id(2))");
    db_->Query("SELECT fixture.close(fixture.account_id(3), fixture.account_id(1))");
    hold_ = db_->Value("SELECT fixture.hold(fixture.account_id(4), fixture.account_id(1), 5)");
    db_->Query("SELECT fixture.hold_void(fixture.hold(fixture.account_id(4), NULL, 6))");
  }

  // Everything that was made since the last call, as if it were in that month.
  void MoveTo(int month) {
    for (const char* table :
         {"ledger_event", "transaction_record", "entry_record", "account_balance", "outbox"}) {
      db_->Query("UPDATE " + std::string(table) + " SET created_at = " + MonthStart(month) +
                     " + interval '1 day' + (created_at - $1::timestamptz) WHERE created_at >= "
                     "$1::timestamptz",
                 {begin_});
    }
  }

  void MakePartitions() {
    Session session(sql_->unleased());
    const GuardNames names = NamesOfFlatTable(session, events_);
    db_->Execute(
        "ALTER TABLE outbox DROP CONSTRAINT IF EXISTS outbox_event_id_ledger_event_id_fk; "
        "ALTER TABLE ledger_event RENAME TO flat; "
        "CREATE TABLE ledger_event (LIKE flat INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION "
        "BY RANGE (created_at); "
        "ALTER SEQUENCE ledger_event_" +
        events_.position + "_seq OWNED BY ledger_event." + events_.position + ";");
    for (int month = kFirst; month <= 0; ++month) AddMonth("ledger_event", month);
    for (const std::string& leaf :
         db_->Column("SELECT relid::text FROM pg_partition_tree('ledger_event') WHERE isleaf")) {
      db_->Execute("ALTER TABLE " + leaf + " ADD PRIMARY KEY (id), ADD UNIQUE (" +
                   events_.position + "), ADD UNIQUE (aggregate_type, aggregate_id, " +
                   events_.version + ")");
    }
    db_->Execute("INSERT INTO ledger_event SELECT * FROM flat ORDER BY " + events_.position +
                 "; DROP TABLE flat CASCADE; ANALYZE ledger_event");
    session.Begin();
    CreateGuardFunction(session, events_, names);
    FillGuard(session, events_, 0, INT64_MAX);
    InstallGuard(session, events_);
    session.Commit();
    WithWork([&](reconciliation::Work& work) {
      reconciliation::BlockSealer(sql_->unleased(), work, verification_).Run();
      reconciliation::SnapshotMaker(sql_->unleased(), work, verification_).CreateAll(1, 100);
    });
    RunManager();  // without a retention: the overflow partitions
  }

  std::string Month(int month) {
    return "ledger_event_" + db_->Value("SELECT to_char(" + MonthStart(month) + ", 'YYYY_MM')");
  }
  // Ranges that end before the third month leave; with `third`, it leaves as well.
  void Retain(bool third = false) {
    const std::string age = db_->Value("SELECT ceil(extract(epoch FROM now() - " +
                                       MonthStart(third ? kThird + 1 : kThird) + ") / 3600)");
    settings_.tables[0].ranges.retention = std::chrono::hours(std::stoll(age) - 1);
  }
  std::vector<std::string> Events() {
    return db_->Column("SELECT e::text FROM ledger_event e ORDER BY " + events_.position);
  }
  std::vector<std::string> Remainders() {
    return db_->Column(
        "SELECT c.relname FROM summa_host.partition_remainder r JOIN pg_class c ON c.relname = "
        "r.name AND c.relispartition WHERE state = 'attached' ORDER BY 1");
  }
  std::int64_t VersionOf(int number) {
    return db_->Count("SELECT max(" + events_.version +
                      ") FROM ledger_event WHERE aggregate_type = 'account' AND aggregate_id = " +
                      Account(number));
  }
  std::string AttachError(const std::string& name) {
    try {
      AttachAgain(environment(), settings_.tables[0], name);
      const Environment all = environment();
      TableCare care(all, settings_.tables[0]);
      care.Apply(CreatesRoom, false);
    } catch (const Error& error) {
      return error.code() + " " + error.what();
    }
    return "";
  }
  void DetachByHand(const std::string& name) {
    const Environment all = environment();
    TableCare care(all, settings_.tables[0]);
    care.Recover();
    care.DetachOne(name);
    care.Apply(CreatesRoom, false);
    care.ArchiveDetached();
    EXPECT_THAT(care.outcome().undone, IsEmpty());
  }
  void ExpectNothingLeftOver() {
    EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.partition_remainder WHERE state = "
                         "'making'"),
              0);
    EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND NOT relispartition "
                         "AND relname LIKE 'ledger_event_remainder%'"),
              0);
  }

  static void ExpectClean(const reconciliation::VerificationResult& result) {
    for (const reconciliation::Discrepancy& finding : result.findings.kept()) {
      ADD_FAILURE() << finding.kind << " " << finding.aggregate_type << " " << finding.aggregate_id
                    << " " << finding.expected << " / " << finding.found;
    }
    EXPECT_THAT(result.block_failures, IsEmpty());
    EXPECT_EQ(result.incomplete, "");
    EXPECT_GT(result.snapshots.snapshots, 0);
    EXPECT_GT(result.blocks_verified + result.blocks_detached, 0);
  }
  // By all that verifies: chains, snapshots, blocks, seals, the books, and in slices.
  void ExpectVerified(const std::string& when) {
    SCOPED_TRACE(when);
    WithWork([&](reconciliation::Work& work) {
      for (const bool from_snapshots : {false, true}) {
        reconciliation::VerificationScope scope;
        scope.from_snapshots = from_snapshots;
        ExpectClean(reconciliation::VerifyLedger(sql_->unleased(), work, verification_, scope));
      }
      reconciliation::Reconcile(sql_->unleased(), work, verification_);
      std::set<std::string> incomplete;
      db_->Execute("UPDATE summa_host.verification_part SET verified_at = '2000-01-01Z'");
      reconciliation::Rolling rolling(sql_->unleased(), work, verification_, incomplete);
      for (bool more = true; more;) {
        const reconciliation::RollingOutcome part = rolling.Next();
        EXPECT_EQ(part.findings.count(), 0) << part.part;
        more = part.more_due;
      }
    });
    EXPECT_EQ(db_->Value("SELECT status FROM reconciliation_result ORDER BY run_date DESC LIMIT 1"),
              "healthy");
    const verify::LedgerReport books = verify::CompareWithLedger(sql_->unleased(), {});
    for (const verify::Finding& finding : books.findings) {
      ADD_FAILURE() << finding.aggregate_type << " " << finding.aggregate_id << " expected "
                    << finding.expected << ", found " << finding.found;
    }
    EXPECT_GT(books.events, 0);
    ExpectGuarded();
  }
  // The next event of each chain in the table has the head before it.
  void ExpectGuarded() {
    Session session(sql_->unleased());
    for (const GuardProblem& problem : ExamineGuard(session, events_)) {
      ADD_FAILURE() << problem.where << ": " << problem.what;
    }
    EXPECT_EQ(
        db_->Count("SELECT count(*) FROM (SELECT DISTINCT ON (aggregate_type, aggregate_id) "
                   "aggregate_type, aggregate_id, " +
                   events_.version + " AS version, " + events_.hash +
                   " AS hash FROM ledger_event ORDER BY 1, 2, 3 DESC) e LEFT JOIN "
                   "summa_host.ledger_event_head h USING (aggregate_type, aggregate_id) WHERE "
                   "h.version IS DISTINCT FROM e.version OR h.hash IS DISTINCT FROM e.hash"),
        0);
  }

  // As the manifest of the plugin reconciliation has it.
  host::OperationService operations_{"reconciliation",
                                     {{"reconciliation", "", "daily-reconciliation", 1, 0}},
                                     "test",
                                     "test",
                                     host::SystemClock()};
  ledger::EventTable events_;
  reconciliation::Settings verification_ = [] {
    reconciliation::Settings settings;
    settings.timeout = std::chrono::seconds(10);
    settings.block_size = 4;
    return settings;
  }();
  std::string begin_, hold_;
  std::vector<std::string> before_;
};

TEST_P(RemainderTest, ALedgerGoesOnWithChainsWhoseRangeHasLeft) {
  ExpectVerified("before");
  Retain();
  EXPECT_EQ(ErrorOfRun(), "");
  EXPECT_EQ(StateOf(Month(kFirst)), "detached");
  EXPECT_EQ(StateOf(Month(kSecond)), "detached");
  EXPECT_THAT(Remainders(), SizeIs(1)) << "the second takes in the first";
  ExpectNothingLeftOver();
  ExpectVerified("detached");
  const std::int64_t version = VersionOf(2);
  Freeze(2);
  EXPECT_EQ(VersionOf(2), version + 1);
  EXPECT_EQ(db_->Value("SELECT n." + events_.previous_hash + " = o." + events_.hash +
                           " FROM ledger_event n JOIN ledger_event o USING (aggregate_type, "
                           "aggregate_id) WHERE aggregate_type = 'account' AND aggregate_id = " +
                           Account(2) + " AND n." + events_.version + " = $1::bigint + 1 AND o." +
                           events_.version + " = $1::bigint",
                       {std::to_string(version)}),
            "t");
  Do("SELECT fixture.hold_commit($$" + hold_ + "$$)",
     "SELECT plan.capture_hold($$" + hold_ + "$$, 5)");
  ExpectVerified("gone on");
  const auto attached = db_->Column("SELECT relid FROM pg_partition_tree('ledger_event')");
  EXPECT_EQ(ErrorOfRun(), "");
  EXPECT_EQ(db_->Column("SELECT relid FROM pg_partition_tree('ledger_event')"), attached)
      << "a remainder stays";
}

TEST_P(RemainderTest, OnlyTheLastEventsOfChainsThatMayGoOnStayAndAsTheyWere) {
  Retain();
  EXPECT_EQ(ErrorOfRun(), "");
  ASSERT_THAT(Remainders(), SizeIs(1));
  const std::string remainder = Remainders().front();
  const auto kept =
      db_->Column("SELECT e::text FROM " + remainder + " e ORDER BY " + events_.position);
  for (const std::string& event : kept) EXPECT_THAT(before_, ::testing::Contains(event));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM " + remainder + " WHERE aggregate_id = " + Account(3)),
            0)
      << "it is closed";
  // Accounts 1, 2, 4 and 5; the open hold is a chain of its own in one layout.
  EXPECT_EQ(kept.size(), Plan() ? 4U : 5U);
  EXPECT_EQ(db_->Count("SELECT sum(kept_count) FROM summa_host.partition_record"),
            static_cast<std::int64_t>(kept.size()));
  EXPECT_EQ(db_->Count("SELECT sum(r.row_count - r.kept_count)::bigint - (SELECT "
                       "sum(last_version - first_version + 1)::bigint FROM "
                       "summa_host.partition_edge) FROM summa_host.partition_record r"),
            0)
      << "the edges are those of what has left";
  EXPECT_EQ(db_->Count("SELECT (SELECT count(*) FROM " + Month(kFirst) +
                       ") + (SELECT count(*) FROM " + Month(kSecond) + ")"),
            db_->Count("SELECT sum(row_count) FROM summa_host.partition_record"))
      << "the range itself is complete";
}

TEST_P(RemainderTest, AChainThatWentOnBetweenTwoDetachesIsVerifiedAcrossBoth) {
  DetachByHand(Month(kFirst));
  for (int event = 0; event < 3; ++event) AppendIn(kThird, 4);
  const std::int64_t version = VersionOf(4);
  DetachByHand(Month(kSecond));
  DetachByHand(Month(kThird));
  EXPECT_THAT(Remainders(), SizeIs(1));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM ledger_event WHERE aggregate_type = 'account' AND "
                       "aggregate_id = " +
                       Account(4)),
            2)
      << "the last event of the first month, and that of the third";
  ExpectVerified("both are detached");
  Freeze(4);
  EXPECT_EQ(VersionOf(4), version + 1);
  ExpectVerified("gone on");
}

TEST_P(RemainderTest, PartitionsComeBackOneByOne) {
  Retain();
  EXPECT_EQ(ErrorOfRun(), "");
  Freeze(2);
  const auto events = db_->Count("SELECT count(*) FROM ledger_event");
  // Rows that come late into the time of a range that has left.
  db_->Query(
      "INSERT INTO ledger_event (aggregate_type, aggregate_id, event_type, event_data, "
      "correlation_id, " +
      events_.version + ", " + events_.hash +
      ", created_at) SELECT "
      "'late', gen_random_uuid(), 'Late', '{}', gen_random_uuid(), 1, encode(sha256('{}'), "
      "'hex'), " +
      MonthStart(kFirst));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM ledger_event"), events + 1);
  EXPECT_EQ(AttachError(Month(kSecond)), "");
  ASSERT_THAT(Remainders(), SizeIs(1));
  EXPECT_EQ(StateOf(Month(kSecond)), "attached");
  ExpectVerified("the second is back");
  EXPECT_EQ(AttachError(Month(kFirst)), "");
  EXPECT_THAT(Remainders(), IsEmpty());
  ExpectNothingLeftOver();
  ExpectVerified("both are back");
  const auto after = Events();
  EXPECT_EQ(after.size(), before_.size() + 2);
  for (const std::string& event : before_) EXPECT_THAT(after, ::testing::Contains(event));
  DetachByHand(Month(kFirst));
  EXPECT_THAT(Remainders(), SizeIs(1));
  ExpectVerified("detached by hand");
}

TEST_P(RemainderTest, TheOlderPartitionMayComeBackFirst) {
  Retain();
  EXPECT_EQ(ErrorOfRun(), "");
  EXPECT_EQ(AttachError(Month(kFirst)), "");
  ASSERT_THAT(Remainders(), SizeIs(1));
  ExpectVerified("the first is back");
  EXPECT_EQ(AttachError(Month(kSecond)), "");
  EXPECT_EQ(Events(), before_);
  EXPECT_THAT(Remainders(), IsEmpty());
}

TEST_P(RemainderTest, ARangeWithoutSuchEventsLeavesNoGapAboveARemainder) {
  db_->Execute("UPDATE account_balance SET status = 'closed' WHERE id = " + Account(6));
  Retain(true);
  EXPECT_EQ(ErrorOfRun(), "");
  EXPECT_EQ(StateOf(Month(kThird)), "detached");
  ASSERT_THAT(Remainders(), SizeIs(1));
  const Environment all = environment();
  const PlannedTable planned = MakePlan(all, settings_.tables[0], true);
  EXPECT_THAT(planned.plan.actions, IsEmpty());
  EXPECT_THAT(planned.plan.gaps, IsEmpty());
  EXPECT_THAT(planned.plan.held, IsEmpty());
}

TEST_P(RemainderTest, AFileHasAllRowsAndComesBackEqual) {
  const test::ServerDirectory directory;
  settings_.tables[0].archive = ArchiveKind::kFile;
  settings_.tables[0].archive_directory = directory.Path();
  const auto rows = db_->Count("SELECT count(*) FROM " + Month(kFirst));
  Retain();
  EXPECT_EQ(ErrorOfRun(), "");
  ASSERT_EQ(StateOf(Month(kFirst)), "archived");
  EXPECT_EQ(db_->Count("SELECT row_count FROM summa_host.partition_record WHERE name = $1",
                       {Month(kFirst)}),
            rows);
  ExpectVerified("archived");
  EXPECT_EQ(AttachError(Month(kSecond)), "");
  EXPECT_EQ(AttachError(Month(kFirst)), "");
  EXPECT_EQ(Events(), before_);
  ExpectVerified("back");
}

TEST_P(RemainderTest, ASnapshotFromBeforeTheCopyIsWaitedFor) {
  settings_.detach_deadline = std::chrono::milliseconds(1);
  Db old(url_);
  old.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM account_balance");
  const Environment all = environment();
  TableCare care(all, settings_.tables[0]);
  care.DetachOne(Month(kFirst));
  ASSERT_THAT(care.outcome().undone, SizeIs(1));
  EXPECT_THAT(care.outcome().undone[0], HasSubstr("snapshot"));
  ExpectNothingLeftOver();
  EXPECT_EQ(Events(), before_);
  old.Execute("COMMIT");
  settings_.detach_deadline = std::chrono::minutes(2);
  DetachByHand(Month(kFirst));
  EXPECT_EQ(StateOf(Month(kFirst)), "detached");
}

TEST_P(RemainderTest, AnEventThatComesIntoTheRangeMeanwhileKeepsItAttached) {
  Db old(url_);
  old.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM account_balance");
  bool came = false;
  const auto wait = caller_.wait;
  caller_.wait = [&](std::chrono::microseconds time) {
    if (!std::exchange(came, true)) {
      db_->Query(
          "INSERT INTO ledger_event (aggregate_type, aggregate_id, event_type, event_data, "
          "correlation_id, " +
          events_.version + ", " + events_.hash +
          ", created_at) SELECT 'account', gen_random_uuid(), 'Late', '{}', "
          "gen_random_uuid(), 1, encode(sha256('{}'), 'hex'), " +
          MonthStart(kFirst));
      old.Execute("COMMIT");
    }
    return wait(time);
  };
  const Environment all = environment();
  TableCare care(all, settings_.tables[0]);
  care.DetachOne(Month(kFirst));
  ASSERT_THAT(care.outcome().undone, SizeIs(1));
  EXPECT_THAT(care.outcome().undone[0], HasSubstr("an event has come into it meanwhile"));
  EXPECT_EQ(Events().size(), before_.size() + 1);
  ExpectNothingLeftOver();
  care.Recover();
  EXPECT_EQ(StateOf(Month(kFirst)), "none");
  DetachByHand(Month(kFirst));
  EXPECT_EQ(
      db_->Count("SELECT count(*) FROM " + Remainders().front() + " WHERE event_type = 'Late'"), 1)
      << "a chain that nothing is known of may go on";
}

TEST_P(RemainderTest, ADetachThatSomebodyElseHasBegunIsTakenBackFirst) {
  Db reader(url_);
  reader.Execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ledger_event");
  Db other(url_);
  const auto pending = [&] {
    return db_->Count("SELECT count(*) FROM pg_inherits WHERE inhdetachpending") > 0;
  };
  for (int milliseconds = 200; !pending(); milliseconds *= 2) {
    other.Execute("SET statement_timeout = " + std::to_string(milliseconds));
    EXPECT_ANY_THROW(other.Execute("ALTER TABLE ledger_event DETACH PARTITION " + Month(kFirst) +
                                   " CONCURRENTLY"));
  }
  reader.Execute("COMMIT");
  Retain();
  EXPECT_EQ(ErrorOfRun(), "");
  EXPECT_FALSE(pending());
  EXPECT_EQ(StateOf(Month(kFirst)), "detached");
  EXPECT_THAT(Remainders(), SizeIs(1));
  Freeze(2);
  ExpectVerified("exchanged");
}

TEST_P(RemainderTest, AnEventThatWasChangedMeanwhileIsNotOverwritten) {
  Retain();
  EXPECT_EQ(ErrorOfRun(), "");
  const std::string change = "UPDATE " + Remainders().front() + " SET event_type = event_type || ";
  db_->Execute(change + "'x'");
  EXPECT_THAT(AttachError(Month(kFirst)), HasSubstr("SH-0861"));
  ExpectNothingLeftOver();
  EXPECT_THAT(Remainders(), SizeIs(1));
  db_->Execute("UPDATE " + Remainders().front() + " SET event_type = rtrim(event_type, 'x')");
  EXPECT_EQ(AttachError(Month(kFirst)), "");
}

TEST_P(RemainderTest, TheOutboxFindsTheEventsThatStayedAndThoseThatCome) {
  if (Plan()) GTEST_SKIP() << "an outbox of the plan has no such rows";
  host::DatabaseSettings settings;
  settings.url = url_;
  host::ControlPlane(settings).Migrate(
      test::StepsWith({"maintenance", "reconciliation", "outbox"}));
  const auto position = [&](int account, const std::string& topic) {
    return db_->Value(
        "SELECT coalesce(max(e.event_position), 0) FROM outbox o CROSS JOIN LATERAL "
        "summa_host.outbox_event(o.event_id, o.topic, o.payload, o.created_at, true) e WHERE "
        "o.topic = $2 AND o.payload ->> 'accountId' = $1",
        {db_->Value("SELECT " + Account(account)), topic});
  };
  const std::string of_first = position(1, "ledger-account-created");
  EXPECT_NE(of_first, "0");
  EXPECT_NE(position(2, "ledger-account-created"), "0");
  Retain();
  EXPECT_EQ(ErrorOfRun(), "");
  EXPECT_EQ(position(1, "ledger-account-created"), of_first) << "it is the last of its chain";
  EXPECT_EQ(position(2, "ledger-account-created"), "0") << "it has left";
  Freeze(2);
  EXPECT_NE(position(2, "ledger-account-frozen"), "0");
}

TEST_P(RemainderTest, ARemainderIsNotDetached) {
  Retain();
  EXPECT_EQ(ErrorOfRun(), "");
  const Environment all = environment();
  TableCare care(all, settings_.tables[0]);
  care.DetachOne(Remainders().front());
  ASSERT_THAT(care.outcome().undone, SizeIs(1));
  EXPECT_THAT(care.outcome().undone[0], HasSubstr("the last events of their chains"));
}

INSTANTIATE_TEST_SUITE_P(Layouts, RemainderTest,
                         testing::Values(ledger::Layout::kDeployed, ledger::Layout::kPlan),
                         [](const auto& layout) {
                           return layout.param == ledger::Layout::kPlan ? "plan" : "deployed";
                         });

}  // namespace
}  // namespace summa::maintenance
