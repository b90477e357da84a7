// Several servers in a URL, and several addresses of one: a dead one takes its share of the time
// and no more, for every connection that the host makes.
#include <set>

#include "host/database/control_connection.hpp"
#include "host/database/deadline_connection.hpp"
#include "host/database/fleet_orders.hpp"
#include "host/database/resolve.hpp"
#include "host/lease/lease_keeper.hpp"
#include "tests/integration/address_support.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Its own server: on two addresses of this machine.
test::PostgresServer& TcpServer() {
  static test::PostgresServer server([] {
    test::PostgresOptions options;
    options.tcp = true;
    options.settings = {{"listen_addresses", "127.0.0.1,127.0.0.2"}};
    return options;
  }());
  return server;
}

class AddressesTest : public testing::Test {
 protected:
  AddressesTest() {
    static int number = 0;
    name_ = "a" + std::to_string(++number);
    const std::string url = TcpServer().CreateDatabase(name_);
    TcpServer().RunSqlFile(name_, test::SourceDir() + "/tests/fixture/ledger.sql");
    settings_.url = url;
    ControlPlane(settings_).Migrate();
    db_ = std::make_unique<test::Db>(url);
    settings_.application_name = "summa-host/test";
    port_ = std::to_string(TcpServer().Port());
  }
  // "a:1,b:2" and what stands behind the ?
  void Use(const std::string& hosts, const std::string& more = "") {
    settings_.url =
        "postgresql://postgres@" + hosts + "/" + name_ + (more.empty() ? "" : "?") + more;
  }
  milliseconds Took(const std::function<void()>& action) {
    const auto begin = std::chrono::steady_clock::now();
    action();
    return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
  }
  void Query(milliseconds timeout) {
    WakeUp never;
    DeadlineConnection(settings_, never, std::chrono::steady_clock::now() + timeout);
  }
  // Every way in which the host connects.
  std::vector<std::function<void()>> Ways() {
    return {[this] { ConnectSession(settings_); }, [this] { SessionPool(settings_).Acquire(); },
            [this] { ControlConnection connection(settings_); },
            [this] { FleetOrders(settings_).Read("h", {}); }, [this] { Query(seconds(5)); }};
  }

  std::string name_, port_;
  DatabaseSettings settings_;
  std::unique_ptr<test::Db> db_;
};

TEST_F(AddressesTest, ASilentAddressTakesItsShareOnceAndTheGoodOneIsFirstFromThen) {
  SilentAddress silent, another;
  Use("127.0.0.1:" + another.port() + ",127.0.0.1:" + silent.port() + ",127.0.0.1:" + port_);
  Query(seconds(8));  // would have been used up by the first address
  EXPECT_EQ(another.NewConnections(), 1) << "the silent ones are tried";
  EXPECT_EQ(silent.NewConnections(), 1);
  for (const auto& way : Ways()) {
    EXPECT_NO_THROW(way());
    EXPECT_EQ(another.NewConnections() + silent.NewConnections(), 0) << "nobody learns it anew";
  }
}

TEST_F(AddressesTest, TheLastGoodOneIsFirstAlsoAfterItFailed) {
  SilentAddress silent;
  Use("127.0.0.1:" + silent.port() + ",127.0.0.1:" + port_);
  Query(seconds(8));
  test::Db admin(TcpServer().TcpUrl("postgres"));
  admin.Execute("ALTER DATABASE " + name_ + " ALLOW_CONNECTIONS false");
  EXPECT_THROW(Query(seconds(2)), SqlFailure);
  admin.Execute("ALTER DATABASE " + name_ + " ALLOW_CONNECTIONS true");
  EXPECT_EQ(silent.NewConnections(), 2);
  Query(seconds(8));
  EXPECT_EQ(silent.NewConnections(), 0);
}

TEST_F(AddressesTest, BalancingLeavesOutAnAddressThatFailed) {
  SilentAddress silent;
  Use("127.0.0.1:" + silent.port() + ",127.0.0.1:" + port_, "load_balance_hosts=random");
  const auto tried = [&] {
    Query(seconds(8));
    return silent.NewConnections() == 1;
  };
  test::WaitUntil(tried, test::kTimeout, "the silent one to be tried");
  for (int i = 0; i < 20; ++i) Query(seconds(8));
  EXPECT_EQ(silent.NewConnections(), 0);
}

TEST_F(AddressesTest, EveryKindOfConnectionPassesASilentAndARefusingAddress) {
  const SilentAddress shut("127.0.0.1", 0, true);
  for (const auto& way : Ways()) {
    const SilentAddress silent;  // a URL that nothing is known of
    Use("127.0.0.1:" + silent.port() + ",127.0.0.1:" + shut.port() + ",127.0.0.1:" + port_);
    EXPECT_NO_THROW(way());
  }
}

TEST_F(AddressesTest, LeasesAreTakenBesideADeadServer) {
  for (const auto time_to_live : {milliseconds(500), milliseconds(2000), milliseconds(15000)}) {
    const SilentAddress silent;
    Use("127.0.0.1:" + silent.port() + ",127.0.0.1:" + port_);
    LeaseKeeper keeper(settings_, "a", SystemClock(), [](const std::string&) {});
    const std::string worker = "w" + std::to_string(time_to_live.count());
    test::WaitUntil(
        [&] {
          try {
            return keeper.TryAcquire(worker, time_to_live).has_value();
          } catch (const SqlFailure& failure) {
            return failure.error().code != "SH-0303";  // it came late: the next one does not
          }
        },
        test::kTimeout, "a lease");
    keeper.Release({worker});
  }
}

