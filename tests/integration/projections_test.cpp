// The built-in read models against real ledgers: equal to what Summa itself has, whatever the order
// in which transactions commit, and exactly once.
#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <summa/testkit/memory_bus.hpp>
#include <thread>

#include "source/event_source.hpp"
#include "tests/integration/projections_support.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::projections {
namespace {

using ::testing::IsEmpty;

class TrafficTest : public ProjectionsTest {
 protected:
  void SetUp() override {
    Connect(test::InstallLedger(Server(), NewName()));
    test::EnsureAccounts(url_, 22);  // traffic uses the first 20
  }
  std::unique_ptr<test::TrafficGenerator> Traffic(int connections, double rate = 0) {
    auto traffic = std::make_unique<test::TrafficGenerator>(
        url_, test::TrafficOptions{.connections = connections, .accounts = 20, .rate = rate});
    traffic->Start();
    return traffic;
  }
};

TEST_F(TrafficTest, ReadModelsEqualTheLedger) {
  const auto traffic = Traffic(4);
  test::WaitUntil([&] { return traffic->Committed() >= 500; }, test::kTimeout, "traffic");
  traffic->Stop();
  EXPECT_GT(RunAll(), 500);
  EXPECT_THAT(Differences(), IsEmpty());
  EXPECT_EQ(RunAll(), 0) << "there is nothing new";
}

TEST_F(TrafficTest, ReadModelsFollowWritersWhateverTheOrderOfCommits) {
  settings_.batch_size = 7;
  MakeRunner();
  // Its events get their positions now, and are committed long after later ones.
  Db late(url_);
  late.Execute("BEGIN; SELECT fixture.credit(fixture.account_id(21), 77)");
  const auto traffic = Traffic(4, 100);  // slower than batches of seven
  while (traffic->Committed() < 300) RunOnce();
  late.Execute("COMMIT");
  Db aborted(url_);
  aborted.Execute("BEGIN; SELECT fixture.credit(fixture.account_id(22), 78); ROLLBACK");
  traffic->Stop();
  RunAll();
  EXPECT_THAT(Differences(), IsEmpty());
  test::WaitUntil(
      [&] {
        RunOnce();
        return db_->Value("SELECT DISTINCT holes FROM summa_read.projection_checkpoint").empty();
      },
      test::kTimeout, "numbers of aborted transactions to be given up");
}

TEST_F(TrafficTest, ABatchThatWasNotCommittedIsReadAgain) {
  RunAll();
  db_->Execute("SELECT fixture.credit(fixture.account_id(3), 5)");
  // Somebody else changes the progress between two calls, as after a restore of the database.
  db_->Execute(
      "CREATE TABLE saved AS SELECT * FROM summa_read.account_balance_view_1; "
      "CREATE TABLE saved_progress AS SELECT * FROM summa_read.projection_checkpoint");
  RunAll();
  EXPECT_THAT(Differences(), IsEmpty());
  db_->Execute(
      "TRUNCATE summa_read.account_balance_view_1; INSERT INTO summa_read.account_balance_view_1 "
      "SELECT * FROM saved; UPDATE summa_read.projection_checkpoint c SET position = s.position, "
      "holes = s.holes FROM saved_progress s WHERE s.projection = c.projection AND c.projection = "
      "'account-balance-view'");
  db_->Execute("SELECT fixture.credit(fixture.account_id(4), 6)");
  RunAll();
  EXPECT_THAT(Differences(), IsEmpty());
}

TEST_F(TrafficTest, ALowerFenceChangesNothing) {
  RunAll();
  db_->Execute("UPDATE summa_read.projection_checkpoint SET fence = 1000000");
  db_->Execute("SELECT fixture.credit(fixture.account_id(3), 5)");
  try {
    RunAll();
    FAIL() << "it went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0552") << error.what();
  }
  db_->Execute("UPDATE summa_read.projection_checkpoint SET fence = 0");
  RunAll();
  EXPECT_THAT(Differences(), IsEmpty());
}

TEST_F(TrafficTest, AnEventThatCannotBeAppliedStopsItsAccountOnly) {
  RunAll();
  db_->Execute(
      "ALTER TABLE summa_read.account_balance_view_1 ADD CONSTRAINT refuses CHECK (id <> "
      "fixture.account_id(5) OR balance < 1000100)");
  for (int i = 0; i < 3; ++i) {
    db_->Execute("SELECT fixture.credit(fixture.account_id(5), 60)");
    db_->Execute("SELECT fixture.transfer(fixture.account_id(5), fixture.account_id(6), 10)");
  }
  RunAll();
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_read.projection_paused_key WHERE key = "
                       "fixture.account_id(5) AND projection = 'account-balance-view'"),
            1);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_read.projection_paused_key"), 1);
  EXPECT_EQ(db_->Value("SELECT balance FROM summa_read.account_balance_view WHERE id = "
                       "fixture.account_id(6)"),
            db_->Value("SELECT balance FROM account_balance WHERE id = fixture.account_id(6)"))
      << "the other account of a transfer goes on";
  ASSERT_FALSE(runner_->health().Failing().empty());
  EXPECT_NE(runner_->health().Failing().front().found.find("SH-0553"), std::string::npos);

  db_->Execute("ALTER TABLE summa_read.account_balance_view_1 DROP CONSTRAINT refuses");
  db_->Execute("UPDATE summa_read.projection_paused_key SET resume = true");
  db_->Execute("SELECT fixture.credit(fixture.account_id(5), 1)");
  RunAll();
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_read.projection_paused_key"), 0);
  EXPECT_THAT(Differences(), IsEmpty());
}

