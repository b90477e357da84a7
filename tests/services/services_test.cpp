// The servers other tests stand on: that they start, die and come back as promised.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/process.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/shared_data.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ProcessTest, CapturesOutputAndExitCodeAndFeedsInput) {
  ProcessOptions options;
  options.stdin_text = std::string(300'000, 'x');  // more than a pipe holds
  options.environment["WORD"] = "hello";
  const auto result = RunProgram({"sh", "-c", "wc -c; echo $WORD >&2; exit 3"}, options);
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.out, "300000\n");
  EXPECT_EQ(result.err, "hello\n");
}

TEST(ProcessTest, BoundsWhatItKeepsAndDoesNotBlockTheChild) {
  ProcessOptions options;
  options.capture_limit_bytes = 1000;
  const auto result = RunProgram({"sh", "-c", "head -c 1000000 /dev/zero; echo done >&2"}, options);
  EXPECT_EQ(result.out.size(), 1000u);
  EXPECT_EQ(result.err, "done\n");
}

TEST(ProcessTest, WaitReturnsNothingBeforeTheEndAndSignalsArrive) {
  Process process({"sleep", "1000"});
  EXPECT_FALSE(process.Wait(milliseconds(20)).has_value());
  EXPECT_TRUE(process.Running());
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(kTimeout), 128 + SIGTERM);
}

TEST(ProcessTest, MeasuresCpuAndMemory) {
  Process process({"sh", "-c", "i=0; while :; do i=$((i+1)); done"});
  WaitUntil([&] { return process.Use().cpu_seconds > 0.05; }, kTimeout, "CPU use");
  EXPECT_GT(process.Use().resident_bytes, 100'000u);
  process.Signal(SIGKILL);
  ASSERT_TRUE(process.Wait(kTimeout));
  EXPECT_GT(process.Use().cpu_seconds, 0.04);
}

TEST(ProcessTest, AMissingProgramIsNamed) {
  EXPECT_THROW(Process({"no-such-program"}), std::runtime_error);
  EXPECT_EQ(RunProgram({"/no/such/program"}).exit_code, 127);
}

TEST(WaitUntilTest, NamesWhatDidNotHappen) {
  try {
    WaitUntil([] { return false; }, milliseconds(10), "the impossible");
    FAIL() << "no exception";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("the impossible"), std::string::npos);
  }
}

TEST(PostgresServerTest, AnswersOnItsSocketOnly) {
  PostgresServer server;
  Db db(server.CreateDatabase("one"));
  EXPECT_EQ(db.Value("SELECT current_database()"), "one");
  EXPECT_EQ(db.Value("SHOW listen_addresses"), "");
  EXPECT_EQ(db.Query("SELECT $1::int + 1, NULL", {"41"}), (Rows{{"42", kNull}}));
  struct stat status {};
  ASSERT_EQ(stat(server.SocketDirectory().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0700u);
  EXPECT_GT(server.Use().resident_bytes, 1'000'000u);
  EXPECT_THROW(server.TcpUrl("one"), std::logic_error);
}

TEST(PostgresServerTest, ListensOnAFreePortWhenAsked) {
  PostgresOptions options;
  options.tcp = true;
  options.settings["work_mem"] = "7MB";
  PostgresServer server(options);
  EXPECT_EQ(Db(server.TcpUrl("postgres")).Value("SHOW work_mem"), "7MB");
}

TEST(PostgresServerTest, CommittedRowsSurviveKillNine) {
  PostgresOptions options;
  options.fsync = true;
  PostgresServer server(options);
  const auto url = server.CreateDatabase("crash");
  Db before(url);
  before.Execute("CREATE TABLE t (i int)");
  before.Execute("INSERT INTO t SELECT generate_series(1, 1000)");
  server.KillNine();
  EXPECT_THROW(before.Value("SELECT 1"), DbError);
  EXPECT_THROW(Db{url}, DbError);
  server.Start();
  EXPECT_EQ(Db(url).Count("SELECT count(*) FROM t"), 1000);
  server.Restart();
  EXPECT_EQ(Db(url).Count("SELECT count(*) FROM t"), 1000);
}

TEST(PostgresServerTest, RunsScriptsAndStopsAtTheFirstError) {
  PostgresServer server;
  server.CreateDatabase("one");
  EXPECT_EQ(server.RunSql("one", "SELECT :'name', 1;", {{"name", "it's"}}), "it's|1\n");
  EXPECT_THROW(server.RunSql("one", "CREATE TABLE a(); SELECT 1/0; CREATE TABLE b();"),
               std::runtime_error);
  EXPECT_EQ(Db(server.Url("one")).Value("SELECT to_regclass('b')"), kNull);
  const auto copy = server.CreateDatabase("two", "one");
  EXPECT_EQ(Db(copy).Value("SELECT to_regclass('a')"), "a");
  server.DropDatabase("two");
  EXPECT_THROW(Db{copy}, DbError);
}

TEST(PostgresServerTest, TellsTheSqlState) {
  PostgresServer server;
  Db db(server.Url("postgres"));
  try {
    db.Execute("SELECT 1/0");
    FAIL() << "no exception";
  } catch (const DbError& error) {
    EXPECT_EQ(error.sqlstate, "22012");
  }
}

TEST(PostgresServerTest, StartFailsWithTheServersOwnWords) {
  PostgresOptions options;
  options.settings["no_such_setting"] = "1";
  try {
    PostgresServer server(options);
    FAIL() << "started";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("no_such_setting"), std::string::npos);
  }
}

