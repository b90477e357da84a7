// A plugin that hangs, throws or says rubbish costs itself, and is named.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string PluginDirectory(const std::string& name) {
  return std::string(std::getenv("SUMMA_BINARY_DIR")) + "/tests/broken-plugins/" + name;
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class PluginCalls : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new PostgresServer();
    url_ = InstallLedger(*server_, "ledger");
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  // The plugin that misbehaves, and beside it one that is good.
  static TemporaryFile Configuration(const std::string& how, const std::string& host = "") {
    return TemporaryFile("summa.yaml", "database: { ledger: { url: \"" + url_ +
                                           "\" }, migrate: auto }\n"
                                           "host: { name: tested, listen: \"127.0.0.1:0\"" +
                                           host +
                                           " }\n"
                                           "plugins: { good: {}, fickle: { how: " +
                                           how + " } }\n");
  }
  static std::vector<std::string> Arguments(const TemporaryFile& file,
                                            std::vector<std::string> more = {}) {
    for (const char* word : {"-c", file.Path().c_str(), "--plugin-dir"}) more.emplace_back(word);
    more.push_back(PluginDirectory("good"));
    more.emplace_back("--plugin-dir");
    more.push_back(PluginDirectory("fickle"));
    return more;
  }
  static void WaitForLog(RunningHost& host, const std::string& part) {
    WaitUntil([&] { return Contains(host.process().Stderr(), part); }, kPatience,
              "a line with " + part);
  }
  static void WaitForGoodWorker(RunningHost& host) {
    WaitUntil(
        [&] {
          const std::string status = HttpGet(host.Port(), "/status").body;
          return Contains(status, "\"id\":\"good-worker\"") &&
                 Contains(status, "\"lastSuccessAt\":\"");
        },
        kPatience, "a run of the good worker");
  }
  // Told to stop, it ends with 75 and names the plugin and the call.
  static void EndsNamed(RunningHost& host, const std::string& call) {
    host.process().Signal(SIGTERM);
    EXPECT_EQ(host.process().WaitOrKill(kPatience), 75) << host.process().Stderr();
    EXPECT_TRUE(Contains(host.process().Stderr(), "SH-0128 " + PluginDirectory("fickle") +
                                                      "/fickle.so: plugin \"fickle\": " + call))
        << host.process().Stderr();
  }

  static PostgresServer* server_;
  static std::string url_;
};

PostgresServer* PluginCalls::server_ = nullptr;
std::string PluginCalls::url_;

TEST_F(PluginCalls, AStartThatHangsIsNamedAndGivenUpAndTheOthersRun) {
  const TemporaryFile file = Configuration("start-hangs", ", start_timeout: 8s");
  RunningHost host(Arguments(file));
  WaitForLog(host, "SH-0127");
  const Answer ready = HttpGet(host.Port(), "/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_TRUE(Contains(ready.body, "\"what\":\"plugin fickle\",\"why\":\"SH-0127 start() has not"))
      << ready.body;
  EXPECT_EQ(HttpGet(host.Port(), "/metrics").status, 200);
  WaitForGoodWorker(host);
  const Answer later = HttpGet(host.Port(), "/readyz");
  EXPECT_EQ(later.status, 503);
  EXPECT_TRUE(Contains(later.body, "SH-0128 plugin \\\"fickle\\\": start() has not returned"))
      << later.body;
  EndsNamed(host, "start() has not returned");
}

TEST_F(PluginCalls, AConfigureThatHangsIsGivenUpAndTheOthersRun) {
  const TemporaryFile file = Configuration("configure-hangs", ", start_timeout: 300ms");
  RunningHost host(Arguments(file));
  WaitForGoodWorker(host);
  EndsNamed(host, "configure() has not returned");
}

TEST_F(PluginCalls, AStopSignalDuringAStartThatHangsEndsTheHost) {
  const TemporaryFile file = Configuration("start-hangs", ", drain_timeout: 300ms");
  RunningHost host(Arguments(file));
  WaitForLog(host, "database is ready");
  EndsNamed(host, "start() has not returned");
}

TEST_F(PluginCalls, AStopThatHangsEndsTheHostAfterDrainTimeout) {
  const TemporaryFile file = Configuration("stop-hangs", ", drain_timeout: 500ms");
  RunningHost host(Arguments(file));
  host.StatusWhen("running");
  EndsNamed(host, "stop() has not returned");
}

TEST_F(PluginCalls, ADestructorThatHangsEndsTheHostAfterDrainTimeout) {
  const TemporaryFile file = Configuration("destroy-hangs", ", drain_timeout: 500ms");
  RunningHost host(Arguments(file));
  host.StatusWhen("running");
  EndsNamed(host, "destroy() has not returned");
}

TEST_F(PluginCalls, OnceEndsBesideAStopThatHangs) {
  const TemporaryFile file = Configuration("stop-hangs", ", drain_timeout: 500ms");
  const RunResult result = SummaHost(Arguments(file, {"run", "--once", "--output", "json"}));
  EXPECT_EQ(result.exit_code, 75) << result.err;
  EXPECT_EQ(JsonMember(result.out, "code"), "SH-0128") << result.out;
  EXPECT_TRUE(Contains(result.out, "\"id\":\"good-worker\",\"plugin\":\"good\",\"outcome\":\"ok\""))
      << result.out;
}

// Whatever a plugin does when it is asked, everybody is answered at once, and it is named.
class Asked : public PluginCalls, public testing::WithParamInterface<const char*> {};