TEST_F(TrafficTest, AProjectionThatCannotBeAppliedAtAllStopsAlone) {
  RunAll();
  db_->Execute("ALTER TABLE summa_read.entry_record_view_1 RENAME COLUMN category TO kind");
  db_->Execute("SELECT fixture.credit(fixture.account_id(3), 5)");
  RunAll();
  EXPECT_EQ(db_->Value("SELECT string_agg(projection || ' ' || state, ', ' ORDER BY projection) "
                       "FROM summa_read.projection_checkpoint WHERE state <> 'running'"),
            "entry-record-view failed");
  db_->Execute("ALTER TABLE summa_read.entry_record_view_1 RENAME COLUMN kind TO category");
  db_->Execute("SELECT fixture.credit(fixture.account_id(3), 5)");
  db_->Execute("UPDATE summa_read.projection_checkpoint SET state = 'running'");
  RunAll();
  EXPECT_THAT(Differences(), IsEmpty());
  EXPECT_EQ(db_->Count("SELECT count(DISTINCT position) FROM summa_read.projection_checkpoint"), 1)
      << "it has caught up with the others";
}

TEST_F(TrafficTest, BalancesNeedNoTransactionsAndWhatNeedsThemCatchesUp) {
  const auto state = [&](const std::string& wanted) {
    db_->Execute("UPDATE summa_read.projection_checkpoint SET state = '" + wanted +
                 "' WHERE projection IN ('entry-record-view', 'transaction-summary-view')");
  };
  settings_.batch_size = 50;
  MakeRunner();
  RunAll();
  state("paused");
  const auto traffic = Traffic(4);
  test::WaitUntil([&] { return traffic->Committed() >= 300; }, test::kTimeout, "traffic");
  RunOnce();
  state("running");
  test::WaitUntil([&] { return traffic->Committed() >= 600; }, test::kTimeout, "traffic");
  RunOnce();
  state("paused");
  traffic->Stop();
  RunAll();
  for (const std::string& difference : Differences()) {
    EXPECT_FALSE(difference.starts_with("balances") || difference.starts_with("holders"))
        << difference;
  }
  state("running");
  RunAll();
  EXPECT_THAT(Differences(), IsEmpty());
}

TEST_F(TrafficTest, AReadingWithoutTransactionsMissesNoneThatTheLedgerLacks) {
  db_->Execute("SELECT fixture.hold(fixture.account_id(3), NULL, 7)");
  const std::string unknown = db_->Value("SELECT gen_random_uuid()");
  db_->Execute("SELECT fixture.append_event('transaction', '" + unknown +
               "', 'TransactionPosted', '{}')");
  Session session(sql_->unleased());
  const ledger::EventTable table = ledger::FindEvents(session);
  const auto all = EventSource(table, {}, 1000).Read(session);
  const auto some = EventSource(table, {}, 1000).Read(session, Records::kWithoutTransactions);
  EXPECT_GT(all->transactions.size(), 20U);
  EXPECT_EQ(some->transactions.size(), 1U) << "of the hold";
  EXPECT_EQ(some->events.size(), all->events.size());
  for (const auto* batch : {all.get(), some.get()}) {
    ASSERT_EQ(batch->faults.size(), 1U);
    EXPECT_EQ(ToText(batch->faults[0].key), unknown);
  }
}

// With a store that nobody looks at by itself.
class WokenTest : public TrafficTest {
 protected:
  void SetUp() override {
    TrafficTest::SetUp();
    RunAll();  // makes the read models
    settings_.wake_streams = {"ledger"};
    settings_.quiet = std::chrono::hours(1);
    MakeRunner();
    fake_->AddService(SUMMA_BUS_V1, "bus", table_.table());
  }
  void TearDown() override {
    tick_->Stop();
    if (thread_.joinable()) thread_.join();
  }
  void Follow() {
    thread_ = std::thread([this] { runner_->Run(Tick(tick_->abi())); });
  }
  void Credit(int account) {
    db_->Execute("SELECT fixture.credit(fixture.account_id(" + std::to_string(account) + "), 5)");
  }
  void Publish(const std::string& id) {
    summa_bus_message message{};
    message.stream = message.type = ToAbi("ledger");
    message.id = message.key = ToAbi(id);
    message.payload = ToAbi("{}");
    message.timestamp = ToAbi("2026-01-31T12:00:00.123456Z");
    message.position = SUMMA_BUS_NO_POSITION;
    summa_bus_receipt receipt{};
    bus_.Publish({&message, 1}, {&receipt, 1});
  }
  void WaitUntilCurrent() {
    test::WaitUntil([&] { return Differences().empty(); }, test::kTimeout, "the read models");
  }

