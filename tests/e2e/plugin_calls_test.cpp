// A plugin that hangs, throws or says rubbish costs itself, and is named.
#include <elf.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

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
    WaitUntil([&] { return Contains(host.process().Stderr(), part); }, kTimeout,
              "a line with " + part);
  }
  static void WaitForGoodWorker(RunningHost& host) {
    WaitUntil(
        [&] {
          const std::string status = HttpGet(host.Port(), "/status").body;
          return Contains(status, "\"id\":\"good-worker\"") &&
                 Contains(status, "\"lastSuccessAt\":\"");
        },
        kTimeout, "a run of the good worker");
  }
  // Told to stop, it ends with 75 and names the plugin and the call.
  static void EndsNamed(RunningHost& host, const std::string& call) {
    host.process().Signal(SIGTERM);
    EXPECT_EQ(host.process().WaitOrKill(kTimeout), 75) << host.process().Stderr();
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

TEST_F(PluginCalls, AStartWithoutTheDatabaseIsTriedAgain) {
  const TemporaryFile file = Configuration("start-finds-no-database", ", start_timeout: 5s");
  RunningHost host(Arguments(file));
  WaitForGoodWorker(host);
  WaitUntil([&] { return HttpGet(host.Port(), "/readyz").status == 200; }, kTimeout, "readiness");
  WaitForLog(host, "again_in=");
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
}

TEST_F(PluginCalls, AStartThatMissesSomethingElseKeepsTheOthersForStartTimeoutOnly) {
  const TemporaryFile file = Configuration("start-finds-no-service", ", start_timeout: 5s");
  RunningHost host(Arguments(file));
  WaitForGoodWorker(host);
  WaitForLog(host, "again_in=");
  const Answer ready = HttpGet(host.Port(), "/readyz");
  EXPECT_TRUE(Contains(ready.body, "XY-0001")) << ready.body;
}

TEST_F(PluginCalls, AStartThatCannotHealIsNotTriedAgain) {
  const TemporaryFile file = Configuration("start-is-wrong");
  RunningHost host(Arguments(file));
  WaitForGoodWorker(host);
  EXPECT_FALSE(Contains(host.process().Stderr(), "again_in=")) << host.process().Stderr();
  EXPECT_TRUE(Contains(HttpGet(host.Port(), "/readyz").body, "XY-0002"));
}

TEST_F(PluginCalls, AStopIsHeardWhileAStartIsTriedAgain) {
  const TemporaryFile file = Configuration("start-finds-no-service", ", start_timeout: 1h");
  RunningHost host(Arguments(file));
  WaitForLog(host, "again_in=");
  host.process().Signal(SIGTERM);
  host.process().WaitOrKill(kTimeout);
  EXPECT_TRUE(Contains(host.process().Stderr(), "host ended")) << host.process().Stderr();
}

TEST_F(PluginCalls, AConfigureThatHangsIsGivenUpAndTheOthersRun) {
  const TemporaryFile file = Configuration("configure-hangs", ", start_timeout: 5s");
  RunningHost host(Arguments(file));
  WaitForGoodWorker(host);
  EndsNamed(host, "configure() has not returned");
}

TEST_F(PluginCalls, AStopSignalDuringAStartThatHangsEndsTheHost) {
  const TemporaryFile file = Configuration("start-hangs", ", drain_timeout: 300ms");
  RunningHost host(Arguments(file));
  WaitForLog(host, "call=start");
  EndsNamed(host, "start() has not returned");
}

TEST_F(PluginCalls, AnActivateThatHangsIsNamedAndGivenUpAndTheOthersRun) {
  const TemporaryFile file = Configuration("activate-hangs", ", start_timeout: 5s");
  RunningHost host(Arguments(file));
  WaitForGoodWorker(host);
  WaitForLog(host, "SH-0128");
  EXPECT_TRUE(Contains(HttpGet(host.Port(), "/readyz").body, "activate() has not returned"));
  EndsNamed(host, "activate() has not returned");
}

TEST_F(PluginCalls, AStopSignalDuringAnActivateThatHangsEndsTheHost) {
  const TemporaryFile file =
      Configuration("activate-hangs", ", start_timeout: 1h, drain_timeout: 500ms");
  RunningHost host(Arguments(file));
  WaitForLog(host, "call=activate");
  EndsNamed(host, "activate() has not returned");
}

TEST_F(PluginCalls, AnActivateThatThrowsStopsThatPluginOnly) {
  const TemporaryFile file = Configuration("activate-throws");
  RunningHost host(Arguments(file));
  WaitForLog(host, "cannot begin");
  WaitForGoodWorker(host);
  EXPECT_TRUE(Contains(HttpGet(host.Port(), "/readyz").body, "cannot begin"));
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
}

class Reloads : public PluginCalls {
 protected:
  // The plugin gets another `secret`.
  void Begin(const std::string& host_settings = "") {
    host_settings_ = host_settings;
    file_ = std::make_unique<TemporaryFile>("summa.yaml", Text("well", "well"));
    host_ = std::make_unique<RunningHost>(Arguments(*file_));
    host_->StatusWhen("running");
    WaitForGoodWorker(*host_);
  }
  std::string Text(const std::string& how, const std::string& secret) const {
    return "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
           "host: { name: tested, listen: \"127.0.0.1:0\"" + host_settings_ + " }\n" +
           "plugins: { good: {}, fickle: { how: " + how + ", secret: " + secret + " } }\n";
  }
  void HangUp(const std::string& how, const std::string& secret, const std::string& words) {
    std::ofstream(file_->Path()) << Text(how, secret);
    host_->process().Signal(SIGHUP);
    WaitForLog(*host_, words);
  }
  std::string Said() { return host_->process().Stderr(); }
  void End() {
    host_->process().Signal(SIGTERM);
    EXPECT_EQ(host_->process().WaitOrKill(kTimeout), 0) << Said();
  }

  std::string host_settings_;
  std::unique_ptr<TemporaryFile> file_;
  std::unique_ptr<RunningHost> host_;
};

TEST_F(Reloads, NameWhatThePluginTookAndWhatNeedsARestart) {
  Begin();
  HangUp("verb-nothing", "other-word", "keys=plugins.fickle.how");
  EXPECT_TRUE(Contains(Said(), "in_effect=plugins.fickle.secret")) << Said();
  EXPECT_FALSE(Contains(Said(), "other-word")) << Said();
  // What is in force already is not said again.
  HangUp("well", "other-word", "in_effect=\"nothing new\"");
  End();
}

TEST_F(Reloads, ThatThePluginCannotUseKeepWhatItHas) {
  Begin();
  HangUp("well", "throws", "SH-0911");
  EXPECT_TRUE(Contains(Said(), "keys=plugins.fickle.secret")) << Said();
  EXPECT_TRUE(Contains(Said(), "reload() failed: cannot use it")) << Said();
  EXPECT_FALSE(Contains(Said(), "SH-0910")) << "a restart would not help: " << Said();
  EXPECT_TRUE(Contains(HttpGet(host_->Port(), "/status").body, "\"mood\":\"fine\""));
  HangUp("well", "again", "in_effect=plugins.fickle.secret");
  End();
}

TEST_F(Reloads, TakeKeysOnlyThatDiffer) {
  Begin();
  HangUp("well", "forges", "in_effect=plugins.fickle.secret");
  EXPECT_FALSE(Contains(Said(), "plugins.fickle.how")) << Said();
  End();
}

TEST_F(Reloads, ThatHangAreGivenUpAndTheOthersRun) {
  Begin(", start_timeout: 5s");
  HangUp("well", "hangs", "SH-0128");
  WaitForLog(*host_, "SH-0911");
  EXPECT_TRUE(Contains(HttpGet(host_->Port(), "/readyz").body, "reload() has not returned"));
  EndsNamed(*host_, "reload() has not returned");
}

TEST_F(PluginCalls, ADeactivateThatHangsEndsTheHostAfterDrainTimeout) {
  const TemporaryFile file = Configuration("deactivate-hangs", ", drain_timeout: 500ms");
  RunningHost host(Arguments(file));
  host.StatusWhen("running");
  WaitForGoodWorker(host);
  EndsNamed(host, "deactivate() has not returned");
}

TEST_F(PluginCalls, AStopThatHangsEndsTheHostAfterDrainTimeout) {
  const TemporaryFile file = Configuration("stop-hangs", ", drain_timeout: 5s");
  RunningHost host(Arguments(file));
  host.StatusWhen("running");
  EndsNamed(host, "stop() has not returned");
}

TEST_F(PluginCalls, ADestructorThatHangsEndsTheHostAfterDrainTimeout) {
  const TemporaryFile file = Configuration("destroy-hangs", ", drain_timeout: 5s");
  RunningHost host(Arguments(file));
  host.StatusWhen("running");
  EndsNamed(host, "destroy() has not returned");
}

TEST_F(PluginCalls, OnceEndsBesideAStopThatHangs) {
  const TemporaryFile file = Configuration("stop-hangs", ", drain_timeout: 5s");
  const RunResult result = SummaHost(Arguments(file, {"run", "--once", "--output", "json"}));
  EXPECT_EQ(result.exit_code, 75) << result.err;
  EXPECT_EQ(JsonMember(result.out, "code"), "SH-0128") << result.out;
  EXPECT_TRUE(Contains(result.out, "\"id\":\"good-worker\",\"plugin\":\"good\",\"outcome\":\"ok\""))
      << result.out;
}

// Whatever a plugin does when it is asked, everybody is answered at once, and it is named.
class Probed : public PluginCalls, public testing::WithParamInterface<const char*> {};

TEST_P(Probed, NobodyWaitsForAPluginThatHangs) {
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
      kTimeout, "the call to be named");
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
}
INSTANTIATE_TEST_SUITE_P(How, Probed, testing::Values("status-hangs", "failing-hangs"));