TEST_P(Asked, NobodyWaitsForAPluginThatHangs) {
  const TemporaryFile file = Configuration(GetParam());
  RunningHost host(Arguments(file));
  WaitForGoodWorker(host);
  for (const char* path : {"/livez", "/status", "/metrics"}) {
    EXPECT_EQ(HttpGet(host.Port(), path).status, 200) << path;
  }
  const std::string call = GetParam() == std::string("status-hangs") ? "status()" : "failing()";
  WaitUntil(
      [&] {
        const Answer ready = HttpGet(host.Port(), "/readyz");
        EXPECT_EQ(ready.status, 503);
        EXPECT_TRUE(Contains(ready.body, "\"what\":\"plugin fickle\"")) << ready.body;
        return Contains(ready.body, "SH-0127 " + call + " has not returned for");
      },
      kPatience, "the call to be named");
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kPatience), 0) << host.process().Stderr();
}
INSTANTIATE_TEST_SUITE_P(How, Asked, testing::Values("status-hangs", "failing-hangs"));

TEST_F(PluginCalls, AProbeIsAnsweredWhileAPluginHangs) {
  const TemporaryFile file = Configuration("status-hangs");
  RunningHost host(Arguments(file));
  host.StatusWhen("running");
  // Ten probes one after the other wait for the plugin half a second each, and not an hour.
  const auto begin = steady_clock::now();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(HttpGet(host.Port(), "/readyz").status, 503);
  EXPECT_LT(steady_clock::now() - begin, kPatience);
}

struct Rubbish {
  const char* how;
  const char* in_status;  // /status stays JSON and says this
  const char* in_ready;   // nullptr: the host is ready
};
std::ostream& operator<<(std::ostream& out, const Rubbish& rubbish) { return out << rubbish.how; }
class AnsweredWith : public PluginCalls, public testing::WithParamInterface<Rubbish> {};

TEST_P(AnsweredWith, StatusStaysJsonAndThePluginIsNamed) {
  const TemporaryFile file = Configuration(GetParam().how);
  RunningHost host(Arguments(file));
  WaitForGoodWorker(host);
  const std::string status = HttpGet(host.Port(), "/status").body;
  EXPECT_EQ(JsonMember(status, "host"), "tested") << status;  // throws for what is no JSON
  EXPECT_TRUE(Contains(status, GetParam().in_status)) << status;
  const Answer ready = HttpGet(host.Port(), "/readyz");
  EXPECT_EQ(ready.status, 503) << ready.body;
  EXPECT_EQ(JsonMember(ready.body, "warnings"), "[]") << ready.body;
  EXPECT_TRUE(Contains(ready.body, GetParam().in_ready)) << ready.body;
  EXPECT_TRUE(Contains(ready.body, "\"plugin\":\"fickle\"")) << ready.body;
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kPatience), 0) << host.process().Stderr();
}
INSTANTIATE_TEST_SUITE_P(
    How, AnsweredWith,
    testing::Values(Rubbish{"failing-throws", R"("mood":"fine")", "it threw: cannot tell"},
                    Rubbish{"failing-throws-a-number", R"("mood":"fine")", "no std::exception"},
                    Rubbish{"status-throws", "Status(): it threw: no status today",
                            "no status today"},
                    Rubbish{"status-cut-off", R"("code":"SH-0129")", "SH-0129 what status() wrote"},
                    Rubbish{"status-array", R"("code":"SH-0129")", "not one object"},
                    Rubbish{"status-two-objects", R"("code":"SH-0129")", "it is no JSON"},
                    Rubbish{"status-latin1", R"("code":"SH-0129")", "it is no JSON"},
                    Rubbish{"status-megabytes", R"("code":"SH-0129")", "more than 262144 bytes"}),
    [](const auto& one) {
      std::string name = one.param.how;
      std::erase(name, '-');
      return name;
    });

TEST_F(PluginCalls, DoctorGivesAnExaminationUpThatHangs) {
  const TemporaryFile file = Configuration("examine-hangs", ", start_timeout: 1s");
  const RunResult result = SummaHost(Arguments(file, {"doctor"}));
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_TRUE(Contains(result.out, "fickle mood")) << "what it reported before: " << result.out;
  EXPECT_TRUE(Contains(result.out, "SH-0128 plugin \"fickle\": examine() has not returned"))
      << result.out;
}

TEST_F(PluginCalls, DoctorNamesAnExaminationThatThrows) {
  const TemporaryFile file = Configuration("examine-throws");
  const RunResult result = SummaHost(Arguments(file, {"doctor"}));
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_TRUE(Contains(result.out, "plugin \"fickle\": examine() failed: cannot look"))
      << result.out;
}

TEST_F(PluginCalls, AVerbThatIgnoresAStopIsGivenUpAfterDrainTimeout) {
  const TemporaryFile file = Configuration("verb-hangs", ", drain_timeout: 300ms");
  std::vector<std::string> words = Arguments(file, {"fickle", "do", "--output", "json"});
  words.insert(words.begin(), SummaHostPath());
  Process process(words, CleanEnvironment());
  WaitUntil([&] { return Contains(process.Stderr(), "doing"); }, kPatience, "the verb to run");
  process.Signal(SIGTERM);
  EXPECT_EQ(process.WaitOrKill(kPatience), 75) << process.Stderr();
  EXPECT_EQ(JsonMember(process.Stdout(), "code"), "SH-0128") << process.Stdout();
  EXPECT_TRUE(
      Contains(process.Stdout(), "plugin \\\"fickle\\\": \\\"fickle do\\\" has not returned"))
      << process.Stdout();
}

}  // namespace
}  // namespace summa::test
