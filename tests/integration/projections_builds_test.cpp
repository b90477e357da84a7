// Rebuilding a read model while the ledger is written to, and who reads what meanwhile: with the
// read models in the ledger's database, and in one of their own.
#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <summa/operation.hpp>
#include <thread>

#include "builds/rebuild.hpp"
#include "builds/rebuild_keys.hpp"
#include "builds/swap.hpp"
#include "builds/verify.hpp"
#include "engine/progress_table.hpp"
#include "host/abi/operation_service.hpp"
#include "tests/integration/projections_support.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::projections {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Tells others about each event, which cannot be taken back.
class Announcer final : public Projection {
 public:
  explicit Announcer(int version)
      : Projection(
            {.id = "announcer",
             .version = version,
             .tables = {{version == 1 ? "announcer_view" : "announcer_list",
                         "position bigint, ordinal bigint, PRIMARY KEY (position, ordinal)"}}}),
        table_(version == 1 ? "announcer_view" : "announcer_list") {}
  void Apply(const ProjectionBatch& batch) const override {
    std::vector<std::int64_t> positions, ordinals;
    for (const summa_projection_event& event : batch.events()) {
      positions.push_back(event.position);
      ordinals.push_back(event.ordinal);
    }
    for (const std::string& table : {batch.Table(table_), std::string("public.announced")}) {
      if (table == "public.announced" && batch.replay()) continue;
      batch.Exec("INSERT INTO " + table + " SELECT * FROM unnest($1::bigint[], $2::bigint[])",
                 {IntegerArray(positions), IntegerArray(ordinals)});
    }
  }

 private:
  const std::string table_;
};

class BuildsTest : public ProjectionsTest, public testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    const std::string name = NewName();
    const std::string url = test::InstallLedger(Server(), name);
    Connect(url, GetParam() ? Server().CreateDatabase(name + "_read") : "");
    test::EnsureAccounts(url_, 22);  // traffic uses the first 20
    traffic_ = std::make_unique<test::TrafficGenerator>(
        url_, test::TrafficOptions{.connections = 4, .accounts = 20, .rate = 300});
    traffic_->Start();
    test::WaitUntil([&] { return traffic_->Committed() >= 300; }, test::kTimeout, "traffic");
    fake_->SetOperations(service_.table());
    RunAll();
  }

  // Starts one and works on it, and on the projections, until it has ended.
  OperationView RebuildAll(const std::string& projection, bool swap = true) {
    OperationRequest request;
    request.kind = kRebuildKind;
    request.arguments = R"({"projection":")" + projection + R"(","sessions":3,"swap":)" +
                        (swap ? "true" : "false") + "}";
    return WorkOn(StartOperation(fake_->host(), sql_->unleased(), request));
  }
  OperationView WorkOn(std::int64_t id) {
    Rebuild rebuild(fake_->host(), settings_, *catalog_);
    for (;;) {
      const WorkCaller caller{[this] { return fake_->host().BootNow(); }, [] { return false; },
                              [this](std::chrono::microseconds time) {
                                fake_->Advance(time);
                                return false;
                              }};
      const OperationView view = RunOperation(fake_->host(), sql_->unleased(), caller,
                                              rebuild.Binding(), id, std::chrono::seconds(1))
                                     .last;
      RunAll();
      if (!view.open() || !view.error.empty()) return view;
    }
  }
  // The earlier build is shown again, as soon as both have applied the same events.
  void ComeBack(const std::string& projection) {
    test::WaitUntil(
        [&] {
          RunAll();
          Session read(sql_->unleased(), "read");
          return TrySwap(read, *catalog_, projection, "old").empty();
        },
        test::kTimeout, "the way back");
  }
  Verification VerifyLive(const std::string& projection) {
    Session session(sql_->unleased()), read(sql_->unleased(), "read");
    return Verify(sql_->unleased(), ledger::FindEvents(session),
                  *FindRole(ReadBuilds(read), projection, "live"),
                  [](std::int64_t) { return false; });
  }

  std::string Account(int number) {
    return "'" + db_->Value("SELECT fixture.account_id(" + std::to_string(number) + ")") + "'";
  }
  // A projection that announces, beside the others, from the beginning on.
  void Announce(const Announcer& announcer) {
    others_ = {announcer.table()};
    MakeRunner();
  }
  void ExpectEachEventIsAnnouncedOnce(const std::string& view) {
    EXPECT_EQ(
        read_->Column("SELECT position FROM public.announced GROUP BY position, ordinal HAVING "
                      "count(*) > 1"),
        std::vector<std::string>());
    const std::string difference =
        "SELECT position FROM (TABLE public.announced EXCEPT TABLE " + view + ") d";
    const std::string missing =
        "SELECT position FROM (TABLE " + view + " EXCEPT TABLE public.announced) d";
    EXPECT_EQ(read_->Column(difference), std::vector<std::string>());
    EXPECT_EQ(read_->Column(missing), std::vector<std::string>());
    EXPECT_GT(read_->Count("SELECT count(*) FROM public.announced"), 300);
  }

  host::OperationService service_{"projections",
                                  {{kRebuildKind, "", "projection-rebuild", 1, 0}},
                                  "a/1",
                                  "anna",
                                  host::SystemClock()};
  std::unique_ptr<test::TrafficGenerator> traffic_;
};