TEST_F(PluginCalls, AProbeIsAnsweredWhileAPluginHangs) {
  const TemporaryFile file = Configuration("status-hangs");
  RunningHost host(Arguments(file));
  host.StatusWhen("running");
  // Ten probes one after the other wait for the plugin half a second each, and not an hour.
  const auto begin = steady_clock::now();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(HttpGet(host.Port(), "/readyz").status, 503);
  EXPECT_LT(steady_clock::now() - begin, kTimeout);
}

struct BadAnswer {
  const char* how;
  const char* in_status;  // /status stays JSON and says this
  const char* in_ready;   // nullptr: the host is ready
};
std::ostream& operator<<(std::ostream& out, const BadAnswer& bad_answer) {
  return out << bad_answer.how;
}
class AnsweredWith : public PluginCalls, public testing::WithParamInterface<BadAnswer> {};

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
  EXPECT_EQ(host.process().WaitOrKill(kTimeout), 0) << host.process().Stderr();
}
INSTANTIATE_TEST_SUITE_P(
    How, AnsweredWith,
    testing::Values(
        BadAnswer{"failing-throws", R"("mood":"fine")", "it threw: cannot tell"},
        BadAnswer{"failing-throws-a-number", R"("mood":"fine")", "not a std::exception"},
        BadAnswer{"status-throws", "StatusJson(): it threw: no status today", "no status today"},
        BadAnswer{"status-cut-off", R"("code":"SH-0129")", "SH-0129 the output of status()"},
        BadAnswer{"status-array", R"("code":"SH-0129")", "not an object"},
        BadAnswer{"status-two-objects", R"("code":"SH-0129")", "it is not JSON"},
        BadAnswer{"status-latin1", R"("code":"SH-0129")", "it is not JSON"},
        BadAnswer{"status-megabytes", R"("code":"SH-0129")", "more than 262144 bytes"}),
    [](const auto& one) {
      std::string name = one.param.how;
      std::erase(name, '-');
      return name;
    });

