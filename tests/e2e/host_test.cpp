// The running host against a real PostgreSQL with the tables of a deployed ledger.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

class Host : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new PostgresServer(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    // A database per test: what one leaves behind must not help the next.
    name_ = std::string("ledger_") + std::to_string(++databases_);
    url_ = InstallLedger(*server_, name_);
  }

  std::string Configuration(const std::string& migrate, const std::string& rest = "plugins: {}\n") {
    return "database: { ledger: { url: \"" + url_ + "\" }, migrate: " + migrate +
           " }\nhost: { name: tested, listen: \"127.0.0.1:0\" }\n" + rest;
  }

  static PostgresServer* server_;
  static int databases_;
  std::string name_, url_;
};

PostgresServer* Host::server_ = nullptr;
int Host::databases_ = 0;

TEST_F(Host, OnceWithoutPluginsEndsWithAnEmptyResult) {
  const TemporaryFile file("summa.yaml", Configuration("auto"));
  const RunResult result = SummaHost({"run", "--once", "-c", file.Path(), "--output", "json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(JsonMember(result.out, "workers"), "[]") << result.out;
}

TEST_F(Host, UnmigratedAndManualExits78WithTheCommandToRun) {
  const TemporaryFile file("summa.yaml", Configuration("manual"));
  const RunResult refused = SummaHost({"run", "--once", "-c", file.Path()});
  EXPECT_EQ(refused.exit_code, 78) << refused.err;
  EXPECT_NE(refused.err.find("summa-host migrate -c " + file.Path()), std::string::npos)
      << refused.err;
  EXPECT_EQ(SummaHost({"migrate", "-c", file.Path()}).exit_code, 0);
  const RunResult result = SummaHost({"run", "--once", "-c", file.Path()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(Host, MigrateSaysWhatItDidAndDoesItOnce) {
  const TemporaryFile file("summa.yaml", Configuration("manual"));
  const RunResult dry = SummaHost({"migrate", "--dry-run", "-c", file.Path()});
  EXPECT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_EQ(dry.out.rfind("would apply 1 ", 0), 0u) << dry.out;
  Db db(url_);
  EXPECT_EQ(db.Count("select count(*) from pg_namespace where nspname = 'summa_host'"), 0);
  const RunResult first = SummaHost({"migrate", "-c", file.Path()});
  EXPECT_EQ(first.out.rfind("applied 1 ", 0), 0u) << first.out << first.err;
  EXPECT_EQ(SummaHost({"migrate", "-c", file.Path()}).out, "already up to date\n");
}

TEST_F(Host, DatabaseThatIsNoLedgerExits78) {
  url_ = server_->CreateDatabase(name_ + "_empty");
  const TemporaryFile file("summa.yaml", Configuration("auto"));
  const RunResult result = SummaHost({"run", "--once", "-c", file.Path()});
  EXPECT_EQ(result.exit_code, 78) << result.err;
  EXPECT_NE(result.err.find("SH-0414"), std::string::npos) << result.err;
  Db db(url_);
  EXPECT_EQ(db.Count("select count(*) from pg_namespace where nspname = 'summa_host'"), 0)
      << "something was created in a database that is no ledger";
}

TEST_F(Host, TermEndsItWithZero) {
  const TemporaryFile file("summa.yaml", Configuration("auto"));
  RunningHost host({"-c", file.Path()});
  host.StatusWhen("running");
  EXPECT_EQ(HttpGet(host.Port(), "/livez").status, 200);
  EXPECT_EQ(HttpGet(host.Port(), "/readyz").status, 200);
  EXPECT_EQ(HttpGet(host.Port(), "/metrics").status, 200);
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
}

TEST_F(Host, ForEndsItByItselfWithZero) {
  const TemporaryFile file("summa.yaml", Configuration("auto"));
  const RunResult result = SummaHost({"run", "--for", "300ms", "-c", file.Path()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(Host, RefusedAndFailedPluginsDoNotKeepAGoodOneFromRunning) {
  const TemporaryFile file(
      "summa.yaml",
      Configuration("auto", "plugins: { newer-abi: {}, throws-in-start: {}, good: {} }\n"));
  RunningHost host({"-c", file.Path(), "--plugin-dir", PluginDirectory("good"), "--plugin-dir",
                    PluginDirectory("newer-abi"), "--plugin-dir",
                    PluginDirectory("throws-in-start")});
  const std::string status = host.StatusWhen("running");
  EXPECT_EQ(HttpGet(host.Port(), "/livez").status, 200);
  EXPECT_NE(status.find("SH-0105"), std::string::npos) << status;
  const Answer ready = HttpGet(host.Port(), "/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_NE(ready.body.find("newer-abi"), std::string::npos) << ready.body;
  EXPECT_NE(ready.body.find("throws-in-start"), std::string::npos) << ready.body;
  WaitUntil(
      [&] {
        const std::string text = HttpGet(host.Port(), "/status").body;
        return text.find("\"good-worker\"") != std::string::npos &&
               text.find("\"lastSuccessAt\":\"") != std::string::npos;
      },
      kTimeout, "a run of the good worker");
  const RunResult asked = SummaHost(
      {"status", "--url", "http://127.0.0.1:" + std::to_string(host.Port()), "--output", "json"});
  EXPECT_EQ(asked.exit_code, 0) << asked.err;
  EXPECT_EQ(JsonMember(asked.out, "host"), "tested");
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
}

TEST_F(Host, WhatAPluginSaysOfItsHealthStandsInReadyz) {
  const TemporaryFile file("summa.yaml", Configuration("auto", "plugins: { sick: {} }\n"));
  RunningHost host({"-c", file.Path(), "--plugin-dir", PluginDirectory("sick")});
  host.StatusWhen("running");
  Answer ready;
  // A plugin that is slow to answer is said so, for a moment.
  BecomesTrue([&] {
    ready = HttpGet(host.Port(), "/readyz");
    return ready.body.find("SH-0127") == std::string::npos;
  });
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(
      ready.body,
      R"({"failing":[{"what":"heart","why":"it stopped","fix":"see a doctor","plugin":"sick"}],)"
      R"("warnings":[{"what":"cold","why":"it sneezes","fix":"drink tea","plugin":"sick"}]})");
}

TEST_F(Host, OnceRunsEveryWorkerAndTheFleetSeesIt) {
  const TemporaryFile file("summa.yaml", Configuration("auto", "plugins: { good: {} }\n"));
  const std::vector<std::string> common = {
      "-c", file.Path(), "--plugin-dir", PluginDirectory("good"), "--output", "json"};
  std::vector<std::string> once = {"run", "--once"};
  once.insert(once.end(), common.begin(), common.end());
  const RunResult result = SummaHost(once);
  EXPECT_EQ(result.exit_code, 0) << result.err << result.out;
  EXPECT_NE(result.out.find("\"id\":\"good-worker\",\"plugin\":\"good\",\"outcome\":\"ok\""),
            std::string::npos)
      << result.out;
  std::vector<std::string> list = {"workers", "list"};
  list.insert(list.end(), common.begin(), common.end());
  const RunResult listed = SummaHost(list);
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  EXPECT_NE(listed.out.find("\"id\":\"good-worker\""), std::string::npos) << listed.out;
}

TEST_F(Host, OnlyWithAnUnknownWorkerExits66) {
  const TemporaryFile file("summa.yaml", Configuration("auto"));
  const RunResult result = SummaHost({"run", "--once", "--only", "nobody", "-c", file.Path()});
  EXPECT_EQ(result.exit_code, 66) << result.err;
}

TEST_F(Host, WorkersArePausedResumedAndRunFromOutside) {
  const TemporaryFile file("summa.yaml", Configuration("auto", "plugins: { good: {} }\n"));
  const auto workers = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "workers");
    for (const char* more : {"-c", file.Path().c_str(), "--output", "json", "--plugin-dir"}) {
      arguments.emplace_back(more);
    }
    arguments.push_back(PluginDirectory("good"));
    return SummaHost(arguments, {{"USER", "tester"}});
  };
  const RunResult migrated =
      SummaHost({"migrate", "-c", file.Path(), "--plugin-dir", PluginDirectory("good")});
  EXPECT_EQ(migrated.exit_code, 0) << migrated.err;
  const RunResult alone = workers({"run", "good-worker", "--wait", "200ms"});
  EXPECT_EQ(alone.exit_code, 75) << alone.err;
  EXPECT_EQ(JsonMember(alone.out, "code"), "SH-0342") << alone.out;
  EXPECT_NE(alone.out.find("run --once --only good-worker"), std::string::npos) << alone.out;

  RunningHost host({"-c", file.Path(), "--plugin-dir", PluginDirectory("good")});
  host.StatusWhen("running");
  const RunResult ran = workers({"run", "good-worker"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err << ran.out;
  EXPECT_EQ(JsonMember(ran.out, "outcome"), "ok") << ran.out;
  EXPECT_EQ(JsonMember(ran.out, "host"), "tested") << ran.out;

  EXPECT_EQ(workers({"pause", "good-worker", "--reason", "a test"}).exit_code, 0);
  WaitUntil(
      [&] {
        const std::string status = HttpGet(host.Port(), "/status").body;
        return status.find("\"state\":\"stopped\"") != std::string::npos &&
               status.find("\"paused\":true") != std::string::npos;
      },
      kTimeout, "the host to stop the worker");
  const RunResult refused = workers({"run", "good-worker"});
  EXPECT_EQ(refused.exit_code, 75) << refused.err;
  EXPECT_EQ(JsonMember(refused.out, "code"), "SH-0341") << refused.out;
  const RunResult listed = workers({"list"});
  EXPECT_NE(listed.out.find("\"pause\":{\"by\":\"tester@tested\",\"reason\":\"a test\""),
            std::string::npos)
      << listed.out;
  const RunResult resumed = workers({"resume", "--all"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_NE(resumed.out.find("\"id\":\"good-worker\",\"paused\":false,\"changed\":true"),
            std::string::npos)
      << resumed.out;
  EXPECT_EQ(workers({"run", "good-worker"}).exit_code, 0);
  for (const char* verb : {"pause", "resume", "run"}) {
    EXPECT_EQ(workers({verb, "nobody"}).exit_code, 66) << verb;
    EXPECT_EQ(workers({verb}).exit_code, 64) << verb;
  }
  EXPECT_EQ(workers({"pause", "good-worker", "--all"}).exit_code, 64);
}

TEST(HostWithoutDatabase, LivesAndSaysSoUntilTheDatabaseComes) {
  PostgresServer server;
  const std::string url = InstallLedger(server, "ledger");
  server.StopFast();
  const TemporaryFile file("summa.yaml", "database: { ledger: { url: \"" + url +
                                             "\" }, migrate: auto }\n"
                                             "host: { listen: \"127.0.0.1:0\" }\nplugins: {}\n");
  RunningHost host({"-c", file.Path()});
  host.StatusWhen("waiting for database");
  EXPECT_EQ(HttpGet(host.Port(), "/livez").status, 200);
  const Answer waiting = HttpGet(host.Port(), "/readyz");
  EXPECT_EQ(waiting.status, 503);
  EXPECT_NE(waiting.body.find(R"({"what":"database","why":"SH-0401 )"), std::string::npos)
      << waiting.body;
  server.Start();
  host.StatusWhen("running");
  WaitUntil([&] { return HttpGet(host.Port(), "/readyz").status == 200; }, kTimeout, "ready");
  WaitUntil(
      [&] {
        return host.process().Stderr().find("database migrated steps=\"1 host, 3 schedule, ") !=
               std::string::npos;
      },
      kTimeout, "a line that names every step");
  server.StopFast();
  WaitUntil([&] { return HttpGet(host.Port(), "/readyz").status == 503; }, kTimeout,
            "a host without workers that sees that the database is gone");
  EXPECT_EQ(HttpGet(host.Port(), "/livez").status, 200);
  EXPECT_EQ(HttpGet(host.Port(), "/metrics").status, 200);
}

TEST(HostWithoutDatabase, TermWhileWaitingEndsItWithZero) {
  const TemporaryFile file(
      "summa.yaml",
      "database: { ledger: { url: \"postgresql:///nowhere?host=/nonexistent\" } }\n"
      "host: { listen: \"127.0.0.1:0\" }\nplugins: {}\n");
  RunningHost host({"-c", file.Path()});
  host.StatusWhen("waiting for database");
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
}

}  // namespace
}  // namespace summa::test
