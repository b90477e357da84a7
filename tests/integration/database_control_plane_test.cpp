#include <thread>

#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

using std::chrono::seconds;

class ControlPlaneTest : public DatabaseTest {
 protected:
  // A database with nothing in it.
  std::string Empty() {
    const std::string name = name_ + "_empty";
    return Server().CreateDatabase(name);
  }
  DatabaseSettings At(const std::string& url, const std::string& user = "") {
    DatabaseSettings settings = settings_;
    settings.url = url;
    if (!user.empty()) settings.url.replace(settings.url.find("postgres@"), 8, user);
    return settings;
  }
};

TEST_F(ControlPlaneTest, KnowsItsMigrationsWithoutTheSchema) {
  ControlPlane control(At(Empty()));
  const auto steps = control.Migrations();
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0].name, "host");
  EXPECT_FALSE(steps[0].applied || steps[1].applied);
  EXPECT_EQ(
      CatchSql([&] { control.RecordState("w", "p", "periodic", "running", "h"); }).error().code,
      "SH-0412");
}

TEST_F(ControlPlaneTest, MigratesOnceHoweverOftenItIsAsked) {
  ControlPlane control(At(Empty()));
  EXPECT_EQ(control.Migrate().size(), 2u);
  EXPECT_EQ(control.Migrate().size(), 0u);
  EXPECT_TRUE(control.Migrations().at(1).applied);
}