// One name with several addresses, as an alias of a cluster has; the list of hostaddr is how libpq
// writes it down.
TEST_F(AddressesTest, OneNameWithADeadAndALiveAddress) {
  const SilentAddress silent("127.0.0.3", TcpServer().Port());
  for (const auto& way : Ways()) {
    Use("db,db", "hostaddr=127.0.0.3,127.0.0.2&port=" + port_);
    EXPECT_NO_THROW(way());
  }
  const Resolved resolved = [] {
    WakeUp never;
    return Resolve("localhost", never, std::chrono::steady_clock::now() + seconds(5));
  }();
  ASSERT_FALSE(resolved.addresses.empty()) << resolved.trouble;
  Use("localhost:" + port_);  // with ::1 as well where the machine has it: nobody listens there
  for (const auto& way : Ways()) EXPECT_NO_THROW(way());
}

TEST_F(AddressesTest, TheMessageNamesEveryAddressAndNoPassword) {
  const SilentAddress silent, shut("127.0.0.1", 0, true);
  settings_.url = "postgresql://me:s3cret@127.0.0.1:" + silent.port() +
                  ",127.0.0.1:" + shut.port() + ",no-such-host.invalid/x";
  settings_.connect_timeout = milliseconds(600);
  const SqlFailure failure = CatchSql([&] { ConnectSession(settings_); });
  EXPECT_EQ(failure.error().code, "SH-0401");
  for (const std::string& part :
       {"127.0.0.1:" + silent.port(), "127.0.0.1:" + shut.port(), std::string("no-such-host")}) {
    EXPECT_NE(failure.error().message.find(part), std::string::npos) << failure.what();
  }
  EXPECT_EQ(std::string(failure.what()).find("s3cret"), std::string::npos) << failure.what();
}

TEST_F(AddressesTest, ConnectTimeoutOfTheUrlIsForEachAddress) {
  const SilentAddress silent, another;
  Use("127.0.0.1:" + silent.port() + ",127.0.0.1:" + another.port(), "connect_timeout=1");
  settings_.connect_timeout = seconds(30);
  const auto took = Took([&] { CatchSql([&] { ConnectSession(settings_); }); });
  EXPECT_GE(took, milliseconds(1900));
  EXPECT_LT(took, seconds(15));
}

TEST_F(AddressesTest, AServerThatRefusesSaysWhy) {
  struct Case {
    std::string url, state;
  };
  db_->Execute("DROP ROLE IF EXISTS few; CREATE ROLE few LOGIN CONNECTION LIMIT 0");
  for (const auto& [url, state] :
       {Case{"postgresql://nobody_here@127.0.0.1:" + port_ + "/" + name_, "28000"},
        Case{"postgresql://postgres@127.0.0.1:" + port_ + "/no_such_database", "3D000"},
        Case{"postgresql://few@127.0.0.1:" + port_ + "/" + name_, "53300"}}) {
    settings_.url = url;
    const SqlFailure failure = CatchSql([&] { ConnectSession(settings_); });
    EXPECT_EQ(failure.error().code, "SH-0401") << failure.what();
    EXPECT_EQ(failure.sqlstate(), state) << failure.what();
    EXPECT_EQ(failure.error().message.find("LOCATION"), std::string::npos) << failure.what();
    EXPECT_EQ(failure.error().message.find('\n'), std::string::npos);
  }
}

TEST_F(AddressesTest, ASessionThatMustWriteIsFoundForEveryKindOfConnection) {
  for (const char* target : {"read-write", "primary", "any", "prefer-standby"}) {
    Use("127.0.0.1:" + port_, std::string("target_session_attrs=") + target);
    for (const auto& way : Ways()) EXPECT_NO_THROW(way()) << target;
  }
}

// Our own default of a session is not what the URL asks about.
TEST_F(AddressesTest, ReadWriteIsWhatTheDatabaseSays) {
  db_->Execute("ALTER DATABASE " + name_ + " SET default_transaction_read_only = on");
  Use("127.0.0.1:" + port_, "target_session_attrs=read-write");
  for (const auto& way : Ways()) EXPECT_EQ(CatchSql(way).error().code, "SH-0401");
  Use("127.0.0.1:" + port_);
  for (const auto& way : Ways()) EXPECT_NO_THROW(way());
}

TEST_F(AddressesTest, LoadIsBalancedWhenTheUrlSaysSo) {
  const auto seen = [&] {
    std::set<std::string> addresses;
    for (int i = 0; i < 30; ++i) {
      addresses.insert(std::string(
          *ConnectSession(settings_)->Exec("SELECT host(inet_server_addr())", {}, 0)->Cell(0, 0)));
    }
    return addresses.size();
  };
  Use("127.0.0.1:" + port_ + ",127.0.0.2:" + port_);
  EXPECT_EQ(seen(), 1u);
  Use("127.0.0.1:" + port_ + ",127.0.0.2:" + port_, "load_balance_hosts=random");
  EXPECT_EQ(seen(), 2u);
}

TEST_F(AddressesTest, AStopEndsALookUpAndAnAttempt) {
  const SilentAddress silent;
  Use("127.0.0.1:" + silent.port());
  WakeUp stop;
  stop.Signal();
  const auto took = Took([&] {
    CatchSql([&] {
      DeadlineConnection(settings_, stop, std::chrono::steady_clock::now() + seconds(60));
    });
    Resolve("no-such-host.invalid", stop, std::chrono::steady_clock::now() + seconds(60));
  });
  EXPECT_LT(took, seconds(20));
}

}  // namespace
}  // namespace summa::host
