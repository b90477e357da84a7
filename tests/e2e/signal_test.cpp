// What signals do to a host that works.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/certificate.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

// That a host always has: of the fleet and of renewals; that of leases is opened when one is taken.
constexpr long long kConnections = 2;

class Signals : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new PostgresServer(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    url_ = InstallLedger(*server_, "ledger_" + std::to_string(++databases_));
    file_ = std::make_unique<TemporaryFile>("summa.yaml", Text("info", url_));
  }

  static std::string Text(const std::string& level, const std::string& url,
                          const std::string& more = "") {
    return "database: { ledger: { url: \"" + url + "\" }, migrate: auto }\n" +
           "host: { name: tested, listen: \"127.0.0.1:0\" }\nlog: { level: " + level + " }\n" +
           "plugins: { good: {} }\n" + more;
  }
  void Rewrite(const std::string& text) { std::ofstream(file_->Path()) << text; }
  std::vector<std::string> Arguments() const {
    return {"-c", file_->Path(), "--plugin-dir", PluginDirectory("good")};
  }
  // A host that holds the lease of its worker.
  std::unique_ptr<RunningHost> Start() {
    auto host = std::make_unique<RunningHost>(Arguments());
    host->StatusWhen("running");
    WaitUntil([&] { return Held(); }, kTimeout, "the lease");
    return host;
  }
  bool Held() {
    return Db(url_).Count(
               "SELECT count(*) FROM worker_lease WHERE worker_id = 'good-worker' AND "
               "lease_until > clock_timestamp()") == 1;
  }
  // For this role only; everybody else goes on without.
  void RequirePassword(const std::string& role) {
    const std::string path = server_->SocketDirectory() + "/data/pg_hba.conf";
    std::ostringstream before;
    before << std::ifstream(path).rdbuf();
    std::ofstream(path) << "local all " << role << " scram-sha-256\n" << before.str();
    Db(url_).Execute("SELECT pg_reload_conf()");
  }
  std::string WithPassword(const std::string& password) const {
    const std::string who = "postgres@";
    const std::size_t at = url_.find(who);
    return url_.substr(0, at) + "rotating:" + password + "@" + url_.substr(at + who.size());
  }
  static void WaitForLog(RunningHost& host, const std::string& words) {
    WaitUntil([&] { return host.process().Stderr().find(words) != std::string::npos; }, kTimeout,
              "\"" + words + "\" in the log");
  }

  static PostgresServer* server_;
  static int databases_;
  std::string url_;
  std::unique_ptr<TemporaryFile> file_;
};

PostgresServer* Signals::server_ = nullptr;
int Signals::databases_ = 0;

TEST_F(Signals, ThatStopGiveTheLeaseBack) {
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT}) {
    const auto host = Start();
    host->process().Signal(signal);
    EXPECT_EQ(host->process().WaitOrKill(kTimeout), 0) << strsignal(signal);
    EXPECT_FALSE(Held()) << strsignal(signal);
  }
}

TEST_F(Signals, TheSecondEndsAHostAtOnceWhoseWorkerDoesNotReturn) {
  Rewrite("database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
          "host: { name: tested, listen: \"127.0.0.1:0\", drain_timeout: 5m }\n" +
          "plugins: { crashes: { worker: hang } }\n");
  RunningHost host({"-c", file_->Path(), "--plugin-dir", PluginDirectory("crashes")});
  host.StatusWhen("running");
  WaitForLog(host, "hangs from now on");
  host.process().Signal(SIGTERM);
  WaitForLog(host, "asked to stop signal=SIGTERM");
  host.process().Signal(SIGHUP);  // is no second one
  EXPECT_EQ(HttpGet(host.Port(), "/livez").status, 200);
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 75);
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM worker_lease WHERE worker_id = 'crasher' AND "
                           "lease_until > clock_timestamp()"),
            1)
      << "the lease is left to expire";
}

TEST_F(Signals, ThatMeanNothingAreNamedAndIgnored) {
  const auto host = Start();
  for (const int signal : {SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE, SIGRTMIN + 1}) {
    host->process().Signal(signal);
  }
  WaitForLog(*host, "SH-0908 SIGUSR2 has no meaning here and was ignored");
  EXPECT_EQ(HttpGet(host->Port(), "/livez").status, 200);
  EXPECT_TRUE(Held());
}

TEST_F(Signals, AHangUpReadsTheLogLevelAgain) {
  const auto host = Start();
  Rewrite(Text("debug", url_));
  host->process().Signal(SIGHUP);
  WaitForLog(*host, "the configuration was reloaded in_effect=log.level");
  // A key that cannot change in a running host is named, and is not in force.
  Rewrite(Text("debug", url_, "schedules: { good-worker: { lease_ttl: 5s } }\n"));
  host->process().Signal(SIGHUP);
  WaitForLog(*host, "SH-0910");
  EXPECT_NE(host->process().Stderr().find("keys=schedules.good-worker.lease_ttl"),
            std::string::npos)
      << host->process().Stderr();
  EXPECT_TRUE(Held());
  host->process().Signal(SIGTERM);
  EXPECT_EQ(host->process().WaitOrKill(kTimeout), 0);
  EXPECT_FALSE(Held());
}

