// A plugin that breaks the process is named, and does not take the fleet with it.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <vector>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

std::string Count(const std::string& text, const std::string& what) {
  int count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return std::to_string(count);
}

// A sanitizer leaves the signals of a crash to the host.
std::map<std::string, std::string> SignalsOfTheHost() {
  std::map<std::string, std::string> environment;
  for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS"}) {
    const char* options = std::getenv(name);
    environment[name] = std::string(options == nullptr ? "" : options) +
                        ":handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_abort=0";
  }
  return environment;
}

class Crash : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new PostgresServer(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    url_ = InstallLedger(*server_, "ledger_" + std::to_string(++databases_));
  }

  // `how` the worker (or start()) of plugin crashes ends its process.
  std::unique_ptr<RunningHost> Start(const std::string& name, const std::string& how,
                                     const std::string& where = "worker",
                                     std::vector<std::string> more = {}) {
    files_.push_back(std::make_unique<TemporaryFile>(
        "summa.yaml", "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
                          "host: { name: " + name + ", listen: \"127.0.0.1:0\" }\n" +
                          "plugins: { good: {}, crashes: { " + where + ": \"" + how + "\" } }\n" +
                          "schedules: { crasher: { lease_ttl: " + lease_ttl_ + " } }\n"));
    std::vector<std::string> arguments = {"-c", files_.back()->Path()};
    for (const char* plugin : {"good", "crashes"}) {
      arguments.insert(arguments.end(), {"--plugin-dir", PluginDirectory(plugin)});
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return std::make_unique<RunningHost>(arguments, SignalsOfTheHost());
  }
  RunResult Workers(std::vector<std::string> words) {
    words.insert(words.begin(), "workers");
    words.insert(words.end(), {"-c", files_.back()->Path(), "--output", "json"});
    for (const char* plugin : {"good", "crashes"}) {
      words.insert(words.end(), {"--plugin-dir", PluginDirectory(plugin)});
    }
    return SummaHost(words);
  }
  // Of the worker `crasher`, in `workers list`.
  std::string Listed() {
    const std::string text = Workers({"list"}).out;
    const std::size_t begin = text.find("{\"id\":\"crasher\"");
    if (begin == std::string::npos) return text;
    return text.substr(begin, text.find("\"id\":\"good-worker\"") - begin);
  }

  // The process that writes a crash down is another than the one that has crashed, and may end
  // later.
  void WaitForCrashes(const std::string& id, int count) {
    WaitUntil(
        [&] {
          return Db(url_).Count("SELECT count(*) FROM summa_host.worker_start WHERE worker_id = '" +
                                id + "' AND crashes = " + std::to_string(count)) == 1;
        },
        kTimeout, "the report of the crash");
  }

  static PostgresServer* server_;
  static int databases_;
  std::string url_;
  std::string lease_ttl_ = "1s";
  std::vector<std::unique_ptr<TemporaryFile>> files_;
};

PostgresServer* Crash::server_ = nullptr;
int Crash::databases_ = 0;

struct End {
  std::string how;
  int exit_code;
  std::string words;
};

TEST_F(Crash, IsNamedInTheLastLineAndEndsAsItWouldHave) {
  const End ends[] = {
      {"null", 128 + SIGSEGV,
       "SH-0345 the process crashed in the code of a plugin signal=\"SIGSEGV\""},
      {"divide", 128 + SIGFPE, "signal=\"SIGFPE\""},
      {"overflow", 128 + SIGSEGV, "signal=\"SIGSEGV\""},
      {"abort", 128 + SIGABRT, "signal=\"SIGABRT\""},
      {"terminate", 128 + SIGABRT, "exception=\"nobody catches this\""},
      {"exit", 70, "SH-0346 a plugin ended the process with exit()"},
      {"quick_exit", 70, "SH-0346 a plugin ended the process with exit()"},
  };
  for (const End& end : ends) {
    // As a fresh fleet, which has seen no crash.
    if (end.how != ends[0].how) Db(url_).Execute("DELETE FROM summa_host.worker_start");
    const auto host = Start("tested", end.how);
    EXPECT_EQ(host->process().WaitOrKill(kTimeout), end.exit_code) << end.how;
    const std::string log = host->process().Stderr();
    const std::string last = log.substr(log.rfind('\n', log.size() - 2) + 1);
    EXPECT_NE(last.find(end.words), std::string::npos) << end.how << log;
    EXPECT_NE(last.find("plugin=\"crashes\" worker=\"crasher\""), std::string::npos)
        << end.how << log;
    EXPECT_NE(log.find("lease taken worker=crasher"), std::string::npos)
        << "lines before the last one are lost: " << log;
    WaitForCrashes("crasher", 1);
    const std::string listed = Listed();
    EXPECT_EQ(listed.find("running"), std::string::npos) << end.how << listed;
    EXPECT_NE(listed.find("\"state\":\"error\""), std::string::npos) << end.how << listed;
    EXPECT_NE(listed.find("SH-034"), std::string::npos) << end.how << listed;
  }
}