TEST_F(PluginCalls, DoctorGivesAnExaminationUpThatHangs) {
  const TemporaryFile file = Configuration("examine-hangs", ", start_timeout: 5s");
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
  WaitUntil([&] { return Contains(process.Stderr(), "doing"); }, kTimeout, "the verb to run");
  process.Signal(SIGTERM);
  EXPECT_EQ(process.WaitOrKill(kTimeout), 75) << process.Stderr();
  EXPECT_EQ(JsonMember(process.Stdout(), "code"), "SH-0128") << process.Stdout();
  EXPECT_TRUE(
      Contains(process.Stdout(), "plugin \\\"fickle\\\": \\\"fickle do\\\" has not returned"))
      << process.Stdout();
}

struct Result {
  const char* how;
  int exit_code;
  const char* said;
};
std::ostream& operator<<(std::ostream& out, const Result& result) { return out << result.how; }
class VerbResults : public PluginCalls, public testing::WithParamInterface<Result> {};

TEST_P(VerbResults, OneObjectIsAResultAndEverythingElseIsNamed) {
  const TemporaryFile file = Configuration(GetParam().how);
  const RunResult result = SummaHost(Arguments(file, {"fickle", "do", "--output", "json"}));
  EXPECT_EQ(result.exit_code, GetParam().exit_code) << result.out << result.err;
  const std::string last = result.out.substr(result.out.find("{\"command\""));
  EXPECT_EQ(JsonMember(last, "ok"), GetParam().exit_code == 0 ? "true" : "false") << last;
  EXPECT_TRUE(Contains(last, GetParam().said)) << last;
  EXPECT_FALSE(Contains(result.out, "XY-0001")) << result.out;
}
INSTANTIATE_TEST_SUITE_P(
    How, VerbResults,
    testing::Values(Result{"well", 0, "\"done\":1"}, Result{"verb-nothing", 70, "SH-0130"},
                    Result{"verb-words", 70, "SH-0130"}, Result{"verb-two-objects", 70, "SH-0130"},
                    Result{"verb-array", 70, "not an object"}, Result{"verb-latin1", 70, "SH-0130"},
                    Result{"verb-forges", 70, "belongs to the host"},
                    Result{"verb-emits-rubbish", 70, "a row was not printed"},
                    Result{"verb-throws", 70, "cannot do it"}),
    [](const auto& one) {
      std::string name = one.param.how;
      std::erase(name, '-');
      return name;
    });

