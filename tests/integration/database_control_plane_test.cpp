#include <thread>

#include "host/database/control_connection.hpp"
#include "host/database/worker_store.hpp"
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
  ASSERT_GE(steps.size(), 3u);
  EXPECT_EQ(steps[0].name, "host");
  EXPECT_FALSE(steps[0].applied || steps[1].applied);
  WorkerStore store(control.settings());
  EXPECT_EQ(CatchSql([&] {
              store.RecordState({"w", "p", false}, "running", "h");
            })
                .error()
                .code,
            "SH-0412");
}

TEST_F(ControlPlaneTest, MigratesOnceHoweverOftenItIsAsked) {
  ControlPlane control(At(Empty()));
  EXPECT_EQ(control.Migrate().size(), control.Migrations().size());
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
  const std::size_t steps = ControlPlane(At(url)).Migrations().size();
  EXPECT_EQ(applied, steps);
  EXPECT_EQ(test::Db(url).Count("SELECT count(*) FROM summa_host.schema_migration"),
            static_cast<long long>(steps));
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
  EXPECT_EQ(ControlPlane(clerk).Migrate().size(), ControlPlane(clerk).Migrations().size());
  EXPECT_EQ(ControlPlane(clerk).Migrate().size(), 0u);
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

// Code and SQLSTATE come from the server whatever the kind of the statement is.
TEST_F(ControlPlaneTest, ARefusedStatementIsWhatItsStateSays) {
  db_->Execute(
      "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; ALTER ROLE reader SET temp_file_limit "
      "= 0; GRANT USAGE ON SCHEMA summa_host TO reader");
  ControlConnection connection(At(settings_.url, "reader"));
  const auto failure = [&](const std::string& sql) {
    return CatchSql([&] {
      connection.Run([&](ControlTransaction& transaction) { transaction.Exec(sql, {}); });
    });
  };
  struct Case {
    const char *sql, *state, *code;
  };
  constexpr const char* kDiskFull = "DO $$ BEGIN RAISE 'full' USING ERRCODE = '53100'; END $$";
  constexpr const char* kDiskFails = "DO $$ BEGIN RAISE 'I/O' USING ERRCODE = '58030'; END $$";
  constexpr const char* kIdleTooLong = "DO $$ BEGIN RAISE 'idle' USING ERRCODE = '25P03'; END $$";
  constexpr const char* kTooLong = "DO $$ BEGIN RAISE 'long' USING ERRCODE = '25P04'; END $$";
  for (const auto& [sql, state, code] : {
           Case{"SELECT 1 FROM summa_host.worker_state", "42501", "SH-0406"},
           Case{"CREATE TABLE summa_host.t ()", "42501", "SH-0406"},
           Case{"SELECT 1 FROM summa_host.no_such_table", "42P01", "SH-0412"},
           Case{"SELECT summa_host.no_such_function(1)", "42883", "SH-0412"},
           Case{"INSERT INTO summa_host.no_such_table VALUES (1)", "42P01", "SH-0412"},
           Case{"SELECT 1 FROM no_such_table_of_the_ledger", "42P01", "SH-0414"},
           Case{"SELECT 1 FROM no_such_schema.t", "42P01", "SH-0414"},
           Case{"SELECT g FROM generate_series(1, 3000000) g ORDER BY -g", "53400", "SH-0416"},
           Case{kDiskFull, "53100", "SH-0416"},
           Case{kDiskFails, "58030", "SH-0416"},
           Case{kIdleTooLong, "25P03", "SH-0410"},
           Case{kTooLong, "25P04", "SH-0410"},
           Case{"SELECT 1 / 0", "22012", "SH-0405"},
       }) {
    const SqlFailure found = failure(sql);
    EXPECT_EQ(found.error().code, code) << found.what();
    EXPECT_EQ(found.sqlstate(), state) << found.what();
    EXPECT_EQ(found.error().message.find("LINE 1"), std::string::npos) << found.what();
    EXPECT_FALSE(connection.broken()) << "a refusal is no reason for a new connection";
  }
}

TEST_F(ControlPlaneTest, AFrozenServerEndsACallInTime) {
  test::PostgresServer server;
  DatabaseSettings settings = At(server.CreateDatabase("frozen"));
  settings.statement_timeout = seconds(1);
  settings.connect_timeout = seconds(2);
  const auto connection = AtLast([&] { return std::make_unique<ControlConnection>(settings); });
  server.Freeze();
  const auto begin = std::chrono::steady_clock::now();
  const auto look = [](ControlTransaction& transaction) { transaction.Exec("SELECT 1", {}); };
  EXPECT_EQ(CatchSql([&] { connection->Run(look); }).error().code, "SH-0402");
  EXPECT_TRUE(connection->broken());
  EXPECT_EQ(CatchSql([&] { ControlConnection another(settings); }).error().code, "SH-0401");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, test::kTimeout);
  server.Thaw();
}

TEST_F(ControlPlaneTest, ACommitWithoutAnAnswerIsCalledUnknown) {
  settings_.lock_timeout = test::kTimeout;  // its COMMIT waits until it is killed
  ControlConnection connection(settings_);
  // The constraint is checked by COMMIT, which waits for the row that another session has locked.
  db_->Execute(
      "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int REFERENCES p DEFERRABLE "
      "INITIALLY DEFERRED); INSERT INTO p VALUES (1)");
  test::Db other(settings_.url);
  other.Execute("BEGIN; UPDATE p SET id = 2");
  std::thread killer;
  const auto failure = CatchSql([&] {
    connection.Run([&](ControlTransaction& transaction) {
      const int pid =
          std::stoi(transaction.Exec("SELECT pg_backend_pid()", {}).at(0).at(0).value());
      transaction.Exec("INSERT INTO c VALUES (1)", {});
      killer = std::thread([this, pid] {
        EXPECT_TRUE(test::BecomesTrue([&] { return Waiting(pid, "Lock"); }));
        Kill(pid);
      });
    });
  });
  killer.join();
  EXPECT_EQ(failure.error().code, "SH-0404") << failure.what();
  EXPECT_TRUE(connection.broken());
}

TEST_F(ControlPlaneTest, OpensANewConnectionAfterItsOwnWasKilled) {
  ControlPlane control(settings_);
  EXPECT_FALSE(control.Migrations().empty());
  for (int i = 0; i < 3; ++i) {
    db_->Execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
        "'summa-host/test' AND datname = current_database()");
    EXPECT_EQ(control.DetectLayout(), Layout::kDeployed);
  }
}

}  // namespace
}  // namespace summa::host
