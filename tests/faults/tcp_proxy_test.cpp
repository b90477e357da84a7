// Each fault of the proxy, seen by a client of a real server.
#include "tests/faults/tcp_proxy.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/server_directory.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using std::chrono::milliseconds;

// A bare connection that speaks Redis' inline commands, so that bytes can be counted.
class RawClient {
 public:
  explicit RawClient(int port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  bool Send(const std::string& text) {
    return send(socket_, text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  // What comes until `size` bytes are there, or the connection ends; `error` is 0 at a plain end.
  std::string Read(std::size_t size, int* error = nullptr) {
    std::string text;
    if (error != nullptr) *error = 0;
    while (text.size() < size) {
      char byte = 0;
      const ssize_t got = recv(socket_, &byte, 1, 0);
      if (got < 0 && error != nullptr) *error = errno;
      if (got <= 0) break;
      text += byte;
    }
    return text;
  }
  bool Readable(milliseconds wait) {
    pollfd watched{socket_, POLLIN, 0};
    return poll(&watched, 1, static_cast<int>(wait.count())) == 1;
  }

 private:
  const int socket_;
  bool connected_ = false;
};

constexpr char kPing[] = "PING\r\n";    // 6 bytes
constexpr char kPong[] = "+PONG\r\n";   // 7 bytes
constexpr std::size_t kMuch = 1 << 20;  // more than comes
constexpr milliseconds kQuiet{100};     // nothing comes within

class ProxyTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { redis_ = new RedisServer(); }
  static void TearDownTestSuite() {
    delete redis_;
    redis_ = nullptr;
  }
  static std::string RedisSocket() { return redis_->Url().substr(std::string("unix://").size()); }
  static long long Value(const std::string& key) {
    const auto reply = RedisClient(redis_->Url()).Command({"GET", key});
    return reply.text.empty() ? 0 : std::stoll(reply.text);
  }

  static RedisServer* redis_;
  TcpProxy proxy_{ProxyAddress::Tcp(), ProxyAddress::Unix(RedisSocket())};
};

RedisServer* ProxyTest::redis_ = nullptr;

TEST_F(ProxyTest, PassesEverythingAndCountsIt) {
  RawClient client(proxy_.Port());
  ASSERT_TRUE(client.Send(kPing));
  EXPECT_EQ(client.Read(7), kPong);
  EXPECT_EQ(proxy_.CountsOf(0).to_server_bytes, 6u);
  EXPECT_EQ(proxy_.CountsOf(0).to_client_bytes, 7u);
  RawClient other(proxy_.Port());
  ASSERT_TRUE(other.Send(kPing));
  EXPECT_EQ(other.Read(7), kPong);
  EXPECT_EQ(proxy_.Counts().to_server_bytes, 12u);
  EXPECT_EQ(proxy_.Accepted(), 2u);
  EXPECT_EQ(proxy_.Open(), 2u);
}

TEST_F(ProxyTest, AMegabyteComesThroughWhole) {
  const std::string url = "redis://127.0.0.1:" + std::to_string(proxy_.Port());
  RedisClient client(url);
  const std::string large(3 << 20, 'x');
  client.Command({"SET", "large", large});
  EXPECT_EQ(client.Command({"GET", "large"}).text, large);
}

TEST_F(ProxyTest, CutsAfterExactlySoManyBytesInEitherDirection) {
  for (std::uint64_t bytes = 0; bytes <= 6; ++bytes) {
    proxy_.Set(Direction::kToServer, {.cut_after_bytes = bytes});
    RawClient client(proxy_.Port());
    client.Send(kPing);
    EXPECT_LE(client.Read(kMuch).size(), 7u);
    EXPECT_EQ(proxy_.CountsOf(proxy_.Accepted() - 1).to_server_bytes, bytes);
  }
  proxy_.Clear();
  for (std::uint64_t bytes = 0; bytes <= 6; ++bytes) {
    proxy_.Set(Direction::kToClient, {.cut_after_bytes = bytes});
    RawClient client(proxy_.Port());
    client.Send(kPing);
    EXPECT_EQ(client.Read(kMuch), std::string(kPong).substr(0, bytes));
  }
  proxy_.Clear();
  WaitUntil([&] { return proxy_.Open() == 0; }, kTimeout, "the end of the connections");
}

TEST_F(ProxyTest, CountsTheBytesUntilTheCutFromTheSettingOfTheFault) {
  RawClient client(proxy_.Port());
  client.Send(kPing);
  EXPECT_EQ(client.Read(7), kPong);
  proxy_.SetFor(0, Direction::kToClient, {.cut_after_bytes = 3});
  client.Send(kPing);
  EXPECT_EQ(client.Read(kMuch), "+PO");
  RawClient other(proxy_.Port());  // not meant
  other.Send(kPing);
  EXPECT_EQ(other.Read(7), kPong);
}

TEST_F(ProxyTest, AFaultForLaterConnectionsSparesThoseThatAreOpen) {
  RawClient before(proxy_.Port());
  before.Send(kPing);
  EXPECT_EQ(before.Read(7), kPong);
  EXPECT_EQ(proxy_.SetForLater(Direction::kToClient, {.cut_after_bytes = 3}), 1u);
  before.Send(kPing);
  EXPECT_EQ(before.Read(7), kPong);
  RawClient later(proxy_.Port());
  later.Send(kPing);
  EXPECT_EQ(later.Read(kMuch), "+PO");
}

TEST_F(ProxyTest, AResetIsSeenAsOne) {
  proxy_.Set(Direction::kToClient, {.cut_after_bytes = 2, .reset = true});
  RawClient client(proxy_.Port());
  client.Send(kPing);
  int error = 0;
  client.Read(kMuch, &error);
  EXPECT_EQ(error, ECONNRESET);
  proxy_.Clear();
  RawClient other(proxy_.Port());
  other.Send(kPing);
  EXPECT_EQ(other.Read(7), kPong);
  proxy_.CutAll(true);
  other.Read(kMuch, &error);
  EXPECT_EQ(error, ECONNRESET);
}

TEST_F(ProxyTest, WhatIsHeldArrivesWhenTheFaultEndsAndNobodyHearsOfAClose) {
  proxy_.Set(Direction::kToServer, {.flow = ProxyFault::Flow::kHold});
  {
    RawClient client(proxy_.Port());
    client.Send("INCR held\r\n");
    WaitUntil([&] { return proxy_.Accepted() == 1; }, kTimeout, "the connection");
    EXPECT_FALSE(client.Readable(kQuiet));
  }
  EXPECT_EQ(Value("held"), 0);
  EXPECT_EQ(proxy_.Open(), 1u);  // the server still believes in it
  proxy_.Clear();
  WaitUntil([] { return Value("held") == 1; }, kTimeout, "the late command");
  WaitUntil([&] { return proxy_.Open() == 0; }, kTimeout, "the late close");
}

TEST_F(ProxyTest, WhatIsSwallowedNeverArrivesAndTheConnectionEndsWithTheFault) {
  proxy_.Set(Direction::kToServer, {.flow = ProxyFault::Flow::kSwallow});
  RawClient client(proxy_.Port());
  const std::string command = "INCR swallowed\r\n";
  client.Send(command);
  WaitUntil([&] { return proxy_.Counts().swallowed_bytes == command.size(); }, kTimeout,
            "the end of the command");
  EXPECT_FALSE(client.Readable(kQuiet));
  proxy_.Clear();
  EXPECT_EQ(client.Read(kMuch), "");
  EXPECT_EQ(Value("swallowed"), 0);
}

TEST_F(ProxyTest, DelaysAndSlicesWithoutChangingAnything) {
  proxy_.Set(Direction::kToServer, {.slice_bytes = 1});
  proxy_.Set(Direction::kToClient, {.delay = milliseconds(60), .slice_bytes = 1});
  RawClient client(proxy_.Port());
  const auto start = std::chrono::steady_clock::now();
  client.Send(std::string(kPing) + kPing);
  EXPECT_EQ(client.Read(14), std::string(kPong) + kPong);
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(60));
}

TEST_F(ProxyTest, RefusesNewConnectionsAndLetsThemInAgain) {
  RawClient before(proxy_.Port());
  before.Send(kPing);
  EXPECT_EQ(before.Read(7), kPong);
  proxy_.Refuse(true);
  EXPECT_FALSE(RawClient(proxy_.Port()).connected());
  before.Send(kPing);  // an open one goes on
  EXPECT_EQ(before.Read(7), kPong);
  proxy_.Refuse(false);
  RawClient after(proxy_.Port());
  after.Send(kPing);
  EXPECT_EQ(after.Read(7), kPong);
}

TEST_F(ProxyTest, ATargetThatIsDownLooksLikeAClosedConnection) {
  TcpProxy proxy(ProxyAddress::Tcp(), ProxyAddress::Unix("/tmp/no-such-server"));
  EXPECT_EQ(RawClient(proxy.Port()).Read(kMuch), "");
}

TEST_F(ProxyTest, CutsAfterSoManyMessagesOfPostgres) {
  PostgresServer server;
  TcpProxy proxy(ProxyAddress::Tcp(), ProxyAddress::Postgres(server.SocketDirectory()));
  const std::string url =
      "postgresql://postgres@127.0.0.1:" + std::to_string(proxy.Port()) + "/postgres";
  Db direct(server.Url("postgres"));
  direct.Execute("CREATE TABLE item (id integer)");
  Db client(url);
  ProxyFault third;
  third.cut_after_messages = 3;  // each Execute is one
  proxy.SetFor(0, Direction::kToServer, third);
  client.Execute("INSERT INTO item VALUES (1)");
  client.Execute("INSERT INTO item VALUES (2)");
  EXPECT_THROW(client.Execute("INSERT INTO item VALUES (3)"), DbError);
  // The server had the third one whole.
  WaitUntil([&] { return direct.Count("SELECT count(*) FROM item") == 3; }, kTimeout, "the third");
  third.cut_after_messages = 2;  // the request for encryption and the login
  proxy.Set(Direction::kToServer, third);
  EXPECT_THROW(Db{url}, DbError);
}

TEST_F(ProxyTest, PlaysAPostgresServerOnASocketAndOnAPort) {
  PostgresServer server;
  const ServerDirectory directory;
  TcpProxy on_socket(ProxyAddress::Postgres(directory.Path()),
                     ProxyAddress::Postgres(server.SocketDirectory()));
  Db over_socket("postgresql://postgres@/postgres?host=" + directory.Path());
  EXPECT_EQ(over_socket.Value("SELECT 1 + 1"), "2");
  TcpProxy on_port(ProxyAddress::Tcp(), ProxyAddress::Postgres(server.SocketDirectory()));
  Db over_port("postgresql://postgres@127.0.0.1:" + std::to_string(on_port.Port()) + "/postgres");
  EXPECT_EQ(over_port.Value("SELECT 1 + 1"), "2");
  on_port.CutAll();
  EXPECT_THROW(over_port.Value("SELECT 1"), DbError);
  on_socket.Refuse(true);
  EXPECT_THROW(Db("postgresql://postgres@/postgres?host=" + directory.Path()), DbError);
}

}  // namespace
}  // namespace summa::test
