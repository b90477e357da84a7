// The whole path with the real program: a ledger in PostgreSQL, the outbox and bus-redis plugins,
// Redis.
#include <filesystem>
#include <iterator>

#include "tests/e2e/outbox_support.hpp"

namespace summa::test {
namespace {

TEST_F(Outbox, ADatabaseMadeBySummaItselfIsDeliveredCompleteAndInOrder) {
  if (!UseSummasOwn())
    GTEST_SKIP() << "skipped: ../shared is absent, so there is no database made by Summa";
  const std::set<std::string> pending = Pending();
  ASSERT_EQ(pending.size(), 1882u);
  const RunResult result = Once(Configuration());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(JsonMember(result.out, "ok"), "true");
  const auto received = ReadStreams();
  EXPECT_EQ(received.size(), 1882u);
  EXPECT_EQ(Ids(received), pending);
  EXPECT_EQ(RedisClient(redis_.Url()).Keys("summa:stream:*").size(), 9u);
  ExpectOrder(received);
  ExpectMarkedAsTheContractSays(pending);
  // Rows that were processed before are not touched: what Summa lost stays recognisable.
  EXPECT_EQ(
      Db(url_).Count("SELECT count(*) FROM outbox WHERE status = 'processed' AND retry_count > 0 "
                     "AND last_error IS NOT NULL"),
      5);

  const RunResult second = Once(Configuration());
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_NE(second.out.find("\"delivered\":0"), std::string::npos) << second.out;
  EXPECT_EQ(ReadStreams().size(), 1882u);
}

// Two hosts of this release start at once beside a ledger that is written to, and both may migrate.
TEST_F(Outbox, ADatabaseOfTheReleaseBeforeIsUpgradedUnderLoadAndLosesNothing) {
  url_ = InstallLedger(*server_, name_);
  server_->RunSqlFile(name_, SourceDir() + "/tests/fixture/migrated_before_plugins.sql");
  TrafficGenerator traffic(url_, {.connections = 4, .accounts = 25, .rate = 0});
  traffic.Start();
  WaitUntil([&] { return traffic.Committed() >= 200; }, kTimeout, "operations before the upgrade");
  const TemporaryFile file("summa.yaml", Configuration());
  RunningHost first({"-c", file.Path()}), second({"-c", file.Path()});
  first.StatusWhen("running");
  second.StatusWhen("running");
  const auto now = traffic.Committed();
  WaitUntil([&] { return traffic.Committed() >= now + 300; }, kTimeout, "operations after it");
  traffic.Stop();
  WaitUntil([&] { return Pending().empty(); }, kTimeout, "the delivery of every row");
  const auto received = ReadStreams();
  const auto rows = Db(url_).Column("SELECT id FROM outbox");
  EXPECT_EQ(Ids(received), std::set<std::string>(rows.begin(), rows.end()));
  EXPECT_EQ(received.size(), rows.size()) << "something was sent twice";
  ExpectOrder(received);
  const std::filesystem::directory_iterator steps(SourceDir() + "/plugins/outbox/schema/ledger");
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM summa_host.schema_migration WHERE plugin = "
                           "'outbox'"),
            std::distance(begin(steps), end(steps)));
}

TEST_F(Outbox, WithOneRouteAnAccountsWholeHistoryIsInOrderInOneStream) {
  if (!UseSummasOwn())
    GTEST_SKIP() << "skipped: ../shared is absent, so there is no database made by Summa";
  EXPECT_EQ(Once(Configuration(", route: ledger, batch_size: 50")).exit_code, 0);
  const auto received = ReadStreams();
  EXPECT_EQ(received.size(), 1882u);
  for (const Received& message : received) EXPECT_EQ(message.stream, "summa:stream:ledger");
  ExpectOrder(received);
}

TEST_F(Outbox, ConstraintNamesOfPostgresqlWorkAsWellAsThoseOfDrizzle) {
  for (const ConstraintNames names : {ConstraintNames::kDrizzle, ConstraintNames::kAutomatic}) {
    name_ += names == ConstraintNames::kDrizzle ? "_drizzle" : "_automatic";
    RedisClient(redis_.Url()).Command({"FLUSHALL"});
    UseFixture(names);
    const auto pending = Pending();
    const RunResult result = Once(Configuration());
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(Ids(ReadStreams()), pending);
    ExpectOrder(ReadStreams());
  }
}

