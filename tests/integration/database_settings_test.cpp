// Defaults of role, database and environment change nothing that the host reads or writes.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "host/database/control_connection.hpp"
#include "host/database/deadline_connection.hpp"
#include "host/database/session_settings.hpp"
#include "tests/fixture/hostile_defaults.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

using Shown = std::map<std::string, std::string>;

class SettingsTest : public DatabaseTest {
 protected:
  static std::string ShowAll(const std::vector<std::pair<std::string, std::string>>& pins) {
    std::string sql = "SELECT 1";
    for (const auto& [name, value] : pins) sql += ", current_setting('" + name + "')";
    return sql;
  }
  std::string ShowAll() const { return ShowAll(SessionSettings(settings_, true, 150000)); }
  static TextRows SeenBy(Session& session, const std::string& sql) {
    const auto result = session.Exec(sql, {}, 0);
    TextRows rows(1);
    for (std::size_t column = 0; column < result->columns(); ++column) {
      rows[0].emplace_back(*result->Cell(0, column));
    }
    return rows;
  }
  // As each kind of connection sees them.
  std::vector<TextRows> Seen() {
    const std::string sql = ShowAll();
    std::vector<TextRows> seen;
    seen.push_back(SeenBy(*ConnectSession(settings_), sql));
    WakeUp never;
    const auto deadline = std::chrono::steady_clock::now() + test::kTimeout;
    seen.push_back(DeadlineConnection(settings_, never, deadline).Query(sql, {}, deadline));
    ControlConnection control(settings_);
    control.Run(
        [&](ControlTransaction& transaction) { seen.push_back(transaction.Exec(sql, {})); });
    return seen;
  }
};

TEST_F(SettingsTest, EveryPinHoldsAgainstRoleAndDatabase) {
  const auto before = Seen();
  db_->Execute("DROP ROLE IF EXISTS victim; CREATE ROLE victim LOGIN SUPERUSER");
  settings_.url.replace(settings_.url.find("postgres@"), 8, "victim");
  test::MakeDefaultsHostile(*db_, name_, "victim");
  EXPECT_EQ(Seen(), before);
  settings_.url += "&options=-c%20DateStyle%3DGerman%20-c%20default_transaction_read_only%3Don";
  EXPECT_EQ(Seen(), before);
}

// The first reset of a session prepares the statement that the others run.
TEST_F(SettingsTest, EveryPinHoldsAgainForEachNextUser) {
  db_->Execute(
      "DROP ROLE IF EXISTS victim; CREATE ROLE victim LOGIN SUPERUSER; "
      "CREATE FUNCTION public.reset_all() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RESET ALL; END "
      "$$");
  settings_.url.replace(settings_.url.find("postgres@"), 8, "victim");
  test::MakeDefaultsHostile(*db_, name_, "victim");
  db_->Execute("ALTER ROLE victim SET idle_session_timeout = 0");  // the session is to live
  settings_.pool = 1;
  SessionPool pool(settings_);
  const std::string sql = ShowAll();
  std::optional<TextRows> first;
  std::optional<int> pid;
  for (int user = 0; user < 4; ++user) {
    auto session = pool.Acquire(test::kTimeout);
    if (!first) first = SeenBy(*session, sql);
    if (!pid) pid = session->backend_pid();
    EXPECT_EQ(session->backend_pid(), *pid) << user;
    EXPECT_EQ(SeenBy(*session, sql), *first) << user;
    session->Exec("SELECT public.reset_all()", {}, 0);
    const TextRows spoiled = SeenBy(*session, sql);
    EXPECT_NE(spoiled, *first);
    EXPECT_NE(std::find(spoiled[0].begin(), spoiled[0].end(), "Australia"), spoiled[0].end());
    pool.Release(std::move(session));
  }
}

TEST_F(SettingsTest, ASessionWhoseStatementsWereDeallocatedHasNoNextUser) {
  db_->Execute(
      "CREATE FUNCTION public.forget() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE "
      "'DEALLOCATE ALL'; SET TimeZone = 'Asia/Tokyo'; END $$");
  settings_.pool = 1;
  SessionPool pool(settings_);
  auto session = pool.Acquire(test::kTimeout);
  const TextRows pins = SeenBy(*session, ShowAll());
  const int pid = session->backend_pid();
  pool.Release(std::move(session));
  session = pool.Acquire(test::kTimeout);
  EXPECT_EQ(session->backend_pid(), pid);
  session->Exec("SELECT public.forget()", {}, 0);
  pool.Release(std::move(session));
  session = pool.Acquire(test::kTimeout);
  EXPECT_NE(session->backend_pid(), pid);
  EXPECT_EQ(SeenBy(*session, ShowAll()), pins);
  pool.Release(std::move(session));
}

TEST_F(SettingsTest, ATimeoutBelowTheTimeOfOurFirstStatementIsLifted) {
  db_->Execute(
      "DROP ROLE IF EXISTS hasty; CREATE ROLE hasty LOGIN SUPERUSER; "
      "ALTER ROLE hasty SET statement_timeout = '1ms'");
  const auto before = Seen();
  settings_.url.replace(settings_.url.find("postgres@"), 8, "hasty");
  settings_.connect_timeout = test::kTimeout;
  // Enough of them that one would be too slow by chance.
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Seen(), before);
}

// libpq writes notices to standard error itself, where they may block the host or break a JSON log.
TEST_F(SettingsTest, NoNoticeOfTheServerGoesPastTheLog) {
  db_->Execute(
      "DROP ROLE IF EXISTS talker; CREATE ROLE talker LOGIN SUPERUSER; "
      "ALTER ROLE talker SET client_min_messages = debug5");
  settings_.url.replace(settings_.url.find("postgres@"), 8, "talker");
  testing::internal::CaptureStderr();
  Seen();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

// What only a superuser can have set for a role is not accepted from one that cannot take it back.
TEST_F(SettingsTest, TriggersThatAreOffAreNoSession) {
  db_->Execute(
      "DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN; ALTER ROLE clerk SET "
      "session_replication_role = replica");
  settings_.url.replace(settings_.url.find("postgres@"), 8, "clerk");
  const SqlFailure failure = CatchSql([&] { ConnectSession(settings_); });
  EXPECT_EQ(failure.sqlstate(), "42501") << failure.what();
  db_->Execute("ALTER ROLE clerk SUPERUSER");
  EXPECT_EQ(*ConnectSession(settings_)->Exec("SHOW session_replication_role", {}, 0)->Cell(0, 0),
            "origin");
}

TEST_F(SettingsTest, ATemporaryTableHidesNothing) {
  db_->Execute("CREATE TABLE item (id integer); INSERT INTO item VALUES (1)");
  const auto session = ConnectSession(settings_);
  session->Begin(TransactionMode::kReadWrite);
  session->Exec("CREATE TEMP TABLE item (id integer)", {}, 0);
  EXPECT_EQ(*session->Exec("SELECT count(*) FROM item", {}, 0)->Cell(0, 0), "1");
}

}  // namespace
}  // namespace summa::host
