// How the verification reads: ranges, large aggregates in pieces, partitions, snapshots, limits,
// stopping.
#include <atomic>
#include <optional>
#include <summa/ledger/append.hpp>
#include <summa/ledger/exchange.hpp>
#include <system_error>
#include <thread>

#include "tests/services/thread_limit.hpp"
#include "tests/services/wait_until.hpp"
#include "tests/verify/verify_support.hpp"
#include "verify/job_pool.hpp"
#include "verify/ranges.hpp"

namespace summa::verify {
namespace {

constexpr int kLargeAggregate = 3000, kSmallAggregates = 700;

// A ledger of the plan's layout with one large aggregate and many small ones of two types.
class Store {
 public:
  explicit Store(const std::string& name) {
    MakeLedger(Layout::kPlan, name);
    database = std::make_unique<LedgerDatabase>(name);
    Session session(database->sql());
    const EventTable table = FindEvents(session);
    std::vector<NewEvent> events;
    for (int i = 0; i < kLargeAggregate; ++i) events.push_back(Event("account", 0, i));
    for (int i = 1; i <= kSmallAggregates; ++i) {
      for (int version = 0; version < 2; ++version) {
        events.push_back(Event(i % 2 == 0 ? "account" : "order", i, version));
      }
    }
    session.Begin();
    Append(session, table, events);
    session.Commit();
    database->db.Query("ANALYZE ledger_event");
  }
  static Uuid Id(int number) {
    Uuid id{};
    for (int at = 0; at < 16; ++at)
      id.bytes[static_cast<std::size_t>(at)] = static_cast<unsigned char>(number * (at + 7) * 37);
    id.bytes[14] = static_cast<unsigned char>(number >> 8);
    id.bytes[15] = static_cast<unsigned char>(number);
    return id;
  }
  static NewEvent Event(const std::string& type, int number, int version) {
    return {type, Id(number), "NOTED",
            "{\"note\": \"n" + std::to_string(version) + "\", \"b\": 1.50}", "correlation"};
  }
  static constexpr std::int64_t kEvents = kLargeAggregate + 2 * kSmallAggregates;
  static constexpr std::int64_t kAggregates = 1 + kSmallAggregates;
  std::unique_ptr<LedgerDatabase> database;
};

Store& Shared() {
  static Store store("verify_shared");
  return store;
}

VerifyOptions InRangesOf(std::int64_t rows) {
  VerifyOptions options;
  options.rows_per_range = rows;
  options.connections = 3;
  options.snapshot_table = "tamper.hash_snapshot";
  return options;
}

// A setting that outlived its transaction would make the pool close the session, and each range
// would pay for a new one.
TEST(JobPool, ReadsWithoutWorkersOfTheServerAndGivesItsSessionsBackAsTheyWere) {
  const summa_sql_v1* sql = Shared().database->sql();
  const auto setting = [](Session& session) {
    return session.Exec("SHOW max_parallel_workers_per_gather").Value<std::string>();
  };
  const auto pid = [](Session& session) {
    return session.Exec("SELECT pg_backend_pid()").Value<std::int32_t>();
  };
  VerifyOptions options;
  options.connections = 1;
  std::int64_t first = 0;
  for (int run = 0; run < 2; ++run) {
    JobPool(sql, options, "test", 1).Run(1, [&](Session& session, std::size_t, JobMeter&) {
      EXPECT_EQ(setting(session), "0");
      if (run == 0) first = pid(session);
      EXPECT_EQ(pid(session), first);
    });
  }
  Session after(sql);
  EXPECT_EQ(pid(after), first);
  EXPECT_EQ(setting(after), Shared().database->db.Value("SHOW max_parallel_workers_per_gather"));
}

TEST(JobPool, DoesTheWorkWithTheThreadsThatThereAre) {
  VerifyOptions options;
  options.connections = 3;
  std::atomic<int> done{0};
  {
    const test::ThreadLimit limit(1);
    JobPool(Shared().database->sql(), options, "test", 1)
        .Run(5, [&](Session&, std::size_t, JobMeter&) { ++done; });
  }
  EXPECT_EQ(done, 5);
  const test::ThreadLimit limit(0);
  EXPECT_THROW(JobPool(Shared().database->sql(), options, "test", 1)
                   .Run(5, [](Session&, std::size_t, JobMeter&) {}),
               std::system_error);
}

// Broken connections are waited for; here for longer than any test runs.
TEST(JobPool, HearsAStopBetweenTwoAttempts) {
  VerifyOptions options;
  options.connections = 1;
  std::atomic<int> attempts{0};
  options.should_stop = [&] { return attempts > 0; };
  JobPool pool(Shared().database->sql(), options, "test", 1, std::chrono::hours(1));
  try {
    pool.Run(1, [&](Session&, std::size_t, JobMeter& meter) {
      ++attempts;
      meter.Count(10);
      throw Error(SUMMA_E_UNAVAILABLE, "SH-0401", "away");
    });
    ADD_FAILURE() << "it was stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0904") << error.what();
  }
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(pool.rows(), 0) << "a failed attempt counts nothing";
}

TEST(JobPool, DoesAJobAgainWhoseConnectionBrokeAndGivesUpInTheEnd) {
  VerifyOptions options;
  options.connections = 1;
  int attempts = 0, broken = 2;
  const auto work = [&](Session& session, std::size_t, JobMeter& meter) {
    meter.Count(10);
    if (++attempts <= broken) session.Exec("SELECT pg_terminate_backend(pg_backend_pid())");
  };
  JobPool pool(Shared().database->sql(), options, "test", 1, std::chrono::milliseconds(1));
  pool.Run(1, work);
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(pool.rows(), 10);

  attempts = 0, broken = 1000;
  try {
    JobPool(Shared().database->sql(), options, "test", 1, std::chrono::milliseconds(1))
        .Run(1, work);
    ADD_FAILURE() << "it never had a connection";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), SUMMA_E_UNAVAILABLE) << error.what();
  }
  EXPECT_EQ(attempts, 5);
}