TEST_F(Outbox, EveryFieldOfAMessageIsThatOfItsRow) {
  UseFixture();
  EXPECT_EQ(Once(Configuration()).exit_code, 0);
  std::map<std::string, Row> rows;
  for (const Row& row : Db(url_).Query(
           "SELECT o.id, o.topic, o.payload::text, "
           "to_char(o.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), "
           "p.ordering_key, "
           "p.position, e.correlation_id FROM outbox o JOIN fixture.outbox_position p USING (id) "
           "JOIN ledger_event e ON e.sequence_number = p.position")) {
    rows[row[0]] = row;
  }
  for (const Received& message : ReadStreams()) {
    const Row& row = rows.at(message.id);
    EXPECT_EQ("summa:stream:" + row[1], message.stream);
    EXPECT_EQ(row[1], message.type);
    EXPECT_EQ(row[2], message.payload);
    EXPECT_EQ(row[3], message.timestamp);
    EXPECT_EQ(row[4], message.key);
    EXPECT_EQ(row[5], message.position);
    EXPECT_EQ(row[6], message.correlation_id);
  }
}

TEST_F(Outbox, ARunningHostDeliversLiveTrafficAndHandsItsLeaseToTheNext) {
  UseFixture(ConstraintNames::kDrizzle, 50);
  const TemporaryFile file("summa.yaml", Configuration());
  TrafficGenerator traffic(url_, {.connections = 3, .accounts = 25, .rate = 300});
  RunningHost first({"-c", file.Path()});
  first.StatusWhen("running");
  RunningHost second({"-c", file.Path()});
  second.StatusWhen("running");
  traffic.Start();
  WaitUntil([&] { return traffic.Committed() >= 300; }, seconds(60), "traffic with two hosts");
  first.process().Signal(SIGTERM);
  EXPECT_EQ(first.process().WaitOrKill(kTimeout), 0) << first.process().Stderr();
  const long long committed = traffic.Committed();
  WaitUntil([&] { return traffic.Committed() >= committed + 300; }, seconds(60),
            "traffic with one host");
  traffic.Stop();
  WaitUntil([&] { return Pending().empty(); }, seconds(60), "an empty outbox");
  second.process().Signal(SIGTERM);
  EXPECT_EQ(second.process().WaitOrKill(kTimeout), 0) << second.process().Stderr();

  const auto received = ReadStreams();
  const auto rows = Db(url_).Column("SELECT id FROM outbox");
  EXPECT_EQ(Ids(received), std::set<std::string>(rows.begin(), rows.end()));
  ExpectOrder(received);
  EXPECT_GE(
      Db(url_).Count("SELECT fence FROM summa_host.worker_fence WHERE worker = 'outbox-processor'"),
      2);
}

TEST_F(Outbox, OnceRightAfterAHostStoppedFindsItsPeriodicWorkersFree) {
  UseFixture(ConstraintNames::kDrizzle, 20);
  const TemporaryFile file("summa.yaml", Configuration());
  const char* kept =
      "SELECT count(*) FROM worker_lease WHERE worker_id = 'outbox-cleanup' AND lease_holder LIKE "
      "'idle:%' AND lease_until > now()";
  RunningHost host({"-c", file.Path()});
  WaitUntil([&] { return Db(url_).Count(kept) == 1; }, kTimeout, "a run of the cleanup");
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
  const RunResult once =
      SummaHost({"run", "--once", "--wait", "1ms", "-c", file.Path(), "--output", "json"});
  EXPECT_EQ(once.exit_code, 0) << once.err;
  EXPECT_EQ(once.out.find("\"skipped\""), std::string::npos) << once.out;
  EXPECT_EQ(Db(url_).Count(kept), 1) << "still no business of Summa's own runner";
  const RunResult list = SummaHost({"workers", "list", "-c", file.Path(), "--output", "json"});
  EXPECT_NE(list.out.find("\"outbox-cleanup\""), std::string::npos) << list.out << list.err;
  EXPECT_EQ(list.out.find("idle:"), std::string::npos) << list.out;
}