class WorkerTexts : public PluginCalls, public testing::WithParamInterface<Result> {};

TEST_P(WorkerTexts, AFailureIsRecordedAndEveryLineOfTheLogIsJson) {
  const TemporaryFile file(
      "summa.yaml", "database: { ledger: { url: \"" + url_ +
                        "\" }, migrate: auto }\nhost: { name: tested, listen: \"127.0.0.1:0\" }\n"
                        "log: { format: json }\nplugins: { fickle: { how: " +
                        GetParam().how + " } }\n");
  const RunResult result = SummaHost(Arguments(file, {"run", "--once", "--output", "json"}));
  EXPECT_EQ(result.exit_code, GetParam().exit_code) << result.out << result.err;
  EXPECT_EQ(JsonMember(result.out, "command"), "run") << result.out;
  const std::string& where = GetParam().exit_code == 0 ? result.err : result.out;
  EXPECT_TRUE(Contains(where, GetParam().said)) << where;
  std::istringstream lines(result.err);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_NO_THROW(JsonMember(line, "ts")) << line;
    EXPECT_EQ(line.find("\"ts\":"), line.rfind("\"ts\":")) << line;
    EXPECT_FALSE(Contains(line, "SH-0325")) << line;  // the state could not be written
  }
  if (GetParam().exit_code == 0) return;
  Db db(url_);
  EXPECT_NE(db.Value("SELECT last_error FROM summa_host.worker_state WHERE worker_id = "
                     "'fickle-worker'")
                .find(GetParam().said),
            std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(
    How, WorkerTexts,
    testing::Values(Result{"worker-fails-in-latin1", 65, "caf? ?[2J is"},
                    Result{"worker-fails-at-length", 65, "xxxxxxxx"},
                    Result{"worker-throws-latin1", 70, "caf?"},
                    Result{"log-latin1", 0,
                           "\"message\":\"caf?\\nis closed\",\"plugin\":\"fickle\""}),
    [](const auto& one) {
      std::string name = one.param.how;
      std::erase(name, '-');
      return name;
    });

TEST_F(PluginCalls, OnlyDeclaredMetricsAreExportedAndTheHostsOwnStayItsOwn) {
  const TemporaryFile file = Configuration("metrics");
  RunningHost host(Arguments(file));
  WaitForGoodWorker(host);
  const std::string text = HttpGet(host.Port(), "/metrics").body;
  EXPECT_TRUE(Contains(text, "summa_fickle_total{what=\"a\\\"b ?\"} 5\n")) << text;
  EXPECT_FALSE(Contains(text, "\nforged")) << text;
  // A million, and what the host has counted itself by now.
  EXPECT_FALSE(Contains(text, "{outcome=\"ok\",worker=\"good-worker\"} 100000")) << text;
  EXPECT_FALSE(Contains(text, "} -1\n")) << text;
  EXPECT_FALSE(Contains(text, "summa_undeclared")) << text;
  EXPECT_FALSE(Contains(text, "who=")) << text;
  EXPECT_FALSE(Contains(text, "what=\"gauge\"")) << text;
  EXPECT_TRUE(Contains(text, "summa_fickle_level{what=\"x\"} 0\n")) << text;
  for (const char* named : {"SH-0356", "SH-0357", "it is a metric of the host"}) {
    WaitForLog(host, named);
  }
}

// --- plugins that are there, and refused ---

class RefusedFiles : public testing::Test {
 protected:
  std::string Check(const std::string& plugins) {
    const TemporaryFile file(
        "summa.yaml",
        "database: { ledger: { url: \"postgresql:///x\" } }\nplugins: " + plugins + "\n");
    std::string text;
    for (const char* verb : {"check", "run"}) {
      std::vector<std::string> words = verb == std::string("run")
                                           ? std::vector<std::string>{"run", "--once"}
                                           : std::vector<std::string>{"config", "check"};
      for (const std::string& word :
           {std::string("-c"), file.Path(), std::string("--plugin-dir"), directory_.Directory()}) {
        words.push_back(word);
      }
      const RunResult result = SummaHost(words);
      EXPECT_EQ(result.exit_code, 78) << result.err;
      if (text.empty()) text = result.err;
      EXPECT_EQ(result.err, text) << "`run` says the same";
    }
    return text;
  }
  std::string List() {
    return SummaHost(
               {"plugins", "list", "--output", "json", "--plugin-dir", directory_.Directory()})
        .out;
  }
  std::string Put(const std::string& name, const std::string& from) {
    const std::string path = directory_.Directory() + "/" + name;
    std::filesystem::copy_file(from, path);
    return path;
  }
  // The manifest in the file with one text for another of the same length.
  static void Replace(const std::string& path, const std::string& from, const std::string& to) {
    std::ifstream in(path, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    const std::size_t at = bytes.find(from);
    ASSERT_NE(at, std::string::npos);
    bytes.replace(at, from.size(), to);
    std::ofstream(path, std::ios::binary) << bytes;
  }
  const TemporaryFile directory_{"none", ""};
  const std::string good_ = PluginDirectory("good") + "/good.so";
};

TEST_F(RefusedFiles, AFileThatOthersMayWriteIsNotMissing) {
  const std::string path = Put("good.so", good_);
  std::filesystem::permissions(path, std::filesystem::perms(0777));
  const std::string text = Check("{ good: {} }");
  EXPECT_TRUE(Contains(text, "error SH-0230 ")) << text;
  EXPECT_TRUE(Contains(text, "plugin \"good\" was found as " + path + ", but refused: SH-0102"))
      << text;
  EXPECT_TRUE(Contains(text, "fix: chmod")) << text;
  EXPECT_TRUE(Contains(List(), "SH-0102"));
}

// Each says what was found and why it is refused, in `config check` and in `run`.
TEST_F(RefusedFiles, WithoutAManifestOrOfAnotherProcessorOrCutOffAreNamedWithTheReason) {
  const std::string bare =
      Put("no-manifest.so", PluginDirectory("no-manifest") + "/no-manifest.so");
  std::string text = Check("{ no-manifest: {} }");
  EXPECT_TRUE(Contains(text, bare)) << text;
  EXPECT_TRUE(Contains(text, "SH-0104 ")) << text;
  EXPECT_TRUE(Contains(text, "has no .summa.manifest section")) << text;
  std::filesystem::remove(bare);
  const std::string path = Put("good.so", good_);
  {
    std::fstream bytes(path, std::ios::binary | std::ios::in | std::ios::out);
    bytes.seekp(offsetof(Elf64_Ehdr, e_machine));
    bytes.put(static_cast<char>(EM_S390)).put(0);
  }
  text = Check("{ good: {} }");
  EXPECT_TRUE(Contains(text, "SH-0103 ")) << text;
  EXPECT_TRUE(Contains(text, "is built for s390x; this host is")) << text;
  std::filesystem::remove(path);
  Put("good.so", good_);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  text = Check("{ good: {} }");
  EXPECT_TRUE(Contains(text, path)) << text;
  EXPECT_TRUE(Contains(text, "SH-0113 ")) << text;
  EXPECT_TRUE(Contains(text, "is damaged or truncated")) << text;
}

TEST_F(RefusedFiles, AManifestThatCannotBeReadIsNotAMissingPlugin) {
  const std::string path = Put("good.so", good_);
  Replace(path, "id: good\n", "id: {ood\n");
  const std::string text = Check("{ good: {} }");
  EXPECT_TRUE(Contains(text, "SH-0230")) << text;
  EXPECT_TRUE(Contains(text, "was found as " + path)) << text;
  EXPECT_FALSE(Contains(text, "not installed")) << text;
}

TEST_F(RefusedFiles, AnIdOfAnotherFormAndAnUnknownRevisionAreNamed) {
  const std::string path = Put("good.so", good_);
  Replace(path, "id: good\n", "id: GOOD\n");
  EXPECT_TRUE(Contains(Check("{ good: {} }"), "SH-0115")) << "a bad id";
  std::filesystem::remove(path);
  Put("good.so", good_);
  Replace(path, "manifest: 1\n", "manifest: 9\n");
  EXPECT_TRUE(Contains(Check("{ good: {} }"), "revision \"9\" is unknown"));
}

TEST_F(RefusedFiles, AFileThatIsNoPluginIsNamed) {
  std::ofstream(directory_.Directory() + "/good.so") << "#!/bin/sh\n";
  EXPECT_TRUE(Contains(Check("{ good: {} }"), "SH-0113 ")) << "no ELF";
  EXPECT_TRUE(Contains(List(), "SH-0113"));
}

TEST_F(RefusedFiles, OfAMissingPluginTheFilesThatMayBeItAreNamed) {
  const std::string path = Put("renamed.so", good_);
  Replace(path, "id: good\n", "id: GOOD\n");
  const std::string text = Check("{ good: {} }");
  EXPECT_TRUE(Contains(text, "SH-0213")) << text;
  EXPECT_TRUE(Contains(text, "files that were found and refused: " + path + " (SH-0115")) << text;
}

}  // namespace
}  // namespace summa::test