TEST_F(Signals, AHangUpWithABrokenConfigurationChangesNothing) {
  const auto host = Start();
  Rewrite(Text("loud", url_) + "schedules: { nobody: {} }\n");
  host->process().Signal(SIGHUP);
  WaitForLog(*host, "SH-0909");
  EXPECT_NE(host->process().Stderr().find("\"loud\" is not one of"), std::string::npos)
      << host->process().Stderr();
  EXPECT_NE(host->process().Stderr().find("nobody"), std::string::npos) << "every error is named";
  EXPECT_EQ(HttpGet(host->Port(), "/readyz").status, 200);
  Rewrite("");
  host->process().Signal(SIGHUP);
  std::filesystem::remove(file_->Path());
  host->process().Signal(SIGHUP);
  EXPECT_TRUE(Held());
  Rewrite(Text("debug", url_));
  host->process().Signal(SIGHUP);
  WaitForLog(*host, "in_effect=log.level");
}

// The password comes from a file; the role gets another one, and its sessions are ended.
TEST_F(Signals, AHangUpReadsTheSecretOfTheDatabaseAgain) {
  Db admin(url_);
  RequirePassword("rotating");
  admin.Execute("CREATE ROLE rotating SUPERUSER LOGIN PASSWORD 'before'");
  const TemporaryFile secret("url", WithPassword("before") + "\n");
  Rewrite(Text("info", "${file:" + secret.Path() + "}"));
  const auto host = Start();
  admin.Execute("ALTER ROLE rotating PASSWORD 'after'");
  std::ofstream(secret.Path()) << WithPassword("after") << "\n";
  host->process().Signal(SIGHUP);
  WaitForLog(*host, "in_effect=database.ledger.url");
  const std::string sessions = "FROM pg_stat_activity WHERE usename = 'rotating'";
  admin.Execute("SELECT pg_terminate_backend(pid) " + sessions);
  WaitUntil([&] { return admin.Count("SELECT count(*) " + sessions) >= kConnections; }, kTimeout,
            "connections with the new password");
  WaitUntil([&] { return HttpGet(host->Port(), "/readyz").status == 200; }, kTimeout, "ready");
  EXPECT_EQ(host->process().Stderr().find("after@"), std::string::npos) << "the password is shown";
  // Another database is none of the secrets.
  std::ofstream(secret.Path()) << WithPassword("after") << "&dbname=other\n";
  host->process().Signal(SIGHUP);
  WaitForLog(*host, "keys=database.ledger.url");
  host->process().Signal(SIGTERM);
  EXPECT_EQ(host->process().WaitOrKill(kTimeout), 0) << host->process().Stderr();
  EXPECT_FALSE(Held());
}

// libpq reads its files with every connection: neither a signal nor a restart is needed.
TEST_F(Signals, AreNotNeededForNewCertificatesOfTheDatabase) {
  PostgresOptions options;
  options.tcp = true;
  PostgresServer server(options);
  const std::string name = "ledger", data = server.SocketDirectory() + "/data";
  url_ = InstallLedger(server, name);
  Db admin(url_);
  const ServerDirectory files;
  const auto serve = [&](const std::string& authority) {
    MakeCertificate(files.Path() + "/" + authority, "/CN=" + authority);
    MakeCertificate(files.Path() + "/server", "/CN=server", files.Path() + "/" + authority);
    for (const char* part : {".crt", ".key"}) {
      std::filesystem::copy_file(files.Path() + "/server" + part, data + "/server" + part,
                                 std::filesystem::copy_options::overwrite_existing);
      RunOrThrow({"chown", "--reference", data, data + "/server" + part});
    }
    admin.Execute("ALTER SYSTEM SET ssl = on");
    admin.Execute("SELECT pg_reload_conf()");
  };
  const std::string trusted = files.Path() + "/trusted.crt";
  const auto trust = [&](const std::string& authority) {
    std::filesystem::copy_file(files.Path() + "/" + authority + ".crt", trusted,
                               std::filesystem::copy_options::overwrite_existing);
  };
  serve("one");
  trust("one");
  Rewrite(Text("info", server.TcpUrl(name) + "?sslmode=verify-ca&sslrootcert=" + trusted));
  const auto host = Start();
  const std::string sessions =
      "FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE ssl AND application_name LIKE "
      "'summa-host/%'";
  const auto connected = [&] { return admin.Count("SELECT count(*) " + sessions) >= kConnections; };
  WaitUntil(connected, kTimeout, "TLS");
  serve("another");
  admin.Execute("SELECT pg_terminate_backend(pid) " + sessions);
  WaitUntil([&] { return HttpGet(host->Port(), "/readyz").status == 503; }, kTimeout,
            "the authority of before to be refused");
  trust("another");
  WaitUntil(connected, kTimeout, "connections that trust the new authority");
  WaitUntil([&] { return HttpGet(host->Port(), "/readyz").status == 200; }, kTimeout, "ready");
  WaitUntil([&] { return Held(); }, kTimeout, "the lease");
  host->process().Signal(SIGTERM);
  EXPECT_EQ(host->process().WaitOrKill(kTimeout), 0) << host->process().Stderr();
}

TEST_F(Signals, ATerminalThatGoesStopsTheHostAndGivesTheLeaseBack) {
  int terminal = -1;
  std::vector<std::string> arguments = Arguments();
  arguments.insert(arguments.begin(), {SummaHostPath(), "run"});
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
  ASSERT_GE(child, 0);
  if (child == 0) {
    execv(pointers[0], pointers.data());
    _exit(127);
  }
  fcntl(terminal, F_SETFL, O_NONBLOCK);
  char buffer[4096];
  WaitUntil(
      [&] {
        while (read(terminal, buffer, sizeof buffer) > 0) {
        }
        return Held();
      },
      kTimeout, "the lease");
  close(terminal);
  int status = -1;
  WaitUntil([&] { return waitpid(child, &status, WNOHANG) == child; }, kTimeout, "its end");
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_FALSE(Held());
}

}  // namespace
}  // namespace summa::test