TEST_F(Outbox, AKilledHostLosesNothingAndTheNextTakesOverWhenItsLeaseEnds) {
  UseFixture(ConstraintNames::kDrizzle, 50);
  const TemporaryFile file(
      "summa.yaml", Configuration("", "schedules: { outbox-processor: { lease_ttl: 1s } }\n"));
  TrafficGenerator traffic(url_, {.connections = 3, .accounts = 10, .rate = 400});
  traffic.Start();
  for (int round = 0; round < 3; ++round) {
    RunningHost host({"-c", file.Path()});
    const auto length = [&] { return ReadStreams().size(); };
    const std::size_t before = length();
    WaitUntil([&] { return length() > before + 20; }, kTimeout, "messages of this host");
    host.process().Signal(SIGKILL);
    host.process().WaitOrKill(kTimeout);
  }
  traffic.Stop();
  const RunResult last = SummaHost({"run", "--once", "-c", file.Path()});
  EXPECT_EQ(last.exit_code, 0) << last.err;
  const auto received = ReadStreams();
  const auto rows = Db(url_).Column("SELECT id FROM outbox");
  EXPECT_EQ(Ids(received), std::set<std::string>(rows.begin(), rows.end()));
  EXPECT_TRUE(Pending().empty());
  ExpectOrder(received);
}

TEST_F(Outbox, ARedisThatGoesAwayAndComesBackBurnsNoAttempt) {
  UseFixture(ConstraintNames::kDrizzle, 50);
  const TemporaryFile file("summa.yaml", Configuration(", retry_cap: 200ms"));
  RunningHost host({"-c", file.Path()});
  WaitUntil([&] { return Pending().empty(); }, kTimeout, "an empty outbox");
  redis_.Stop();
  TrafficGenerator traffic(url_, {.connections = 2, .accounts = 10, .rate = 200});
  traffic.Start();
  WaitUntil([&] { return traffic.Committed() >= 200; }, kTimeout, "traffic without Redis");
  traffic.Stop();
  const auto waiting = Pending();
  EXPECT_FALSE(waiting.empty());
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM outbox WHERE retry_count > 0"), 0);
  redis_.Start();
  WaitUntil([&] { return Pending().empty(); }, kTimeout, "delivery after Redis came back");
  EXPECT_EQ(Ids(ReadStreams()), waiting);
  ExpectOrder(ReadStreams());
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0);
  EXPECT_NE(host.process().Stderr().find("SH-0501"), std::string::npos);
}

TEST_F(Outbox, VerbsOfThePluginsAnswerInTextAndJson) {
  UseFixture(ConstraintNames::kDrizzle, 50);
  const TemporaryFile file("summa.yaml", Configuration());
  EXPECT_EQ(SummaHost({"run", "--once", "-c", file.Path()}).exit_code, 0);
  const RunResult status = SummaHost({"outbox", "status", "-c", file.Path(), "--output", "json"});
  EXPECT_EQ(status.exit_code, 0) << status.err;
  EXPECT_EQ(JsonMember(status.out, "mode"), "own");
  EXPECT_EQ(JsonMember(status.out, "pending"), "0");
  EXPECT_EQ(JsonMember(status.out, "failed"), "0");
  const RunResult tail =
      SummaHost({"bus", "tail", "ledger-account-credited", "--count", "3", "-c", file.Path()});
  EXPECT_EQ(tail.exit_code, 0) << tail.err;
  EXPECT_NE(tail.out.find("ledger-account-credited"), std::string::npos) << tail.out;
  EXPECT_EQ(SummaHost({"bus", "tail", "no-such-stream", "-c", file.Path()}).exit_code, 66);
  EXPECT_EQ(SummaHost({"outbox", "redrive", "--id", "no-uuid", "-c", file.Path()}).exit_code, 64);
  EXPECT_EQ(SummaHost({"outbox", "redrive", "--id", "00000000-0000-0000-0000-000000000000", "-c",
                       file.Path()})
                .exit_code,
            66);
  const std::string id = Db(url_).Value("SELECT id FROM outbox LIMIT 1");
  EXPECT_EQ(SummaHost({"outbox:redrive", "--id", id, "-c", file.Path()}).exit_code, 0);
  EXPECT_EQ(Pending(), std::set<std::string>{id});
}

}  // namespace
}  // namespace summa::test
