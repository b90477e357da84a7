// Behind the real pgbouncer: by transaction it is refused, by session it works.
#include <unistd.h>

#include <fstream>

#include "host/database/worker_store.hpp"
#include "host/lease/lease_keeper.hpp"
#include "tests/integration/database_support.hpp"
#include "tests/services/postgres_template.hpp"
#include "tests/services/process.hpp"
#include "tests/services/server_directory.hpp"

namespace summa::host {
namespace {

// A private pgbouncer in front of Server().
class Pgbouncer {
 public:
  Pgbouncer(const std::string& mode, const std::string& more) : port_(test::FreePort()) {
    const std::string file = directory_.Path() + "/pgbouncer.ini";
    std::ofstream(file) << "[databases]\n* = host=" << Server().SocketDirectory()
                        << " port=5432 user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                        << "listen_port = " << port_ << "\nunix_socket_dir =\nauth_type = any\n"
                        << "pool_mode = " << mode << "\n"
                        << more << "\n";
    const test::PostgresUser& user = test::ServerUser();  // it refuses to run as root
    if (chown(directory_.Path().c_str(), user.user_id, user.group_id) != 0) {
      throw std::runtime_error("chown " + directory_.Path());
    }
    auto command = user.prefix;
    command.insert(command.end(), {Program(), file});
    test::ProcessOptions options;
    options.own_process_group = true;
    process_ = std::make_unique<test::Process>(command, options);
    test::WaitUntil(
        [&] {
          if (!process_->Running()) throw std::runtime_error("pgbouncer: " + process_->Stderr());
          try {
            test::Db(Url("postgres"));
            return true;
          } catch (const test::DbError&) {
            return false;
          }
        },
        test::kTimeout, "pgbouncer");
  }
  std::string Url(const std::string& database) const {
    return "postgresql://postgres@127.0.0.1:" + std::to_string(port_) + "/" + database;
  }

 private:
  static std::string Program() {
    for (const char* path : {"/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"}) {
      if (access(path, X_OK) == 0) return path;
    }
    throw std::runtime_error("no pgbouncer found; install the package pgbouncer");
  }

  test::ServerDirectory directory_;
  int port_;
  std::unique_ptr<test::Process> process_;
};

class PoolerTest : public DatabaseTest {
 protected:
  void Through(const Pgbouncer& pooler) { settings_.url = pooler.Url(name_); }
  // Every way to connect: plugins' sessions, the host's own state, leases.
  void ExpectRefused(const std::string& found) {
    const Clock& clock = SystemClock();
    LeaseKeeper keeper(settings_, "a", clock, [](const std::string&) {});
    for (const auto& connect : std::vector<std::function<void()>>{
             [&] { ConnectSession(settings_); }, [&] { SessionPool(settings_).Acquire(); },
             [&] { ControlPlane(settings_).DetectLayout(); },
             [&] { keeper.TryAcquire("w", std::chrono::seconds(15)); }}) {
      const SqlFailure failure = CatchSql(connect);
      EXPECT_EQ(failure.error().code, "SH-0420") << failure.what();
      EXPECT_NE(failure.error().message.find(found), std::string::npos) << failure.what();
      EXPECT_NE(failure.error().hint.find("pool_mode = session"), std::string::npos);
    }
  }

  const DatabaseSettings direct_ = settings_;
};

TEST_F(PoolerTest, PoolingByTransactionIsRefused) {
  const Pgbouncer pooler("transaction", "ignore_startup_parameters = options");
  Through(pooler);
  ExpectRefused("gives the backend of one client to another");
}

TEST_F(PoolerTest, PoolingByTransactionInTurnIsRefused) {
  for (const int backends : {2, 3}) {
    const Pgbouncer pooler("transaction",
                           "ignore_startup_parameters = options\nserver_round_robin = 1\n"
                           "default_pool_size = " +
                               std::to_string(backends));
    Through(pooler);
    {
      std::vector<std::unique_ptr<test::Db>> at_once;
      for (int i = 0; i < backends; ++i) {
        at_once.push_back(std::make_unique<test::Db>(settings_.url));
        at_once.back()->Execute("BEGIN");
      }
      for (const auto& client : at_once) client->Execute("COMMIT");
    }
    ExpectRefused("gives the backend of one client to another");
  }
}

// Its other clients would find their transactions read only.
TEST_F(PoolerTest, WhatIsRefusedLeavesNoSettingBehind) {
  const Pgbouncer pooler("transaction", "default_pool_size = 2");
  Through(pooler);
  ExpectRefused("gives the backend of one client to another");
  for (int look = 0; look < 4; ++look) {
    test::Db client(settings_.url);
    EXPECT_EQ(client.Value("SHOW default_transaction_read_only"), "off");
    EXPECT_EQ(client.Value("SHOW row_security"), "on");
  }
}

// What a URL says itself travels at the start, where poolers may refuse it.
TEST_F(PoolerTest, PoolerThatRefusesTheUrlIsRefused) {
  const Pgbouncer pooler("session", "");
  Through(pooler);
  settings_.url += "?options=-c%20geqo%3Doff";
  ExpectRefused("refused the parameters of the connection: ");
}

TEST_F(PoolerTest, PoolingBySessionWorksWithAllSettings) {
  const Pgbouncer pooler("session", "");  // nothing of ours travels at the start
  Through(pooler);
  db_->Execute("CREATE TABLE item (id integer)");
  auto session = ConnectSession(settings_);
  for (const char* name : {"search_path", "statement_timeout", "lock_timeout", "plan_cache_mode",
                           "idle_in_transaction_session_timeout", "default_transaction_read_only",
                           "TimeZone", "DateStyle", "application_name"}) {
    const auto show = [&](Session& in) {
      return std::string(*in.Exec(std::string("SHOW ") + name, {}, 0)->Cell(0, 0));
    };
    EXPECT_EQ(show(*session), show(*ConnectSession(direct_))) << name;
  }
  EXPECT_EQ(CatchSql([&] { session->Exec("INSERT INTO item VALUES (1)", {}, 0); }).sqlstate(),
            "25006");
  session->Begin(TransactionMode::kReadWrite);
  session->Exec("INSERT INTO item VALUES (1)", {}, 0);
  session->Commit(nullptr);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM item"), 1);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int",
                       {std::to_string(session->backend_pid())}),
            1)
      << "the server's process id, not the one that the pooler made up";
  EXPECT_TRUE(WorkerStore(settings_).Workers().empty());
  const Clock& clock = SystemClock();
  LeaseKeeper keeper(settings_, "a", clock, [](const std::string&) {});
  EXPECT_TRUE(keeper.TryAcquire("w", std::chrono::seconds(15)));
}

}  // namespace
}  // namespace summa::host
