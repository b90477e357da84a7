// A plugin in a process of its own: whatever it does, it costs its own work only.
#include <gmock/gmock.h>
#include <simdjson.h>
#include <sys/types.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string_view>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

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

std::string ReadProc(pid_t pid, const std::string& file) {
  std::ifstream stream("/proc/" + std::to_string(pid) + "/" + file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// Ended, also when nobody has asked for its exit code yet.
bool Gone(pid_t pid) {
  const std::string status = ReadProc(pid, "status");
  return status.empty() || status.find("State:\tZ") != std::string::npos;
}

class Isolation : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new PostgresServer(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    url_ = InstallLedger(*server_, "ledger_" + std::to_string(++databases_));
  }

  // `crashes`: what the configuration of the plugin says besides.
  std::string Configuration(const std::string& crashes, const std::string& schedule = "",
                            const std::string& more = "") const {
    return "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
           "host: { name: tested, listen: \"127.0.0.1:0\", drain_timeout: 2s, http: { timeout: 5s "
           "} }\n" +
           "plugins:\n  good: {}\n  crashes: { isolation: process" + crashes + " }\n" + more +
           "schedules:\n  crasher: { lease_ttl: 1s" + schedule + " }\n";
  }
  void Write(const std::string& configuration) {
    if (file_ == nullptr) file_ = std::make_unique<TemporaryFile>("summa.yaml", configuration);
    std::ofstream(file_->Path()) << configuration;
  }
  std::vector<std::string> Arguments(std::vector<std::string> words) const {
    words.insert(words.end(), {"-c", file_->Path()});
    for (const char* plugin : {"good", "crashes", "routes"}) {
      words.insert(words.end(), {"--plugin-dir", PluginDirectory(plugin)});
    }
    return words;
  }
  void Start(const std::string& configuration) {
    Write(configuration);
    host_ = std::make_unique<RunningHost>(Arguments({}), SignalsOfTheHost());
    host_->StatusWhen("running");
  }
  std::string Get(const std::string& path) { return HttpGet(host_->Port(), path).body; }
  std::string Log() { return host_->process().Stderr(); }

  // A member of the object `process` of a plugin, or of the plugin itself.
  std::string Plugin(const std::string& id, const std::string& member, bool of_process = true) {
    simdjson::dom::parser parser;
    const simdjson::padded_string status(Get("/status"));
    simdjson::dom::element root;
    if (parser.parse(status).get(root)) return "no JSON: " + std::string(status);
    for (const simdjson::dom::element plugin : root["plugins"].get_array()) {
      if (std::string_view(plugin["id"]) != id) continue;
      simdjson::dom::element value;
      const auto found = of_process ? plugin["process"][member] : plugin[member];
      if (found.get(value)) return "none";
      std::string_view text;
      return value.get(text) ? std::string(simdjson::minify(value)) : std::string(text);
    }
    return "no such plugin";
  }
  pid_t Pid(const std::string& plugin = "crashes") {
    return std::atoi(Plugin(plugin, "pid").c_str());
  }
  int Starts() { return std::atoi(Plugin("crashes", "starts").c_str()); }
  void AwaitPlugin(const std::string& state, const std::string& plugin = "crashes") {
    WaitUntil([&] { return Plugin(plugin, "state", false) == state; }, kTimeout,
              plugin + " to be " + state + "; log: " + Log());
  }
  void AwaitReadyz(const std::string& words) {
    WaitUntil([&] { return Get("/readyz").find(words) != std::string::npos; }, kTimeout,
              words + " in /readyz; log: " + Log());
  }
  // The value of a series, as it is written in /metrics; -1: there is none.
  double Metric(const std::string& series) {
    const std::string text = "\n" + Get("/metrics");
    const std::size_t at = text.find("\n" + series + " ");
    if (at == std::string::npos) return -1;
    return std::atof(text.c_str() + at + series.size() + 2);
  }
  double Ends(const std::string& reason) {
    return Metric("summa_plugin_process_ends_total{plugin=\"crashes\",reason=\"" + reason + "\"}");
  }
  // The other plugin is called again, and by the same host.
  void ExpectOthersWork() {
    const auto runs = [&] {
      return Metric("summa_worker_runs_total{outcome=\"ok\",worker=\"good-worker\"}");
    };
    const double before = runs();
    WaitUntil([&] { return runs() > before + 3; }, kTimeout, "calls of the other plugin");
    EXPECT_TRUE(host_->process().Running());
    EXPECT_THAT(Get("/livez"), HasSubstr("ok"));
  }
  std::string Holder() {
    return Db(url_)
        .Column(
            "SELECT lease_holder FROM worker_lease WHERE worker_id = 'crasher' AND "
            "lease_until > clock_timestamp() UNION ALL SELECT ''")
        .front();
  }

  static inline PostgresServer* server_ = nullptr;
  static inline int databases_ = 0;
  std::string url_;
  std::unique_ptr<TemporaryFile> file_;
  std::unique_ptr<RunningHost> host_;
};

TEST_F(Isolation, APluginThatCrashesInAWorkerIsStartedAgainAndItsWorkerIsParked) {
  Start(Configuration(", worker: \"null\""));
  AwaitReadyz("SH-0347");
  EXPECT_GE(Ends("crash"), 2);
  EXPECT_THAT(Log(), HasSubstr("SH-0345 the process crashed in the code of a plugin"));
  EXPECT_THAT(Log(), HasSubstr("was ended by SIGSEGV"));
  ExpectOthersWork();
  // The process goes on without the worker, which is named by the host.
  AwaitPlugin("started");
  EXPECT_EQ(Metric("summa_worker_state{process=\"crashes\",state=\"parked\",worker=\"crasher\"}"),
            1);
  EXPECT_THAT(Get("/status"), HasSubstr("\"id\":\"crasher\",\"kind\":\"continuous\","
                                        "\"state\":\"parked\""));
  EXPECT_NE(Pid(), host_->process().Pid());
  EXPECT_FALSE(Gone(Pid()));
}

TEST_F(Isolation, APluginThatCrashesInStartIsParkedUntilSomebodyRepairsIt) {
  Start(Configuration(", start: \"null\""));
  AwaitPlugin("parked");
  AwaitReadyz("SH-0349");
  EXPECT_THAT(Get("/readyz"), HasSubstr("or at once after SIGHUP"));
  EXPECT_THAT(Get("/status"), HasSubstr("\"id\":\"crasher\",\"kind\":\"continuous\","
                                        "\"state\":\"stopped\""));
  EXPECT_EQ(Plugin("crashes", "pid"), "null");
  ExpectOthersWork();
  // Repaired by another configuration, which a process that is started takes as a whole.
  Write(Configuration(""));
  EXPECT_EQ(SummaHost(Arguments({"plugins", "resume", "crashes"})).exit_code, 0);
  host_->process().Signal(SIGHUP);
  AwaitPlugin("started");
  WaitUntil([&] { return !Holder().empty(); }, kTimeout, "the worker to get its lease");
  WaitUntil([&] { return HttpGet(host_->Port(), "/readyz").status == 200; }, kTimeout,
            "the host to be ready: " + Get("/readyz"));
}

TEST_F(Isolation, APluginThatEndsTheProcessWithoutAWordIsNamed) {
  Start(Configuration(", worker: _exit"));
  WaitUntil([&] { return Ends("exit") >= 2; }, kTimeout, "two ends; log: " + Log());
  EXPECT_THAT(Log(), HasSubstr("ended with exit code 0 and did not say why"));
  ExpectOthersWork();
}

TEST_F(Isolation, AWorkerThatLoopsLosesItsProcess) {
  Start(Configuration(", worker: loop", ", max_run: 300ms"));
  WaitUntil([&] { return Starts() >= 2; }, kTimeout, "another process; log: " + Log());
  EXPECT_THAT(Log(), HasSubstr("SH-0329"));
  EXPECT_THAT(Log(), HasSubstr("SH-0328"));
  ExpectOthersWork();
}

TEST_F(Isolation, AThreadThatLoopsExceedsTheLimitOfCpuTime) {
  Start(Configuration(", thread: loop, limits: { cpu_time: 2s }"));
  WaitUntil([&] { return Ends("cpu_time") >= 1; }, kTimeout, "the limit; log: " + Log());
  EXPECT_THAT(Log(), HasSubstr("SH-0363"));
  ExpectOthersWork();
  WaitUntil([&] { return Starts() >= 2; }, kTimeout, "another process");
}

TEST_F(Isolation, APluginThatEatsMemoryExceedsItsLimit) {
  Start(Configuration(", worker: eat, limits: { memory: 512MiB }"));
  WaitUntil([&] { return Ends("memory") >= 2; }, kTimeout, "the limit, twice; log: " + Log());
  EXPECT_THAT(Log(), HasSubstr("SH-0362"));
  EXPECT_THAT(Log(), HasSubstr("its limit is 512 MiB"));
  ExpectOthersWork();
}

TEST_F(Isolation, TheLimitOfOpenFilesIsThatOfTheKernel) {
  Start(Configuration(", limits: { open_files: 200 }"));
  AwaitPlugin("started");
  WaitUntil([&] { return Metric("process_max_fds{process=\"crashes\"}") == 200; }, kTimeout,
            "the metrics of the process");
  EXPECT_NE(Metric("process_max_fds"), 200);
  EXPECT_GT(Metric("process_resident_memory_bytes{process=\"crashes\"}"), 0);
}

// Without that, the next holder would wait for an hour.
TEST_F(Isolation, TheLeasesOfAProcessThatDiesAreReleasedAtOnce) {
  std::string configuration = Configuration("");
  configuration.replace(configuration.find("lease_ttl: 1s"), 13, "lease_ttl: 1h");
  Start(configuration);
  WaitUntil([&] { return !Holder().empty(); }, kTimeout, "the lease");
  const std::string before = Holder();
  const pid_t pid = Pid();
  kill(pid, SIGKILL);
  WaitUntil([&] { return !Holder().empty() && Holder() != before; }, kTimeout,
            "the lease of the next process; log: " + Log());
  EXPECT_TRUE(Gone(pid));
  EXPECT_THAT(Log(), HasSubstr("was ended by SIGKILL"));
}

TEST_F(Isolation, AHostThatStopsEndsItsProcessesAndTheirLeases) {
  Start(Configuration(""));
  WaitUntil([&] { return !Holder().empty(); }, kTimeout, "the lease");
  const pid_t pid = Pid();
  host_->process().Signal(SIGTERM);
  EXPECT_EQ(host_->process().WaitOrKill(kTimeout), 0) << Log();
  EXPECT_TRUE(Gone(pid));
  EXPECT_EQ(Holder(), "");
}

TEST_F(Isolation, AProcessThatDoesNotStopIsKilledAndNamed) {
  Start(Configuration(", worker: hang"));
  WaitUntil([&] { return Log().find("hangs from now on") != std::string::npos; }, kTimeout,
            "the worker to hang");
  const pid_t pid = Pid();
  host_->process().Signal(SIGTERM);
  EXPECT_EQ(host_->process().WaitOrKill(kTimeout), 75) << Log();
  EXPECT_TRUE(Gone(pid));
}

TEST_F(Isolation, AHostThatIsKilledTakesItsProcessesWithIt) {
  Start(Configuration(""));
  AwaitPlugin("started");
  const pid_t pid = Pid();
  ASSERT_GT(pid, 0);
  host_->process().Signal(SIGKILL);
  host_->process().WaitOrKill(kTimeout);
  WaitUntil([&] { return Gone(pid); }, kTimeout, "the process to end");
}

TEST_F(Isolation, AProcessThatIsFrozenIsNamedAndHoldsUpNobody) {
  Start(Configuration(""));
  AwaitPlugin("started");
  const pid_t pid = Pid();
  kill(pid, SIGSTOP);
  AwaitReadyz("SH-0365");
  ExpectOthersWork();
  kill(pid, SIGCONT);
  WaitUntil([&] { return Get("/readyz").find("SH-0365") == std::string::npos; }, kTimeout,
            "the process to answer again");
  EXPECT_EQ(Pid(), pid);
}

TEST_F(Isolation, AReloadReachesTheProcess) {
  Start(Configuration(""));
  AwaitPlugin("started");
  Write(Configuration(", worker: \"null\"") + "log: { level: debug }\n");
  host_->process().Signal(SIGHUP);
  WaitUntil(
      [&] {
        const std::string log = Log();
        return log.find(
                   "changes in the configuration need a restart keys=plugins.crashes.worker "
                   "process=crashes") != std::string::npos;
      },
      kTimeout, "the line of the process; log: " + Log());
  EXPECT_THAT(Log(), Not(HasSubstr("need a restart keys=plugins.crashes.worker\n")))
      << "the host says nothing of what is not its own";
}

TEST_F(Isolation, RunOnceHasOneProcess) {
  Write(Configuration(""));
  const RunResult result = SummaHost(Arguments({"run", "--once", "--only", "crasher"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, Not(HasSubstr("process=crashes")));
}

TEST_F(Isolation, OnlyANamedWorkerRunsInTheProcess) {
  Write(Configuration(""));
  host_ = std::make_unique<RunningHost>(Arguments({"--only", "crasher"}), SignalsOfTheHost());
  host_->StatusWhen("running");
  AwaitPlugin("started");
  EXPECT_EQ(Plugin("good", "state", false), "no such plugin");
  EXPECT_THAT(Get("/status"), HasSubstr("\"id\":\"crasher\""));
}

TEST_F(Isolation, NobodyButAHostStartsAProcess) {
  const RunResult result = SummaHost({"--plugin-process", "crashes"});
  EXPECT_EQ(result.exit_code, 64);
  EXPECT_THAT(result.err, HasSubstr("SH-0900"));
}

class IsolatedRoutes : public Isolation {
 protected:
  void SetUp() override {
    Isolation::SetUp();
    Start(Configuration("", "", "  routes: { isolation: process }\n"));
    AwaitPlugin("started", "routes");
  }
  Answer Ask(const std::string& method, const std::string& path, const std::string& headers = "",
             const std::string& body = "") {
    return HttpAsk(host_->Port(), method, path, headers, body);
  }
};

TEST_F(IsolatedRoutes, AnswerAsThoseOfTheHostDo) {
  const Answer hello = Ask("GET", "/v1/test/hello/bob?times=2");
  EXPECT_EQ(hello.status, 200);
  EXPECT_EQ(hello.body, "{\"name\":\"bob\",\"times\":2}");
  const Answer echo = Ask("POST", "/v1/test/echo", "Content-Type: text/plain\r\n", "again");
  EXPECT_EQ(echo.status, 201);
  EXPECT_EQ(echo.body, "again");
  EXPECT_EQ(Ask("GET", "/v1/test/hello/bob?times=9").status, 400);
  EXPECT_EQ(Ask("DELETE", "/v1/test/echo").status, 405);
  EXPECT_EQ(Ask("GET", "/v1/test/fails?how=not-found").status, 404);
  EXPECT_THAT(Ask("GET", "/v1/test/fails?how=away").body, Not(HasSubstr("secret")));
  EXPECT_EQ(Ask("GET", "/v1/test/rubbish?how=header").status, 500);
  EXPECT_THAT(Ask("GET", "/v1/test/open", "Authorization: Bearer x\r\n").body,
              HasSubstr("\"seesToken\":false"));
  EXPECT_THAT(Get("/openapi.json"), HasSubstr("/v1/test/hello/{name}"));
  // The same answer again.
  const std::size_t at = hello.head.find("ETag: ");
  ASSERT_NE(at, std::string::npos) << hello.head;
  const std::string etag = hello.head.substr(at + 6, hello.head.find("\r\n", at) - at - 6);
  EXPECT_EQ(Ask("GET", "/v1/test/hello/bob?times=2", "If-None-Match: " + etag + "\r\n").status,
            304);
}

TEST_F(IsolatedRoutes, ThatHangCostOthersNothing) {
  EXPECT_EQ(Ask("GET", "/v1/test/hangs").status, 504);
  EXPECT_EQ(Ask("GET", "/v1/test/hello/bob").status, 200);
  // Whoever gave up is noticed by the handler.
  EXPECT_EQ(Ask("GET", "/v1/test/waits").status, 504);
  ExpectOthersWork();
}

TEST_F(IsolatedRoutes, OfAProcessThatHasEndedAreUnavailable) {
  const pid_t pid = Pid("routes");
  kill(pid, SIGKILL);
  WaitUntil([&] { return Ask("GET", "/v1/test/hello/bob").status == 503 || Pid("routes") != pid; },
            kTimeout, "an answer without the process");
  WaitUntil([&] { return Ask("GET", "/v1/test/hello/bob").status == 200; }, kTimeout,
            "an answer of the next process");
}

// Not a promise: figures for docs/operate.md.
TEST_F(Isolation, PrintsWhatAProcessCosts) {
  Start(Configuration(""));
  AwaitPlugin("started");
  WaitUntil([&] { return !Holder().empty(); }, kTimeout, "the worker to work");
  const auto kilobytes = [](const std::string& text, const std::string& name) {
    const std::size_t at = text.find(name);
    return at == std::string::npos ? -1 : std::atoll(text.c_str() + at + name.size());
  };
  for (const auto& [name, pid] : {std::pair(std::string("host"), host_->process().Pid()),
                                  std::pair(std::string("process"), Pid())}) {
    const std::string memory = ReadProc(pid, "smaps_rollup"), status = ReadProc(pid, "status");
    std::cout << name << ": resident " << kilobytes(status, "VmRSS:") << " kB, its share "
              << kilobytes(memory, "\nPss:") << " kB, its own "
              << kilobytes(memory, "Private_Dirty:") + kilobytes(memory, "Private_Clean:")
              << " kB, threads " << kilobytes(status, "Threads:") << "\n";
  }
  for (const Row& row : Db(url_).Query(
           "SELECT application_name, count(*) FROM pg_stat_activity WHERE application_name LIKE "
           "'summa-host/%' GROUP BY 1 ORDER BY 1")) {
    std::cout << "sessions of " << row[0] << ": " << row[1] << "\n";
  }
}

}  // namespace
}  // namespace summa::test