  testkit::MemoryBus bus_;
  summa::detail::BusTable table_{&bus_};
  std::thread thread_;
};

TEST_F(WokenTest, AMessageLetsItLookAtTheStore) {
  Follow();
  WaitUntilCurrent();
  for (int i = 0; i < 3; ++i) {
    Credit(3);
    Publish(std::to_string(i));
    WaitUntilCurrent();
  }
  struct Groups final : BusVisitor {
    bool Group(const summa_bus_group& group) override {
      names.emplace_back(FromAbi(group.name));
      return true;
    }
    std::vector<std::string> names;
  } groups;
  bus_.Groups("ledger", groups);
  EXPECT_THAT(groups.names, ::testing::UnorderedElementsAre("projection-account-balance-view",
                                                            "projection-entry-record-view",
                                                            "projection-holder-dashboard-view",
                                                            "projection-transaction-summary-view"));
}

// Of many operations: before the commit, twice, much later and in another order, or not at all.
TEST_F(WokenTest, MessagesThatComeLateTwiceInAnyOrderOrNotAtAllChangeNothing) {
  settings_.batch_size = 3;
  MakeRunner();
  Follow();
  std::mt19937 random(15);
  std::vector<std::string> late;
  const auto publish_late = [&](std::size_t kept) {
    std::shuffle(late.begin(), late.end(), random);
    for (; late.size() > kept; late.pop_back()) Publish(late.back());
  };
  for (int i = 0; i < 150; ++i) {
    const std::string id = std::to_string(i);
    if (random() % 6 == 0) Publish(id);
    db_->Execute(i % 3 == 0 ? "SELECT fixture.transfer(fixture.account_id(1 + " + id +
                                  " % 20), fixture.account_id(2 + " + id + " % 20), 3)"
                            : "SELECT fixture.credit(fixture.account_id(1 + " + id + " % 20), 5)");
    for (int copies = static_cast<int>(random() % 3); copies > 0; --copies) Publish(id);
    if (random() % 2 == 0) late.push_back(id);
    if (random() % 10 == 0) publish_late(/*kept=*/3);
  }
  publish_late(/*kept=*/0);
  Publish("after the last commit");
  WaitUntilCurrent();
  for (int i = 0; i < 150; ++i) Publish(std::to_string(i));  // all of it once more
  Credit(3);
  Publish("150");
  WaitUntilCurrent();
}

TEST_F(WokenTest, AMessageThatComesBeforeTheCommitIsMadeUpForByALaterLook) {
  settings_.quiet = std::chrono::milliseconds(50);
  MakeRunner();
  Follow();
  WaitUntilCurrent();
  Db writer(url_);
  writer.Execute("BEGIN; SELECT fixture.credit(fixture.account_id(7), 5)");
  Publish("1");
  Credit(8);  // behind it in the order of positions, before it in that of commits
  Publish("2");
  const auto read = [&] {
    return db_->Value("SELECT min(position) FROM summa_read.projection_checkpoint") ==
           db_->Value("SELECT max(sequence_number) FROM ledger_event");
  };
  test::WaitUntil(read, test::kTimeout, "the later event");
  writer.Execute("COMMIT");  // and no message
  WaitUntilCurrent();
}

TEST_F(WokenTest, ABusThatIsAwayHoldsUpNothing) {
  bus_.away = true;
  RunAll();  // cannot subscribe: it works as without a bus
  Credit(3);
  RunAll();
  EXPECT_THAT(Differences(), IsEmpty());
  EXPECT_GT(fake_->CountCode("SH-0563"), 0U);
}

TEST_F(ProjectionsTest, SummasOwnDatabaseIsReproduced) {
  const auto shared = test::ForSharedData();
  if (!shared || !std::ifstream(*shared + "/summa-db/small.sql.gz").good()) {
    GTEST_SKIP() << "skipped: no ../shared/summa-db";
  }
  const std::string name = NewName();
  Server().CreateDatabase(name);
  Server().RunSqlFile(name, *shared + "/summa-db/small.sql.gz", /*gzipped=*/true);
  Connect(Server().Url(name));
  db_->Execute("SET search_path = public");
  EXPECT_EQ(RunAll(), db_->Count("SELECT count(*) FROM ledger_event"));
  EXPECT_THAT(Differences(), IsEmpty());
}

}  // namespace
}  // namespace summa::projections
