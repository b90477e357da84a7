#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iostream>
#include <thread>

#include "host/database/reconnect_gate.hpp"
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
  auto session = pool_->Acquire();
  const int pid = session->backend_pid();
  pool_->Release(std::move(session));
  session = pool_->Acquire();
  EXPECT_EQ(session->backend_pid(), pid);
  pool_->Release(std::move(session));
}

TEST_F(PoolTest, SaysThatAllAreInUseAndGoesOnWhenOneIsFree) {
  auto first = pool_->Acquire(), second = pool_->Acquire();
  const auto failure = CatchSql([&] { pool_->Acquire(milliseconds(20)); });
  EXPECT_EQ(failure.error().code, "SH-0403");
  EXPECT_NE(failure.error().message.find("all 2 database sessions"), std::string::npos);
  std::thread releaser([&] { pool_->Release(std::move(first)); });
  auto third = pool_->Acquire();
  releaser.join();
  pool_->Release(std::move(second));
  pool_->Release(std::move(third));
}

TEST_F(PoolTest, RollsBackAndClosesCursorsBeforeTheNextUser) {
  auto session = pool_->Acquire();
  const int pid = session->backend_pid();
  session->Begin(TransactionMode::kReadWrite);
  session->Exec("DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 10)", {}, 0);
  session->Commit(nullptr);
  session->Begin(TransactionMode::kReadWrite);
  session->Exec("CREATE TABLE never (id integer)", {}, 0);
  pool_->Release(std::move(session));
  session = pool_->Acquire();
  EXPECT_EQ(session->backend_pid(), pid);
  EXPECT_FALSE(session->in_transaction());
  EXPECT_EQ(*session->Exec("SELECT count(*) FROM pg_cursors WHERE name = 'c'", {}, 0)->Cell(0, 0),
            "0");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_class WHERE relname = 'never'"), 0);
  pool_->Release(std::move(session));
}

TEST_F(PoolTest, DropsBrokenAndMarkedConnections) {
  auto session = pool_->Acquire();
  const int broken = session->backend_pid();
  Kill(broken);
  pool_->Release(std::move(session));
  session = pool_->Acquire();
  const int marked = session->backend_pid();
  EXPECT_NE(marked, broken);
  session->Exec("SELECT set_config('work_mem', '8MB', false)", {}, 0);
  pool_->Release(std::move(session));
  session = pool_->Acquire();
  EXPECT_NE(session->backend_pid(), marked);
  EXPECT_EQ(*session->Exec("SHOW work_mem", {}, 0)->Cell(0, 0), "4MB");
  pool_->Release(std::move(session));
}

TEST_F(PoolTest, FindsOutThatAnIdleConnectionDiedBeforeItIsUsed) {
  auto session = pool_->Acquire();
  const int pid = session->backend_pid();
  pool_->Release(std::move(session));
  Kill(pid);
  session = pool_->Acquire();
  EXPECT_NE(session->backend_pid(), pid);
  EXPECT_EQ(*session->Exec("SELECT 1", {}, 0)->Cell(0, 0), "1");
  pool_->Release(std::move(session));
}

TEST_F(PoolTest, ServesManyThreadsWithItsTwoConnections) {
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int use = 0; use < 50; ++use) {
        auto session = pool_->Acquire(test::kTimeout);
        session->Exec("SELECT 1", {}, 1);
        pool_->Release(std::move(session));
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
    EXPECT_EQ(CatchSql([&] { pool.Acquire(milliseconds(10)); }).error().code, "SH-0401");
  }
}

// Stands in for a server that is down and counts connections.
class ConnectionCounter {
 public:
  explicit ConnectionCounter(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(socket_, 128) != 0) {
      throw std::runtime_error("cannot listen on the port of the server");
    }
    thread_ = std::thread([this] {
      while (!stop_) {
        pollfd look{socket_, POLLIN, 0};
        if (poll(&look, 1, 20) != 1) continue;
        const int client = accept(socket_, nullptr, nullptr);
        if (client < 0) continue;
        ++connections_;
        close(client);
      }
    });
  }
  ~ConnectionCounter() {
    stop_ = true;
    thread_.join();
    close(socket_);
  }
  int connections() const { return connections_; }

 private:
  int socket_;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

TEST(PoolOutageTest, ManyThreadsKnockSeldomAndFindTheServerSoonAfterItsReturn) {
  using Clock = std::chrono::steady_clock;
  test::PostgresOptions options;
  options.tcp = true;
  test::PostgresServer server(options);
  DatabaseSettings settings;
  // One connection per attempt: without asking for encryption first.
  settings.url = server.TcpUrl("postgres") + "?sslmode=disable&gssencmode=disable";
  settings.pool = 8;
  SessionPool pool(settings);
  server.StopFast();

  constexpr int kThreads = 16;
  std::atomic<bool> stop{false};
  std::atomic<int> failures{0};
  std::atomic<Clock::rep> found_at{0};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  auto counter = std::make_unique<ConnectionCounter>(server.Port());
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        try {
          pool.Release(pool.Acquire());
          Clock::rep never = 0;
          found_at.compare_exchange_strong(never, Clock::now().time_since_epoch().count());
          return;
        } catch (const SqlFailure& failure) {
          EXPECT_EQ(failure.error().code, "SH-0401") << failure.what();
          ++failures;  // and again at once: nobody but the pool holds these threads back
        }
      }
    });
  }
  const auto begin = Clock::now();
  // Enough failures for the pauses to have grown to their limit.
  EXPECT_TRUE(test::BecomesTrue([&] { return failures >= 10 * kThreads; }));
  const double away = std::chrono::duration<double>(Clock::now() - begin).count();
  const int connections = counter->connections();
  counter.reset();
  server.Start();
  const auto up = Clock::now();
  EXPECT_TRUE(test::BecomesTrue([&] { return found_at != 0; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  const double found =
      std::chrono::duration<double>(Clock::duration(found_at.load()) - up.time_since_epoch())
          .count();
  std::cout << "away " << away << " s: " << connections << " attempts of " << kThreads
            << " threads, " << failures << " failed calls; found " << found
            << " s after the server was up\n";
  // All that began before the first failure was known, then at most two in a second.
  EXPECT_LE(connections, settings.pool + 12 + 4 * away);
  // About a second on a quiet machine: no pause between two attempts is longer.
  static_assert(kLongestReconnectPause <= std::chrono::seconds(1));
}

TEST(PoolOutageTest, WaitingCallersGetTheLastErrorWithinTheirWait) {
  DatabaseSettings settings;
  settings.url = "postgresql://127.0.0.1:1/nowhere";
  SessionPool pool(settings);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(CatchSql([&] { pool.Acquire(milliseconds(0)); }).error().code, "SH-0401");
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, test::kTimeout);
}

}  // namespace
}  // namespace summa::host