TEST_F(Crash, InStartNamesThePluginAndTheFunction) {
  for (const char* how : {"null", "exit"}) {
    const auto host = Start("tested", how, "start");
    const int exit_code = host->process().WaitOrKill(kTimeout);
    EXPECT_EQ(exit_code, std::string(how) == "exit" ? 70 : 128 + SIGSEGV);
    EXPECT_NE(host->process().Stderr().find("plugin=\"crashes\" in=\"start()\""), std::string::npos)
        << host->process().Stderr();
  }
}

// A thread that the plugin has made itself is in no call of the host.
TEST_F(Crash, OnAThreadOfThePluginNamesThePlugin) {
  const End ends[] = {
      {"null", 128 + SIGSEGV, "SH-0345 the process crashed in the code of a plugin"},
      {"jump", 128 + SIGSEGV, "SH-0345 the process crashed in the code of a plugin"},
      {"divide", 128 + SIGFPE, "signal=\"SIGFPE\""},
      {"abort", 128 + SIGABRT, "signal=\"SIGABRT\""},
      {"terminate", 128 + SIGABRT, "exception=\"nobody catches this\""},
      {"throw", 128 + SIGABRT, "exception=\"nobody catches this\""},
      {"exit", 70, "SH-0346 a plugin ended the process with exit()"},
      // exit() destroys what other threads use.
      {"exit_beside_crash", 70, "SH-0346 a plugin ended the process with exit()"},
      // The thread in exit() never goes on.
      {"exit_stuck_beside_crash", 128 + SIGSEGV, "SH-0346 a plugin ended the process with exit()"},
      {"quick_exit", 70, "SH-0346 a plugin ended the process with exit()"},
  };
  for (const End& end : ends) {
    if (end.how != ends[0].how) Db(url_).Execute("DELETE FROM summa_host.worker_start");
    const auto host = Start("tested", end.how, "thread");
    EXPECT_EQ(host->process().WaitOrKill(kTimeout), end.exit_code) << end.how;
    const std::string log = host->process().Stderr();
    const std::string last = log.substr(log.rfind('\n', log.size() - 2) + 1);
    EXPECT_NE(last.find(end.words), std::string::npos) << end.how << log;
    EXPECT_NE(last.find("plugin=\"crashes\" in=\"a thread that it created\""), std::string::npos)
        << end.how << log;
    WaitForCrashes("plugin:crashes", 1);
  }
}

TEST_F(Crash, OutsideOfWorkersParksThePluginAfterTwoHosts) {
  for (const char* where : {"thread", "start"}) {
    for (int i = 0; i < 2; ++i) {
      const auto host = Start("tested", "null", where);
      EXPECT_EQ(host->process().WaitOrKill(kTimeout), 128 + SIGSEGV) << host->process().Stderr();
      WaitForCrashes("plugin:crashes", i + 1);
    }
    const auto host = Start("tested", "null", where);
    host->StatusWhen("running");
    const std::string ready = HttpGet(host->Port(), "/readyz").body;
    EXPECT_NE(ready.find("SH-0349"), std::string::npos) << ready;
    WaitUntil(
        [&] {
          return Db(url_).Count(
                     "SELECT count(*) FROM worker_lease WHERE worker_id = 'good-worker' "
                     "AND lease_until > clock_timestamp()") == 1;
        },
        kTimeout, "the other plugin to work");
    EXPECT_TRUE(host->process().Running());
    host->process().Signal(SIGTERM);
    host->process().WaitOrKill(kTimeout);
    // Until somebody says that it is repaired.
    std::vector<std::string> words = {"plugins", "resume", "crashes", "-c", files_.back()->Path()};
    for (const char* plugin : {"good", "crashes"}) {
      words.insert(words.end(), {"--plugin-dir", PluginDirectory(plugin)});
    }
    EXPECT_EQ(SummaHost(words).exit_code, 0);
    const auto again = Start("tested", "", where);
    again->StatusWhen("running");
    EXPECT_NE(HttpGet(again->Port(), "/status").body.find("crasher"), std::string::npos);
  }
}