TEST_F(ControlPlaneTest, ManyMigrationsAtOnceApplyEveryStepOnce) {
  const std::string url = Empty();
  std::atomic<std::size_t> applied{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { applied += ControlPlane(At(url)).Migrate().size(); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(applied, 2u);
  EXPECT_EQ(test::Db(url).Count("SELECT count(*) FROM summa_host.schema_migration"), 3);
}

TEST_F(ControlPlaneTest, RoleThatMayNotCreateSchemasIsToldWhatToGrant) {
  const std::string url = Empty();
  db_->Execute("DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN");
  const DatabaseSettings clerk = At(url, "clerk");
  const auto failure = CatchSql([&] { ControlPlane(clerk).Migrate(); });
  EXPECT_EQ(failure.error().code, "SH-0413");
  const std::string grant = "GRANT CREATE ON DATABASE \"" + name_ + "_empty\" TO \"clerk\";";
  EXPECT_NE(failure.error().hint.find(grant), std::string::npos) << failure.what();
  test::Db owner(url);
  owner.Execute("CREATE SCHEMA summa_host");
  const auto inside = CatchSql([&] { ControlPlane(clerk).Migrate(); });
  EXPECT_NE(inside.error().hint.find("ON SCHEMA summa_host TO \"clerk\""), std::string::npos);
  owner.Execute("DROP SCHEMA summa_host; " + grant);
  EXPECT_EQ(ControlPlane(clerk).Migrate().size(), 2u);
  EXPECT_EQ(ControlPlane(clerk).Migrate().size(), 0u);
}

TEST_F(ControlPlaneTest, TryJsonbGivesNullForTextsThatAreNoJsonb) {
  const auto value = [&](const std::string& text) {
    return db_->Value("SELECT coalesce(summa_host.try_jsonb($1)::text, 'none')", {text});
  };
  EXPECT_EQ(value("{\"a\": 1}"), "{\"a\": 1}");
  EXPECT_EQ(value("{"), "none");
  EXPECT_EQ(value("\"\\u0000\""), "none");
  EXPECT_EQ(value(std::string(100000, '[')), "none");
  EXPECT_EQ(value("1e999999"), "none");
}

TEST_F(ControlPlaneTest, TellsTheLayoutsApart) {
  EXPECT_EQ(ControlPlane(settings_).DetectLayout(), Layout::kDeployed);
  const std::string url = Empty();
  ControlPlane control(At(url));
  const auto missing = CatchSql([&] { control.DetectLayout(); });
  EXPECT_EQ(missing.error().code, "SH-0414");
  for (const char* table : {"ledger_event", "outbox", "worker_lease"}) {
    EXPECT_NE(missing.error().message.find(table), std::string::npos);
  }
  test::Db db(url);
  db.Execute(
      "CREATE TABLE outbox (); CREATE TABLE worker_lease (); CREATE TABLE ledger_event "
      "(event_hash text)");
  const auto half = CatchSql([&] { control.DetectLayout(); });
  EXPECT_EQ(half.error().code, "SH-0415");
  EXPECT_NE(half.error().hint.find("ADD COLUMN position bigserial"), std::string::npos);
  db.Execute("ALTER TABLE ledger_event ADD COLUMN position bigserial");
  EXPECT_EQ(control.DetectLayout(), Layout::kPlan);
}

TEST_F(ControlPlaneTest, RemembersRunsAndDueTimesByTheServersClock) {
  ControlPlane control(settings_);
  EXPECT_FALSE(control.TimeUntilDue("w"));
  control.RecordRun({"w", "p", "periodic", "h", true, "", seconds(100)});
  const auto due = control.TimeUntilDue("w");
  ASSERT_TRUE(due);
  EXPECT_GT(*due, seconds(50));
  EXPECT_LE(*due, seconds(100));
  control.RecordRun({"w", "p", "periodic", "h", false, "SH-0320 no", seconds(-5)});
  EXPECT_LT(*control.TimeUntilDue("w"), seconds(0));
  control.RecordState("w2", "p", "continuous", "standby", "h");
  db_->Execute(
      "INSERT INTO worker_lease VALUES ('w', 'me', now() + interval '1 min'), ('old', "
      "'you', now() - interval '1 min'); INSERT INTO summa_host.worker_fence VALUES "
      "('w', 5)");
  const auto workers = control.Workers();
  ASSERT_EQ(workers.size(), 2u);
  EXPECT_EQ(workers[0].worker_id, "w");
  EXPECT_EQ(workers[0].state, "error");
  EXPECT_EQ(workers[0].last_error, "SH-0320 no");
  EXPECT_EQ(workers[0].holder, "me");
  EXPECT_EQ(workers[0].fence, 5);
  EXPECT_EQ(workers[0].last_success_at.size(), std::string("2026-01-01T00:00:00.000Z").size());
  EXPECT_EQ(workers[0].last_success_at.back(), 'Z');
  EXPECT_EQ(workers[1].state, "standby");
  EXPECT_TRUE(workers[1].last_run_at.empty());
}

TEST_F(ControlPlaneTest, TellsWhatAGoodRunLeavesBehindByTheKindOfTheWorker) {
  ControlPlane control(settings_);
  control.RecordRun({"c", "p", "continuous", "h", true, "", {}});
  control.RecordRun({"p", "p", "periodic", "h", true, "", seconds(100)});
  EXPECT_EQ(control.Workers().at(0).state, "running");
  EXPECT_EQ(control.Workers().at(1).state, "waiting");
  control.RecordRun({"c", "p", "continuous", "h", false, "SH-0320 no", {}});
  EXPECT_EQ(control.Workers().at(0).state, "error");
}

TEST_F(ControlPlaneTest, AnIdleLeaseHasNoHolder) {
  ControlPlane control(settings_);
  control.RecordState("w", "p", "periodic", "waiting", "h");
  db_->Execute("INSERT INTO worker_lease VALUES ('w', 'idle:me', now() + interval '1 hour')");
  const auto workers = control.Workers();
  ASSERT_EQ(workers.size(), 1u);
  EXPECT_EQ(workers[0].holder, "");
  EXPECT_EQ(workers[0].lease_until, "");
}

TEST_F(ControlPlaneTest, OpensANewConnectionAfterItsOwnWasKilled) {
  ControlPlane control(settings_);
  control.RecordState("w", "p", "periodic", "running", "h");
  for (int i = 0; i < 3; ++i) {
    db_->Execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
        "'summa-host/test' AND datname = current_database()");
    EXPECT_FALSE(control.TimeUntilDue("w"));
  }
  EXPECT_EQ(control.ServerVersion().substr(0, 1), "1");
}

}  // namespace
}  // namespace summa::host