TEST(JobPool, BeginsNoJobWhileAnExchangeIsAnnounced) {
  const summa_sql_v1* sql = Shared().database->sql();
  std::optional<Session> exchange(std::in_place, sql);
  exchange->Begin();
  ledger::AnnounceExchange(*exchange);
  VerifyOptions options;
  options.connections = 2;
  std::atomic<int> jobs{0};
  JobPool pool(sql, options, "test", 1);
  std::thread verification([&] { pool.Run(2, [&](Session&, std::size_t, JobMeter&) { ++jobs; }); });
  test::WaitUntil(
      [&] {
        return Shared().database->db.Count(
                   "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle' AND query LIKE "
                   "'%pg_try_advisory_xact_lock_shared%' AND pid <> pg_backend_pid()") == 2;
      },
      test::kTimeout, "both sessions of the pool to have looked");
  EXPECT_EQ(jobs, 0);
  exchange.reset();
  verification.join();
  EXPECT_EQ(jobs, 2);
}

TEST(JobPool, HearsAStopWhileAnExchangeIsAnnounced) {
  const summa_sql_v1* sql = Shared().database->sql();
  Session exchange(sql);
  exchange.Begin();
  ledger::AnnounceExchange(exchange);
  VerifyOptions options;
  int asked = 0;
  options.should_stop = [&] { return ++asked > 2; };
  EXPECT_THROW(
      JobPool(sql, options, "test", 1)
          .Run(1, [](Session&, std::size_t, JobMeter&) { ADD_FAILURE() << "it does not wait"; }),
      Error);
}

TEST(Append, MakesChainsThatVerify) {
  const ChainReport chains = VerifyChains(Shared().database->sql(), {});
  EXPECT_EQ(chains.events, Store::kEvents);
  EXPECT_EQ(chains.aggregates, Store::kAggregates);
  EXPECT_EQ(chains.finding_count, 0) << Described(chains.findings);
}

TEST(Append, RefusesAnotherVersionThanExpectedAndWritesNothing) {
  Session session(Shared().database->sql());
  const EventTable table = FindEvents(session);
  NewEvent event = Store::Event("account", 2, 0);
  event.expected_version = 1;
  session.Begin();
  try {
    const NewEvent first = Store::Event("account", 4, 0);
    Append(session, table, std::vector<NewEvent>{first, event});
    FAIL() << "version 2 was taken for version 1";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0804");
    EXPECT_EQ(error.status(), SUMMA_E_TRY_LATER);
  }
  session.Rollback();
  EXPECT_EQ(VerifyChains(Shared().database->sql(), {}).events, Store::kEvents);
}