TEST_F(Crash, LeavesTheThirdHostOfAFleetAtWork) {
  lease_ttl_ = "10s";  // the next holder begins when the crash of the one before is written down
  std::vector<std::unique_ptr<RunningHost>> hosts;
  for (const char* name : {"host-a", "host-b", "host-c"}) hosts.push_back(Start(name, "null"));
  const auto running = [&] {
    int count = 0;
    for (const auto& host : hosts) count += host->process().Running() ? 1 : 0;
    return count;
  };
  WaitUntil([&] { return Listed().find("\"state\":\"parked\"") != std::string::npos; }, kTimeout,
            "the worker to be parked");
  WaitUntil([&] { return running() == 1; }, kTimeout, "the crashed hosts to end");
  for (const auto& host : hosts) {
    if (!host->process().Running()) continue;
    WaitUntil(
        [&] { return HttpGet(host->Port(), "/readyz").body.find("SH-0347") != std::string::npos; },
        kTimeout, "the reason in /readyz");
    EXPECT_NE(HttpGet(host->Port(), "/metrics")
                  .body.find("summa_worker_state{state=\"parked\",worker=\"crasher\"} 1"),
              std::string::npos);
    EXPECT_NE(HttpGet(host->Port(), "/status").body.find("\"good-worker\""), std::string::npos);
    WaitUntil(
        [&] {
          return Db(url_).Count(
                     "SELECT count(*) FROM worker_lease WHERE worker_id = 'good-worker' "
                     "AND lease_until > clock_timestamp()") == 1;
        },
        kTimeout, "the other worker to go on");
  }
  EXPECT_NE(Listed().find("every host"), std::string::npos) << Listed();
  // A host that is started again does not try it either.
  const auto again = Start("host-a", "null");
  again->StatusWhen("running");
  WaitUntil(
      [&] { return HttpGet(again->Port(), "/readyz").body.find("crasher") != std::string::npos; },
      kTimeout, "the worker in /readyz");
  EXPECT_TRUE(again->process().Running());
  // Until somebody says that it is repaired: then it is tried once more, and crashes.
  EXPECT_EQ(Workers({"resume", "crasher"}).exit_code, 0);
  WaitUntil([&] { return running() + (again->process().Running() ? 1 : 0) < 2; }, kTimeout,
            "one more attempt");
}

// What no handler sees, a kill -9 for example: few in a row say nothing of the worker.
TEST_F(Crash, WithoutATraceParksAfterFiveInARowOnly) {
  for (int i = 0; i < 5; ++i) {
    const auto host = Start("tested", "_exit");
    EXPECT_EQ(host->process().WaitOrKill(kTimeout), 0) << host->process().Stderr();
    EXPECT_EQ(Count(host->process().Stderr(), "SH-0347"), "0");
    WaitUntil([&] { return Listed().find("running") == std::string::npos; }, kTimeout,
              "the lease of the dead host to end");
  }
  const auto host = Start("tested", "_exit");
  host->StatusWhen("running");
  WaitUntil([&] { return Listed().find("\"state\":\"parked\"") != std::string::npos; }, kTimeout,
            "the worker to be parked");
  EXPECT_TRUE(host->process().Running());
}

TEST_F(Crash, OfOneHostIsForgottenWhenTheNextCallReturns) {
  Start("tested", "_exit")->process().WaitOrKill(kTimeout);
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM summa_host.worker_start WHERE worker_id = "
                           "'crasher' AND unfinished"),
            1);
  const auto host = Start("tested", "");
  host->StatusWhen("running");
  WaitUntil(
      [&] {
        return Db(url_).Count(
                   "SELECT count(*) FROM summa_host.worker_start WHERE worker_id = "
                   "'crasher' AND NOT unfinished AND deaths = 0") == 1;
      },
      kTimeout, "a call that returned");
  WaitUntil([&] { return Count(host->process().Stderr(), "SH-0348") != "0"; }, kTimeout,
            "a line of it");
  EXPECT_EQ(Count(host->process().Stderr(), "SH-0348"), "1") << host->process().Stderr();
}

TEST_F(Crash, SignalsFromOutsideBlameNoPlugin) {
  const auto host = Start("tested", "");
  host->StatusWhen("running");
  host->process().Signal(SIGABRT);
  EXPECT_EQ(host->process().WaitOrKill(kTimeout), 128 + SIGABRT);
  EXPECT_NE(
      host->process().Stderr().find("SH-0901 the process crashed signal=\"SIGABRT\" from_pid"),
      std::string::npos)
      << host->process().Stderr();
}

}  // namespace
}  // namespace summa::test