TEST(PostgresServerTest, IsRefusedOutsideTheMainThread) {
  bool refused = false;
  std::thread([&refused] {
    try {
      RedisServer server;
    } catch (const std::logic_error&) {
      refused = true;
    }
  }).join();
  EXPECT_TRUE(refused);
}

TEST(RedisServerTest, AnswersStopsAndComesBack) {
  RedisOptions options;
  options.tcp = true;
  options.append_only = true;
  RedisServer server(options);
  RedisClient client(server.Url());
  client.Command({"XADD", "s", "*", "id", "1", "payload", std::string("a\0b", 3)});
  EXPECT_EQ(client.StreamLength("s"), 1);
  server.KillNine();
  EXPECT_THROW(client.Command({"PING"}), RedisError);
  EXPECT_THROW(RedisClient{server.Url()}, RedisError);
  server.Start();
  RedisClient again(server.TcpUrl());
  const auto messages = again.StreamMessages("s");
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].fields.at("payload"), std::string("a\0b", 3));
  EXPECT_THROW(again.Command({"XLEN"}), RedisError);
  server.Restart();
  EXPECT_EQ(RedisClient(server.Url()).Keys("*"), std::vector<std::string>{"s"});
}

TEST(RedisServerTest, RefusesWritesAboveMaxMemory) {
  RedisOptions options;
  options.max_memory = "2mb";
  RedisServer server(options);
  RedisClient client(server.Url());
  EXPECT_THROW(
      {
        for (int i = 0; i < 100; ++i) {
          client.Command({"SET", "k" + std::to_string(i), std::string(100'000, 'x')});
        }
      },
      RedisError);
}

// A test program that is killed leaves a directory, and for a moment a server: here both are left
// by a child that dies, and swept by us.
TEST(ServerDirectoryTest, SweepsWhatADeadOwnerLeft) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    RedisServer server;
    const std::string words = server.Url() + " " + std::to_string(server.Pid());
    [[maybe_unused]] const auto written = write(ends[1], words.data(), words.size());
    kill(getpid(), SIGKILL);
  }
  close(ends[1]);
  std::string words;
  char buffer[256];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
    words.append(buffer, static_cast<std::size_t>(n));
    if (words.find(' ') != std::string::npos) break;
  }
  close(ends[0]);
  const auto blank = words.find(' ');
  ASSERT_NE(blank, std::string::npos);
  const std::string socket_path = words.substr(7, blank - 7);
  const auto folder = std::filesystem::path(socket_path).parent_path();
  const auto server_pid = static_cast<pid_t>(std::stol(words.substr(blank + 1)));
  WaitUntil([&] { return !StartTimeOf(child); }, kTimeout, "the child's death");
  WaitUntil([&] { return !StartTimeOf(server_pid); }, kTimeout, "the server to die with its owner");
  EXPECT_TRUE(std::filesystem::exists(folder));
  SweepServerDirectories();
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST(SharedDataTest, TheSourceDirIsTheOneOfThisRepository) {
  EXPECT_TRUE(std::filesystem::exists(SourceDir() + "/tests/services/services_test.cpp"));
  const auto shared = ForSharedData();
  if (!shared) GTEST_SKIP() << "skipped: no folder shared beside the source tree";
  EXPECT_TRUE(std::filesystem::is_directory(*shared));
}

}  // namespace
}  // namespace summa::test