TEST(Append, SerialisesWritersOfOneAggregate) {
  MakeLedger(Layout::kPlan, "verify_append");
  LedgerDatabase database("verify_append");
  constexpr int kThreads = 4, kEach = 25;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      Session session(database.sql());
      const EventTable table = FindEvents(session);
      for (int round = 0; round < kEach; ++round) {
        const std::vector<NewEvent> events = {Store::Event("account", round % 2, 1),
                                              Store::Event("account", 1 - round % 2, 1)};
        session.Begin();
        Append(session, table, events);
        session.Commit();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const ChainReport chains = VerifyChains(database.sql(), {});
  EXPECT_EQ(chains.events, 2 * kThreads * kEach);
  EXPECT_EQ(chains.finding_count, 0) << Described(chains.findings);
}

TEST(Append, RefusesTheDeployedLayout) {
  const auto database = CopyOfLedger(Layout::kDeployed);
  Session session(database->sql());
  const EventTable table = FindEvents(session);
  EXPECT_THROW(Append(session, table, std::vector<NewEvent>{Store::Event("account", 1, 0)}), Error);
}

TEST(Ranges, EveryEventLiesInExactlyOne) {
  Session session(Shared().database->sql());
  const EventTable table = FindEvents(session);
  const auto ranges = PlanRanges(session, table, 200, EstimatedRows(session, table));
  EXPECT_GT(ranges.size(), 10U);
  std::string any;
  int pieces = 0;
  for (const Range& range : ranges) {
    any += (any.empty() ? "(" : " + (") + Condition(table, range) + ")::int";
    pieces += range.only ? 1 : 0;
  }
  EXPECT_GT(pieces, 3) << "the large aggregate was not cut";
  EXPECT_EQ(
      Shared().database->db.Count("SELECT count(*) FROM ledger_event e WHERE " + any + " <> 1"), 0);
}

// More ranges are asked for than the sample may have rows, as at a low rate of a large ledger.
TEST(Ranges, AreCutHoweverManyThereWouldBe) {
  Session session(Shared().database->sql());
  const auto ranges = PlanRanges(session, FindEvents(session), 1, 1'000'000);
  // Two would be one for each type: not cut at all.
  EXPECT_GT(ranges.size(), static_cast<std::size_t>(Store::kEvents) / 50);
  std::set<std::string> types;
  for (const Range& range : ranges) types.insert(range.aggregate_type);
  EXPECT_EQ(types, (std::set<std::string>{"account", "order"}));
}

TEST(Ranges, TheResultDoesNotDependOnThem) {
  const auto database = std::make_unique<Store>("verify_ranges");
  test::Db& db = database->database->db;
  const std::string large = ToText(Store::Id(0));
  // In the large aggregate a changed event and, above it, a missing one; two broken small ones.
  db.Query(
      "UPDATE ledger_event SET event_data = '{}' WHERE aggregate_id = $1 AND sequence_number = "
      "1234",
      {large});
  db.Query("DELETE FROM ledger_event WHERE aggregate_id = $1 AND sequence_number = 2000", {large});
  db.Query(
      "UPDATE ledger_event SET event_hash = repeat('0', 64) WHERE aggregate_id = $1 AND "
      "sequence_number = 1",
      {ToText(Store::Id(5))});
  db.Query("DELETE FROM ledger_event WHERE aggregate_id = $1 AND sequence_number = 1",
           {ToText(Store::Id(6))});
  const ChainReport whole = VerifyChains(database->database->sql(), InRangesOf(1'000'000));
  EXPECT_EQ(whole.broken_count, 3);
  for (const std::int64_t rows : {std::int64_t{1000}, std::int64_t{1500}}) {
    const ChainReport cut = VerifyChains(database->database->sql(), InRangesOf(rows));
    EXPECT_EQ(Described(cut.findings), Described(whole.findings));
    EXPECT_EQ(cut.events, whole.events);
    EXPECT_EQ(cut.aggregates, whole.aggregates);
    EXPECT_EQ(cut.events_in_valid_prefixes, whole.events_in_valid_prefixes);
    ASSERT_EQ(cut.broken.size(), whole.broken.size());
    for (std::size_t i = 0; i < cut.broken.size(); ++i) {
      EXPECT_EQ(cut.broken[i].aggregate_id, whole.broken[i].aggregate_id);
      EXPECT_EQ(cut.broken[i].broken_at_version, whole.broken[i].broken_at_version);
      EXPECT_EQ(cut.broken[i].event_count, whole.broken[i].event_count);
    }
  }
  const AggregateReport aggregate =
      VerifyAggregate(database->database->sql(), InRangesOf(1000), "account", Store::Id(0));
  EXPECT_FALSE(aggregate.valid);
  EXPECT_EQ(aggregate.broken_at_version, 1234);
  EXPECT_EQ(aggregate.event_count, 1233);
  EXPECT_EQ(aggregate.findings.size(), 2U) << Described(aggregate.findings);
}

TEST(Aggregate, ThatIsUnknownDoesNotExist) {
  const AggregateReport report =
      VerifyAggregate(Shared().database->sql(), {}, "account", Store::Id(60'000));
  EXPECT_FALSE(report.exists);
  EXPECT_EQ(report.event_count, 0);
}

class FromSnapshot : public testing::Test {
 protected:
  FromSnapshot() {
    static int number = 0;
    store_ = std::make_unique<Store>("verify_snapshot_" + std::to_string(++number));
    start_ = {2500, HashAt(2500)};
  }
  test::Db& db() { return store_->database->db; }
  std::string HashAt(int version) {
    return db().Value(
        "SELECT event_hash FROM ledger_event WHERE aggregate_id = $1 AND sequence_number = $2::int",
        {ToText(Store::Id(0)), std::to_string(version)});
  }
  AggregateReport Verify() {
    return VerifyAggregate(store_->database->sql(), InRangesOf(1000), "account", Store::Id(0),
                           start_);
  }
  std::unique_ptr<Store> store_;
  SnapshotStart start_;
};

TEST_F(FromSnapshot, OnlyTheTailIsVerified) {
  db().Query(
      "UPDATE ledger_event SET event_data = '{}' WHERE aggregate_id = $1 AND sequence_number = 7",
      {ToText(Store::Id(0))});
  const AggregateReport report = Verify();
  EXPECT_TRUE(report.valid) << Described(report.findings);  // by design: what lies below is trusted
  EXPECT_EQ(report.snapshot_version, 2500);
  EXPECT_EQ(report.verified_from, 2500);
  EXPECT_EQ(report.event_count, kLargeAggregate);
  db().Query(
      "UPDATE ledger_event SET event_data = '{}' WHERE aggregate_id = $1 AND sequence_number = "
      "2700",
      {ToText(Store::Id(0))});
  EXPECT_EQ(Verify().broken_at_version, 7);  // once the tail is broken, all is verified
}

TEST_F(FromSnapshot, TheEventOfTheSnapshotIsHashedAnew) {
  db().Query(
      "UPDATE ledger_event SET event_data = '{}' WHERE aggregate_id = $1 AND sequence_number = "
      "2500",
      {ToText(Store::Id(0))});
  const AggregateReport report = Verify();
  EXPECT_FALSE(report.valid);
  EXPECT_EQ(report.broken_at_version, 2500);
}

TEST_F(FromSnapshot, AnotherHashIsAMismatchAndEverythingIsVerified) {
  start_.hash = std::string(64, '0');
  const AggregateReport report = Verify();
  EXPECT_FALSE(report.valid);
  EXPECT_EQ(report.verified_from, 1);
  EXPECT_EQ(report.event_count, kLargeAggregate);
  ASSERT_EQ(report.findings.size(), 1U) << Described(report.findings);
  EXPECT_EQ(report.findings[0].kind, kind::kSnapshotMismatch);
}

TEST_F(FromSnapshot, ATruncatedOrBeheadedChainIsSeen) {
  db().Query("DELETE FROM ledger_event WHERE aggregate_id = $1 AND sequence_number >= 2400",
             {ToText(Store::Id(0))});
  const AggregateReport truncated = Verify();
  EXPECT_FALSE(truncated.valid);
  EXPECT_EQ(KindsOf(truncated.findings), (std::set<std::string>{"snapshot_mismatch"}));
  db().Query("DELETE FROM ledger_event WHERE aggregate_id = $1", {ToText(Store::Id(0))});
  EXPECT_EQ(KindsOf(Verify().findings), (std::set<std::string>{"snapshot_mismatch"}));
}

TEST_F(FromSnapshot, ABeheadedChainIsSeen) {
  db().Query("DELETE FROM ledger_event WHERE aggregate_id = $1 AND sequence_number <= 10",
             {ToText(Store::Id(0))});
  const AggregateReport report = Verify();
  EXPECT_FALSE(report.valid);
  EXPECT_EQ(KindsOf(report.findings), (std::set<std::string>{"missing_first"}));
}

TEST_F(FromSnapshot, AllAggregatesStartAtTheirLatest) {
  db().Query("SELECT tamper.take_snapshots()");
  db().Query("DELETE FROM tamper.hash_snapshot WHERE aggregate_id = $1", {ToText(Store::Id(0))});
  db().Query(
      "INSERT INTO tamper.hash_snapshot (aggregate_type, aggregate_id, snapshot_version, "
      "snapshot_hash, event_count) "
      "VALUES ('account', $1, 1000, $2, 1000), ('account', $1, 2500, $3, 2500)",
      {ToText(Store::Id(0)), HashAt(1000), HashAt(2500)});
  for (const std::int64_t rows : {std::int64_t{1'000'000}, std::int64_t{1000}}) {
    VerifyOptions options = InRangesOf(rows);
    options.from_snapshots = true;
    const ChainReport chains = VerifyChains(store_->database->sql(), options);
    EXPECT_EQ(chains.finding_count, 0) << Described(chains.findings);
    EXPECT_EQ(chains.events, kLargeAggregate - 2499 + kSmallAggregates);
    EXPECT_EQ(chains.aggregates, Store::kAggregates);
    EXPECT_EQ(chains.snapshots_used, Store::kAggregates);
  }
  EXPECT_EQ(VerifySnapshots(store_->database->sql(), InRangesOf(1000)).mismatches, 0);
  db().Query(
      "UPDATE tamper.hash_snapshot SET snapshot_hash = repeat('0', 64) WHERE aggregate_id = $1 AND "
      "snapshot_version = 1000",
      {ToText(Store::Id(0))});
  EXPECT_EQ(VerifySnapshots(store_->database->sql(), InRangesOf(1000)).mismatches, 1);
}

TEST(Since, OnlyNewEventsAreVerifiedAndTheirLinksLookedUp) {
  const Store store("verify_since");
  test::Db& db = store.database->db;
  const std::string large = ToText(Store::Id(0));
  db.Query(
      "UPDATE ledger_event SET created_at = '2026-01-01' WHERE aggregate_id <> $1 OR "
      "sequence_number <= 2900",
      {large});
  const std::int64_t since = db.Count(
      "SELECT (extract(epoch FROM timestamptz '2026-02-01' - timestamptz '2000-01-01') * "
      "1000000)::bigint");
  VerifyOptions options = InRangesOf(1000);
  options.created_since = since;
  ChainReport chains = VerifyChains(store.database->sql(), options);
  EXPECT_EQ(chains.events, kLargeAggregate - 2900);
  EXPECT_EQ(chains.finding_count, 0) << Described(chains.findings);
  db.Query(
      "UPDATE ledger_event SET event_hash = repeat('0', 64) WHERE aggregate_id = $1 AND "
      "sequence_number = 2900",
      {large});
  chains = VerifyChains(store.database->sql(), options);
  ASSERT_EQ(chains.findings.size(), 1U) << Described(chains.findings);
  EXPECT_EQ(chains.findings[0].kind, kind::kLinkMismatch);
  EXPECT_EQ(chains.findings[0].version, 2901);
}

TEST(Partitions, AreReadAsOneTableAndPruned) {
  const Store store("verify_partitions");
  test::Db& db = store.database->db;
  const std::string large = ToText(Store::Id(0));
  db.Execute(
      "ALTER TABLE ledger_event RENAME TO ledger_event_old;"
      "CREATE TABLE ledger_event (LIKE ledger_event_old INCLUDING DEFAULTS) PARTITION BY RANGE "
      "(created_at);"
      "CREATE TABLE ledger_event_2026_01 PARTITION OF ledger_event FOR VALUES FROM (MINVALUE) TO "
      "('2026-02-01');"
      "CREATE TABLE ledger_event_2026_02 PARTITION OF ledger_event FOR VALUES FROM ('2026-02-01') "
      "TO (MAXVALUE);"
      "CREATE INDEX ON ledger_event (aggregate_type, aggregate_id, sequence_number);"
      "UPDATE ledger_event_old SET created_at = CASE WHEN position <= 2400 THEN timestamptz "
      "'2026-01-15' ELSE '2026-02-15' END;"
      "INSERT INTO ledger_event SELECT * FROM ledger_event_old; ALTER TABLE outbox DROP CONSTRAINT "
      "outbox_event_id_ledger_event_id_fk;"
      "ALTER SEQUENCE ledger_event_position_seq OWNED BY NONE; DROP TABLE ledger_event_old; "
      "ANALYZE ledger_event");
  for (const std::int64_t rows : {std::int64_t{1'000'000}, std::int64_t{1000}}) {
    const ChainReport chains = VerifyChains(store.database->sql(), InRangesOf(rows));
    EXPECT_EQ(chains.events, Store::kEvents);
    EXPECT_EQ(chains.aggregates, Store::kAggregates);
    EXPECT_EQ(chains.finding_count, 0) << Described(chains.findings);
  }
  // Starting above the border, the older partition is not read: its damage is not seen, and not
  // needed.
  const std::string hash = db.Value(
      "SELECT event_hash FROM ledger_event WHERE aggregate_id = $1 AND sequence_number = 2800",
      {large});
  const SnapshotStart start{2800, hash};
  const AggregateReport report =
      VerifyAggregate(store.database->sql(), InRangesOf(1000), "account", Store::Id(0), start);
  EXPECT_TRUE(report.valid) << Described(report.findings);
  EXPECT_EQ(report.verified_from, 2800);
  // A later version that was written by a transaction begun long before is not taken for a gap.
  db.Query(
      "UPDATE ledger_event SET created_at = '2026-01-15' WHERE aggregate_id = $1 AND "
      "sequence_number = 2900",
      {large});
  const AggregateReport early =
      VerifyAggregate(store.database->sql(), InRangesOf(1000), "account", Store::Id(0), start);
  EXPECT_TRUE(early.valid) << Described(early.findings);
  EXPECT_EQ(early.event_count, kLargeAggregate);
}

TEST(Limits, TheRateIsKept) {
  VerifyOptions options = InRangesOf(1000);
  options.max_rows_per_second = 10'000;
  const auto started = std::chrono::steady_clock::now();
  VerifyChains(Shared().database->sql(), options);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  EXPECT_GE(took.count(), static_cast<double>(Store::kEvents) / 10'000 * 0.8);
}

TEST(Limits, FindingsAboveTheLimitAreCountedOnly) {
  const Store store("verify_many_findings");
  store.database->db.Query(
      "UPDATE ledger_event SET event_data = '{}' WHERE aggregate_type = 'order'");
  VerifyOptions options = InRangesOf(1000);
  options.max_findings = 10;
  const ChainReport chains = VerifyChains(store.database->sql(), options);
  EXPECT_EQ(chains.findings.size(), 10U);
  EXPECT_EQ(chains.broken.size(), 10U);
  EXPECT_EQ(chains.finding_count, kSmallAggregates);
  EXPECT_EQ(chains.broken_count, kSmallAggregates / 2);
}

TEST(Stopping, EndsTheVerificationAtOnceAlsoUnderALimit) {
  VerifyOptions options = InRangesOf(1000);
  options.max_rows_per_second = 1;  // an hour
  std::atomic<int> asked{0};
  options.should_stop = [&] { return ++asked > 3; };
  try {
    VerifyChains(Shared().database->sql(), options);
    FAIL() << "it went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0904");
    EXPECT_EQ(error.status(), SUMMA_E_CANCELLED);
  }
}

TEST(ProgressReports, CountRowsAndComeToTheEnd) {
  VerifyOptions options = InRangesOf(1000);
  options.max_rows_per_second = 5'000;
  std::vector<Progress> reports;
  options.on_progress = [&](const Progress& progress) { reports.push_back(progress); };
  VerifyChains(Shared().database->sql(), options);
  ASSERT_GE(reports.size(), 2U);
  for (std::size_t i = 1; i < reports.size(); ++i) EXPECT_GE(reports[i].done, reports[i - 1].done);
  EXPECT_EQ(reports.back().done, Store::kEvents);
  EXPECT_GE(reports.back().total, Store::kEvents);
  EXPECT_EQ(reports.back().stage, "chains");
}

TEST(BrokenConnections, CostOneRangeAndNotTheResult) {
  VerifyOptions options = InRangesOf(1000);
  options.max_rows_per_second = 4'000;
  std::atomic<int> killed{0};
  test::Db killer(Shared().database->url);
  options.should_stop = [&] {
    if (killed < 2) {
      killed +=
          static_cast<int>(killer
                               .Query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                      "WHERE query LIKE 'COPY%' AND datname = "
                                      "current_database() LIMIT 1")
                               .size());
    }
    return false;
  };
  const ChainReport chains = VerifyChains(Shared().database->sql(), options);
  EXPECT_GE(killed, 1);
  EXPECT_EQ(chains.events, Store::kEvents);
  EXPECT_EQ(chains.finding_count, 0) << Described(chains.findings);
}

}  // namespace
}  // namespace summa::verify