TEST_P(BuildsTest, ARebuildTakesThePlaceOfTheOtherWhileTheLedgerIsWrittenTo) {
  for (const auto& [id, applier] : catalog_->all()) {
    const OperationView view = RebuildAll(id);
    EXPECT_EQ(view.state, OperationState::kDone) << id << ": " << view.error;
  }
  traffic_->Stop();
  RunAll();
  EXPECT_THAT(Differences(), IsEmpty());
  EXPECT_EQ(read_->Value("SELECT string_agg(DISTINCT role || ' ' || build, ', ') FROM "
                         "summa_read.projection_checkpoint"),
            "live 2, old 1");
  EXPECT_EQ(read_->Count("SELECT count(*) FROM pg_indexes WHERE schemaname = 'summa_read' AND "
                         "tablename LIKE 'entry_record_view_%'"),
            6)
      << "both builds have the same indexes";
}

TEST_P(BuildsTest, TheEarlierBuildFollowsAndComesBack) {
  ASSERT_EQ(RebuildAll("account-balance-view").state, OperationState::kDone);
  test::WaitUntil([&] { return traffic_->Committed() >= 500; }, test::kTimeout, "traffic");
  traffic_->Stop();
  RunAll();
  read_->Execute(
      "CREATE ROLE reader_of_views; GRANT USAGE ON SCHEMA summa_read TO reader_of_views; "
      "GRANT SELECT ON summa_read.account_balance_view TO reader_of_views");
  ComeBack("account-balance-view");
  EXPECT_THAT(Differences(), IsEmpty());
  EXPECT_EQ(read_->Value("SELECT build FROM summa_read.projection_checkpoint WHERE projection = "
                         "'account-balance-view' AND role = 'live'"),
            "1");
  EXPECT_EQ(read_->Value("SELECT has_table_privilege('reader_of_views', "
                         "'summa_read.account_balance_view', 'SELECT')"),
            "t");
  read_->Execute("DROP OWNED BY reader_of_views; DROP ROLE reader_of_views");
}

TEST_P(BuildsTest, AnEarlierBuildWithAPausedKeyDoesNotComeBack) {
  traffic_->Stop();
  ASSERT_EQ(RebuildAll("account-balance-view").state, OperationState::kDone);
  const auto credit = [&] { db_->Execute("SELECT fixture.credit(" + Account(5) + ", 60)"); };
  read_->Execute(
      "ALTER TABLE summa_read.account_balance_view_1 ADD CONSTRAINT refuses CHECK (id <> " +
      Account(5) + ") NOT VALID");
  credit();
  RunAll();
  ASSERT_EQ(read_->Column("SELECT build FROM summa_read.projection_paused_key"),
            std::vector<std::string>({"1"}));
  try {
    ComeBack("account-balance-view");
    FAIL() << "readers would see an older balance";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0569");
    EXPECT_THAT(error.what(), HasSubstr(db_->Value("SELECT fixture.account_id(5)")));
  }
  EXPECT_THAT(Differences(), IsEmpty());
}

