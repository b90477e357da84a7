#include <thread>

#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;

class PoolTest : public DatabaseTest {
 protected:
  PoolTest() {
    settings_.pool = 2;
    pool_ = std::make_unique<SessionPool>(settings_);
  }
  std::unique_ptr<SessionPool> pool_;
};

TEST_F(PoolTest, ReusesTheConnectionThatWasGivenBack) {
  auto session = pool_->Take();
  const int pid = session->backend_pid();
  pool_->Give(std::move(session));
  session = pool_->Take();
  EXPECT_EQ(session->backend_pid(), pid);
  pool_->Give(std::move(session));
}

TEST_F(PoolTest, SaysThatAllAreInUseAndGoesOnWhenOneIsFree) {
  auto first = pool_->Take(), second = pool_->Take();
  const auto failure = CatchSql([&] { pool_->Take(milliseconds(20)); });
  EXPECT_EQ(failure.error().code, "SH-0403");
  EXPECT_NE(failure.error().message.find("all 2 database sessions"), std::string::npos);
  std::thread giver([&] { pool_->Give(std::move(first)); });
  auto third = pool_->Take();
  giver.join();
  pool_->Give(std::move(second));
  pool_->Give(std::move(third));
}

TEST_F(PoolTest, RollsBackAndClosesCursorsBeforeTheNextUser) {
  auto session = pool_->Take();
  const int pid = session->backend_pid();
  session->Begin(TransactionMode::kReadWrite);
  session->Exec("DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 10)", {}, 0);
  session->Commit(nullptr);
  session->Begin(TransactionMode::kReadWrite);
  session->Exec("CREATE TABLE never (id integer)", {}, 0);
  pool_->Give(std::move(session));
  session = pool_->Take();
  EXPECT_EQ(session->backend_pid(), pid);
  EXPECT_FALSE(session->in_transaction());
  EXPECT_EQ(*session->Exec("SELECT count(*) FROM pg_cursors WHERE name = 'c'", {}, 0)->Cell(0, 0),
            "0");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_class WHERE relname = 'never'"), 0);
  pool_->Give(std::move(session));
}

TEST_F(PoolTest, DropsBrokenAndMarkedConnections) {
  auto session = pool_->Take();
  const int broken = session->backend_pid();
  Kill(broken);
  pool_->Give(std::move(session));
  session = pool_->Take();
  const int marked = session->backend_pid();
  EXPECT_NE(marked, broken);
  session->Exec("SELECT set_config('work_mem', '8MB', false)", {}, 0);
  pool_->Give(std::move(session));
  session = pool_->Take();
  EXPECT_NE(session->backend_pid(), marked);
  EXPECT_EQ(*session->Exec("SHOW work_mem", {}, 0)->Cell(0, 0), "4MB");
  pool_->Give(std::move(session));
}

TEST_F(PoolTest, FindsOutThatAnIdleConnectionDiedBeforeItIsUsed) {
  auto session = pool_->Take();
  const int pid = session->backend_pid();
  pool_->Give(std::move(session));
  Kill(pid);
  session = pool_->Take();
  EXPECT_NE(session->backend_pid(), pid);
  EXPECT_EQ(*session->Exec("SELECT 1", {}, 0)->Cell(0, 0), "1");
  pool_->Give(std::move(session));
}

TEST_F(PoolTest, ServesManyThreadsWithItsTwoConnections) {
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int use = 0; use < 50; ++use) {
        auto session = pool_->Take(test::kPatience);
        session->Exec("SELECT 1", {}, 1);
        pool_->Give(std::move(session));
        ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 400);
  EXPECT_LE(db_->Count("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                       "'summa-host/test' AND datname = current_database()"),
            2);
}

TEST_F(PoolTest, FailedConnectionsDoNotUseUpThePool) {
  settings_.url = Server().Url("nosuch");
  SessionPool pool(settings_);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(CatchSql([&] { pool.Take(milliseconds(10)); }).error().code, "SH-0401");
  }
}

}  // namespace
}  // namespace summa::host