TEST_P(BuildsTest, ReadersSeeOneBuildOrTheOtherAndNoError) {
  std::atomic<bool> stop{false};
  std::atomic<long long> reads{0};
  std::string error;
  std::thread reader([&] {
    Db db(read_url_);
    try {
      db.Execute(
          "PREPARE sums AS SELECT coalesce(sum(balance - credit_balance + debit_balance), "
          "0)::text || ' ' || count(*) FROM summa_read.account_balance_view");
      while (!stop) {
        for (const std::string& sums :
             {db.Value("EXECUTE sums"), db.Value("SELECT coalesce(sum(balance - credit_balance + "
                                                 "debit_balance), 0)::text || ' ' || count(*) FROM "
                                                 "summa_read.account_balance_view")}) {
          if (sums != "0 22") error = "a mixture: " + sums;
        }
        ++reads;
      }
    } catch (const std::exception& thrown) {
      error = thrown.what();
    }
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(RebuildAll("account-balance-view").error, "");
  stop = true;
  reader.join();
  EXPECT_EQ(error, "");
  EXPECT_GT(reads.load(), 0);
}

TEST_P(BuildsTest, ABuildThatDiffersFromTheLedgerIsNotShown) {
  traffic_->Stop();
  RunAll();
  // As if somebody had changed an amount behind the events.
  db_->Execute("UPDATE account_balance SET balance = balance + 1 WHERE id = fixture.account_id(3)");
  try {
    RebuildAll("account-balance-view");
    ADD_FAILURE() << "it was shown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0556");
    EXPECT_THAT(error.what(), HasSubstr(db_->Value("SELECT fixture.account_id(3)")));
  }
  EXPECT_EQ(read_->Value("SELECT build FROM summa_read.projection_checkpoint WHERE projection = "
                         "'account-balance-view' AND role = 'live'"),
            "1");
}

TEST_P(BuildsTest, VerificationFindsEachDifferenceWhileTheLedgerIsWrittenTo) {
  for (const auto& [id, applier] : catalog_->all()) {
    const Verification found = VerifyLive(id);
    EXPECT_EQ(found.differences, 0)
        << id << ": " << found.examples.front().key << " " << found.examples.front().ledger << " "
        << found.examples.front().read_model;
    EXPECT_GT(found.rows, 10) << id;
  }
  traffic_->Stop();
  RunAll();
  read_->Execute(
      "UPDATE summa_read.account_balance_view_1 SET pending_debit = pending_debit + 1 WHERE id = " +
      Account(1) + "; DELETE FROM summa_read.account_balance_view_1 WHERE id = " + Account(2) +
      "; UPDATE summa_read.entry_record_view_1 SET amount = amount + 1 WHERE account_id = " +
      Account(3) +
      " AND reference = 'opening_3'; "
      "UPDATE summa_read.transaction_summary_view_1 SET status = 'voided' WHERE reference = "
      "'opening_4'; "
      "UPDATE summa_read.holder_dashboard_view_1 SET transactions = transactions + 1 WHERE "
      "holder_id "
      "= 'holder_000005'");
  EXPECT_EQ(VerifyLive("account-balance-view").differences, 2);
  EXPECT_EQ(VerifyLive("entry-record-view").differences, 1);
  EXPECT_EQ(VerifyLive("transaction-summary-view").differences, 1);
  EXPECT_EQ(VerifyLive("holder-dashboard-view").differences, 1);
}

TEST_P(BuildsTest, NothingIsAnnouncedTwiceByARebuildAndTheWayBack) {
  const Announcer announcer(1);
  read_->Execute("CREATE TABLE public.announced (position bigint, ordinal bigint)");
  Announce(announcer);
  RunAll();
  ASSERT_EQ(RebuildAll("announcer").state, OperationState::kDone);
  const long long before = traffic_->Committed();
  while (traffic_->Committed() < before + 50) RunOnce();
  ComeBack("announcer");
  traffic_->Stop();
  RunAll();
  ExpectEachEventIsAnnouncedOnce("summa_read.announcer_view");
}

// It begins behind the mark of the earlier one, which waits for an event in a hole.
TEST_P(BuildsTest, ANewVersionReplaysUpToTheMarkOfTheEarlierOne) {
  const Announcer first(1), second(2);
  read_->Execute("CREATE TABLE public.announced (position bigint, ordinal bigint)");
  Announce(first);
  Db late(url_);
  late.Execute("BEGIN; SELECT fixture.credit(fixture.account_id(21), 77)");
  const long long before = traffic_->Committed();
  while (traffic_->Committed() < before + 20) RunOnce();
  RunAll();
  ASSERT_NE(read_->Value("SELECT holes FROM summa_read.projection_checkpoint WHERE projection = "
                         "'announcer'"),
            "");
  // Hosts with the new version take over.
  Announce(second);
  settings_.keep_old = std::chrono::microseconds(1);
  int started = 0;
  runner_ = std::make_unique<Runner>(fake_->host(), settings_, *catalog_,
                                     [&](const Tick&, const summa_projection& projection) {
                                       ++started;
                                       StartNewVersion(fake_->host(), sql_->unleased(), projection);
                                     });
  RunOnce();
  EXPECT_EQ(started, 1);
  StartNewVersion(fake_->host(), sql_->unleased(), *second.table());  // by the next host
  ASSERT_EQ(db_->Count("SELECT count(*) FROM summa_host.operation"), 1) << "it is started once";
  late.Execute("COMMIT");
  const OperationView view = WorkOn(db_->Count("SELECT id FROM summa_host.operation"));
  EXPECT_EQ(view.state, OperationState::kDone) << view.error;
  traffic_->Stop();
  RunAll();
  ExpectEachEventIsAnnouncedOnce("summa_read.announcer_list");
  EXPECT_EQ(read_->Value("SELECT version FROM summa_read.projection_checkpoint WHERE projection = "
                         "'announcer' AND role = 'live'"),
            "2");
  test::WaitUntil(
      [&] {
        fake_->Advance(std::chrono::hours(1));
        RunAll();
        return read_->Count(
                   "SELECT count(*) FROM summa_read.projection_checkpoint WHERE role = 'old'") == 0;
      },
      test::kTimeout, "the end of a build that is not kept");
  EXPECT_EQ(read_->Count("SELECT count(*) FROM pg_tables WHERE tablename = 'announcer_view_1'"), 0)
      << "the tables of its version are removed with it";
}

TEST_P(BuildsTest, SingleAccountsAndTransactionsAreMadeAnewWhileTheLedgerIsWrittenTo) {
  RunAll();
  read_->Execute("UPDATE summa_read.account_balance_view_1 SET balance = balance + 7 WHERE id = " +
                 Account(1) +
                 "; DELETE FROM summa_read.account_balance_view_1 WHERE id = " + Account(22) +
                 "; DELETE FROM summa_read.entry_record_view_1 WHERE account_id = " + Account(3) +
                 "; UPDATE summa_read.transaction_summary_view_1 SET status = 'voided' "
                 "WHERE reference = 'opening_4'; UPDATE summa_read.holder_dashboard_view_1 SET "
                 "transactions = 0, balance = 7");
  const auto never = [](std::int64_t) { return false; };
  const auto rebuild = [&](const char* projection, const std::set<Uuid>& keys) {
    return RebuildKeys(sql_->unleased(), *catalog_->Find(projection), keys, never);
  };
  const auto key = [&](int account) {
    return *ParseUuid(db_->Value("SELECT fixture.account_id(" + std::to_string(account) + ")"));
  };
  EXPECT_GT(rebuild("account-balance-view", {key(1), key(22)}).events, 2);
  EXPECT_GT(rebuild("entry-record-view", {key(3)}).events, 1);
  const Applier& summary = *catalog_->Find("transaction-summary-view");
  const std::int64_t opening = db_->Count(
      "SELECT sequence_number FROM ledger_event e JOIN transaction_record t ON t.id = "
      "e.aggregate_id "
      "WHERE t.reference = 'opening_4'");
  const std::set<Uuid> keys = KeysBetween(sql_->unleased(), summary, opening - 1, opening);
  EXPECT_EQ(keys.size(), 2U) << "the opening of the account, and its credit";
  EXPECT_EQ(rebuild("transaction-summary-view", keys).keys, 2);
  std::set<Uuid> accounts;
  for (int account = 1; account <= 22; ++account) accounts.insert(key(account));
  EXPECT_EQ(rebuild("holder-dashboard-view", accounts).keys, 22);
  traffic_->Stop();
  RunAll();
  EXPECT_THAT(Differences(), IsEmpty());
}

// The runner looks only now and then at which keys are paused.
TEST_P(BuildsTest, AnEventOfAKeyThatWasPausedUntilAMomentAgoIsApplied) {
  traffic_->Stop();
  RunAll();
  const std::string table = "ALTER TABLE summa_read.account_balance_view_1 ";
  const auto credit = [&] { db_->Execute("SELECT fixture.credit(" + Account(5) + ", 60)"); };
  read_->Execute(table + "ADD CONSTRAINT refuses CHECK (id <> " + Account(5) + ") NOT VALID");
  credit();
  RunAll();
  ASSERT_EQ(read_->Count("SELECT count(*) FROM summa_read.projection_paused_key"), 1);
  read_->Execute(table + "DROP CONSTRAINT refuses");
  RebuildKeys(sql_->unleased(), *catalog_->Find("account-balance-view"),
              {*ParseUuid(db_->Value("SELECT fixture.account_id(5)"))},
              [](std::int64_t) { return false; });
  credit();
  runner_->Run(Tick(tick_->abi()));  // at the same time: it still believes that the key is paused
  EXPECT_EQ(read_->Count("SELECT count(*) FROM summa_read.projection_checkpoint WHERE state <> "
                         "'running'"),
            0);
  RunAll();
  EXPECT_THAT(Differences(), IsEmpty());
  EXPECT_EQ(read_->Count("SELECT count(*) FROM summa_read.projection_waiting"), 0);
}

// Both apply what waits, whichever comes first.
TEST_P(BuildsTest, AKeyIsMadeAnewWhileSomebodyResumesIt) {
  traffic_->Stop();
  RunAll();
  const std::string table = "ALTER TABLE summa_read.account_balance_view_1 ";
  for (int round = 0; round < 5; ++round) {
    read_->Execute(table + "ADD CONSTRAINT refuses CHECK (id <> " + Account(5) + ") NOT VALID");
    db_->Execute("SELECT fixture.credit(" + Account(5) + ", 60)");
    RunAll();
    ASSERT_EQ(read_->Count("SELECT count(*) FROM summa_read.projection_paused_key"), 1);
    read_->Execute(table + "DROP CONSTRAINT refuses");
    read_->Execute("UPDATE summa_read.projection_paused_key SET resume = true");
    const Uuid key = *ParseUuid(db_->Value("SELECT fixture.account_id(5)"));
    std::thread rebuild([&] {
      RebuildKeys(sql_->unleased(), *catalog_->Find("account-balance-view"), {key},
                  [](std::int64_t) { return false; });
    });
    runner_->Run(Tick(tick_->abi()));
    rebuild.join();
    RunAll();
    EXPECT_THAT(Differences(), IsEmpty());
    EXPECT_EQ(read_->Count("SELECT count(*) FROM summa_read.projection_paused_key"), 0);
  }
}

// Summa gives a holder one account in a currency today; nothing here rests on that.
TEST_P(BuildsTest, TheRowOfAHolderIsMadeAnewFromAllHisAccounts) {
  traffic_->Stop();
  db_->Execute("DROP INDEX uq_account_balance_holder_currency");
  db_->Execute(
      "SELECT fixture.create_account('holder_000001', fixture.account_id(101)), "
      "fixture.credit(fixture.account_id(101), 9)");
  RunAll();
  read_->Execute(
      "UPDATE summa_read.holder_dashboard_view_1 SET accounts = 0, debits = 1 WHERE holder_id = "
      "'holder_000001'");
  ASSERT_THAT(Differences(), ::testing::SizeIs(1));
  const std::set<Uuid> one = {*ParseUuid(db_->Value("SELECT fixture.account_id(101)"))};
  RebuildKeys(sql_->unleased(), *catalog_->Find("holder-dashboard-view"), one,
              [](std::int64_t) { return false; });
  EXPECT_THAT(Differences(), IsEmpty());
  const Announcer announcer(1);
  Announce(announcer);
  try {
    RebuildKeys(sql_->unleased(), *catalog_->Find("announcer"), one,
                [](std::int64_t) { return false; });
    ADD_FAILURE() << "it does not know how";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0566");
  }
}

INSTANTIATE_TEST_SUITE_P(Of, BuildsTest, testing::Bool(), [](const auto& param) {
  return param.param ? "WithAReadDatabase" : "InOneDatabase";
});

}  // namespace
}  // namespace summa::projections
