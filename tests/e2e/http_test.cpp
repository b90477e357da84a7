// Paths of plugins over HTTP (summa.endpoint/1), on the real program.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <simdjson.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kJson[] = "Content-Type: application/json\r\n";

class Http : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new PostgresServer();
    url_ = InstallLedger(*server_, "ledger");
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  // host: more keys of `host:`. plugins: the members of `plugins:`.
  static std::string Text(const std::string& host, const std::string& plugins,
                          const std::string& listen = "127.0.0.1:0") {
    return "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
           "host: { name: tested, listen: \"" + listen + "\"" + host + " }\n" + "plugins: { " +
           plugins + " }\n";
  }
  static std::vector<std::string> Arguments(const std::string& path) {
    std::vector<std::string> arguments = {"-c", path};
    for (const char* plugin : {"routes", "raw-routes", "rival-routes"}) {
      arguments.insert(arguments.end(), {"--plugin-dir", PluginDirectory(plugin)});
    }
    return arguments;
  }
  void Begin(const std::string& host = "", const std::string& plugins = "routes: {}") {
    file_ = std::make_unique<TemporaryFile>("summa.yaml", Text(host, plugins));
    host_ = std::make_unique<RunningHost>(Arguments(file_->Path()));
    host_->StatusWhen("running");
    port_ = host_->Port();
  }
  Answer Get(const std::string& path, const std::string& headers = "") const {
    return HttpAsk(port_, "GET", path, headers);
  }
  std::string Said() { return host_->process().Stderr(); }
  void WaitForLog(const std::string& part) {
    WaitUntil([&] { return Said().find(part) != std::string::npos; }, kTimeout,
              "a line with " + part);
  }
  void WaitForOneThatWaits() {
    WaitUntil([&] { return Get("/v1/test/open").body.find("\"waiting\":1") != std::string::npos; },
              kTimeout, "a request that waits");
  }
  void EndWith(int exit_code) {
    host_->process().Signal(SIGTERM);
    EXPECT_EQ(host_->process().WaitOrKill(kTimeout), exit_code) << Said();
  }
  static void ExpectError(const Answer& answer, int status, const std::string& code,
                          const std::string& message) {
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr("{\"error\":{\"code\":\"" + code + "\""));
    EXPECT_THAT(answer.body, HasSubstr(message));
  }

  static PostgresServer* server_;
  static std::string url_;
  std::unique_ptr<TemporaryFile> file_;
  std::unique_ptr<RunningHost> host_;
  int port_ = 0;
};

PostgresServer* Http::server_ = nullptr;
std::string Http::url_;

TEST_F(Http, ServesThePathsOfAPluginWithTheirParameters) {
  Begin();
  EXPECT_EQ(Get("/v1/test/hello/you").body, "{\"name\":\"you\",\"times\":1}");
  EXPECT_EQ(Get("/v1/test/hello/a%2Fb?after=2s&times=3").body,
            "{\"name\":\"a/b\",\"times\":3,\"after\":2000000}");
  const Answer echo = HttpAsk(port_, "POST", "/v1/test/echo", kJson, "{\"say\":\"it\"}");
  EXPECT_EQ(echo.status, 201);
  EXPECT_EQ(echo.body, "{\"say\":\"it\"}");
  EXPECT_THAT(echo.head, HasSubstr("Content-Type: application/json"));
  const Answer head = HttpAsk(port_, "HEAD", "/v1/test/hello/you");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  const std::string etag = "ETag: ";
  const Answer hello = Get("/v1/test/hello/you");
  const std::size_t at = hello.head.find(etag) + etag.size();
  const std::string tag = hello.head.substr(at, hello.head.find("\r\n", at) - at);
  EXPECT_EQ(Get("/v1/test/hello/you", "If-None-Match: " + tag + "\r\n").status, 304);
  EndWith(0);
}

TEST_F(Http, CountsRequestsByTheDeclaredPath) {
  Begin();
  for (const char* name : {"you", "me"}) Get(std::string("/v1/test/hello/") + name);
  Get("/v1/test/hello/YOU");
  Get("/v1/test/nothing");
  const std::string metrics = Get("/metrics").body;
  for (const char* line :
       {"summa_http_requests_total{method=\"GET\",route=\"/v1/test/hello/{name}\",status=\"200\"} "
        "2\n",
        "summa_http_requests_total{method=\"GET\",route=\"/v1/test/hello/{name}\",status=\"400\"} "
        "1\n",
        "summa_http_requests_total{method=\"GET\",route=\"other\",status=\"404\"} 1\n",
        "summa_http_request_duration_seconds_count{route=\"/v1/test/hello/{name}\"} 3\n",
        "summa_http_connections_closed_total 0\n"}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
  EXPECT_THAT(metrics, HasSubstr("summa_http_connections "));
  EndWith(0);
}

TEST_F(Http, RefusesWhatTheManifestDoesNotAllowBeforeThePluginSeesIt) {
  Begin();
  ExpectError(Get("/v1/test/hello/YOU"), 400, "SH-0372", "name");
  ExpectError(Get("/v1/test/hello/you?times=4"), 400, "SH-0372", "above the maximum 3");
  ExpectError(Get("/v1/test/hello/you?times=many"), 400, "SH-0372", "not an integer");
  ExpectError(Get("/v1/test/hello/you?time=2"), 400, "SH-0372", "did you mean \\\"times\\\"?");
  ExpectError(Get("/v1/test/hello/you?times=1&times=2"), 400, "SH-0372", "given twice");
  ExpectError(Get("/v1/test/fails"), 400, "SH-0372", "\\\"how\\\" is missing");
  ExpectError(Get("/v1/test/nothing"), 404, "SH-0370", "no such path");
  const Answer method = HttpAsk(port_, "DELETE", "/v1/test/echo");
  ExpectError(method, 405, "SH-0371", "POST");
  EXPECT_THAT(method.head, HasSubstr("Allow: POST\r\n"));
  EndWith(0);
}

TEST_F(Http, SaysWhatAPluginReportsAndKeepsItsDefectsInTheLog) {
  Begin();
  ExpectError(Get("/v1/test/fails?how=not-found"), 404, "XY-0404", "no such greeting");
  for (const auto& [how, status, code] :
       {std::tuple{"away", 503, "XY-0503"}, std::tuple{"defect", 500, "XY-0500"},
        std::tuple{"exception", 500, "SH-0126"}, std::tuple{"number", 500, "SH-0126"}}) {
    const Answer answer = Get(std::string("/v1/test/fails?how=") + how);
    ExpectError(answer, status, code, "the log of the host says why");
    EXPECT_THAT(answer.body, Not(HasSubstr("secret")));
  }
  WaitForLog("the secret exception");
  EXPECT_THAT(Said(), HasSubstr("route=\"GET /v1/test/fails\""));
  for (const char* how : {"status", "header", "etag"}) {
    const Answer answer = Get(std::string("/v1/test/rubbish?how=") + how);
    ExpectError(answer, 500, "SH-0379", "the log");
    EXPECT_THAT(answer.head, Not(HasSubstr("forged")));
  }
  EndWith(0);
}

TEST_F(Http, AHandlerWithoutTheSdkThatThrowsOrIsSilentCostsItsAnswerOnly) {
  Begin("", "raw-routes: {}");
  ExpectError(Get("/v1/raw/throws"), 500, "SH-0124", "the log");
  WaitForLog("across the boundary");
  for (const char* how : {"silent", "twice", "nothing"}) {
    ExpectError(Get(std::string("/v1/raw/") + how), 500, "SH-0379", "the log");
  }
  EXPECT_EQ(Get("/readyz").status, 200);
  EndWith(0);
}

TEST_F(Http, ATokenIsAskedForAndReplacedByAReload) {
  const TemporaryFile token("token", "first-token-of-all\n");
  const std::string first = "Authorization: Bearer first-token-of-all\r\n";
  const std::string second = "Authorization: Bearer second-token-of-all\r\n";
  Begin(", token_file: \"" + token.Path() + "\"");
  for (const char* path : {"/v1/test/hello/you", "/api/v1/status"}) {
    const Answer without = Get(path);
    ExpectError(without, 401, "SH-0376", "Authorization");
    EXPECT_THAT(without.head, HasSubstr("WWW-Authenticate: Bearer"));
    EXPECT_EQ(Get(path, second).status, 401);
    EXPECT_EQ(Get(path, first).status, 200);
  }
  for (const char* path : {"/livez", "/readyz", "/metrics", "/status", "/openapi.json"}) {
    EXPECT_EQ(Get(path).status, 200) << path;
  }
  EXPECT_THAT(Get("/v1/test/open", first).body, HasSubstr("\"seesToken\":false"));

  std::ofstream(token.Path()) << "short";
  host_->process().Signal(SIGHUP);
  WaitForLog("SH-0377");
  EXPECT_EQ(Get("/api/v1/status", first).status, 200) << "the old one stays in force";
  std::ofstream(token.Path()) << "second-token-of-all";
  host_->process().Signal(SIGHUP);
  WaitForLog("was replaced");
  EXPECT_EQ(Get("/api/v1/status", first).status, 401);
  EXPECT_EQ(Get("/api/v1/status", second).status, 200);
  EXPECT_THAT(Said(), Not(HasSubstr("token-of-all")));
  EndWith(0);
}

TEST_F(Http, WithoutATokenNoOtherMachineIsServed) {
  const TemporaryFile open("summa.yaml", Text("", "routes: {}", "0.0.0.0:0"));
  std::vector<std::string> arguments = Arguments(open.Path());
  arguments.insert(arguments.begin(), {"config", "check"});
  const RunResult result = SummaHost(arguments);
  EXPECT_EQ(result.exit_code, 78);
  EXPECT_THAT(result.out + result.err, HasSubstr("SH-0240"));
  EXPECT_THAT(result.out + result.err, HasSubstr("/v1/test/hello/{name}"));

  // On this machine: programs, and no page of the web.
  Begin();
  EXPECT_EQ(Get("/api/v1/status").status, 200);
  ExpectError(Get("/api/v1/status", "Origin: https://example.com\r\n"), 403, "SH-0376", "pages");
  EndWith(0);
}

TEST_F(Http, ATokenFileThatIsMissingKeepsTheHostFromStarting) {
  const TemporaryFile file("summa.yaml", Text(", token_file: /nonexistent/token", "routes: {}"));
  std::vector<std::string> arguments = Arguments(file.Path());
  arguments.insert(arguments.begin(), "run");
  const RunResult result = SummaHost(arguments);
  EXPECT_EQ(result.exit_code, 78);
  EXPECT_THAT(result.out + result.err, HasSubstr("SH-0377"));
}

TEST_F(Http, TwoPluginsThatClaimOneRouteAreBothRefused) {
  Begin("", "routes: {}, rival-routes: {}");
  const Answer status = Get("/status");
  EXPECT_THAT(status.body, HasSubstr("SH-0150"));
  EXPECT_EQ(Get("/v1/test/open").status, 404);
  const std::string ready = Get("/readyz").body;
  EXPECT_THAT(ready, HasSubstr("plugin routes"));
  EXPECT_THAT(ready, HasSubstr("plugin rival-routes"));
  EndWith(0);
}

TEST_F(Http, ThePathsOfAPluginThatFailedSayThatItDoesNotRun) {
  Begin("", "routes: { how: activate-throws }");
  WaitForLog("cannot begin");
  ExpectError(Get("/v1/test/open"), 503, "SH-0378", "it is failed");
  EndWith(0);
}

TEST_F(Http, AReloadDoesNotDisturbARequestThatRuns) {
  Begin();
  auto waits = std::async(std::launch::async, [&] { return Get("/v1/test/waits"); });
  WaitForOneThatWaits();
  std::ofstream(file_->Path()) << Text("", "routes: { how: otherwise }");
  host_->process().Signal(SIGHUP);
  WaitForLog("in_effect=plugins.routes.how");
  EXPECT_EQ(HttpAsk(port_, "POST", "/v1/test/release", kJson, "{}").status, 200);
  EXPECT_EQ(waits.get().body, "{\"released\":true}");
  EndWith(0);
}

TEST_F(Http, ARequestThatTakesTooLongIsAnsweredAndToldToStop) {
  Begin(", http: { timeout: 500ms }");
  // A busy machine may be slower than that at reading the request.
  WaitUntil([&] { return Get("/v1/test/waits").status == 504; }, kTimeout, "504");
  EndWith(0);
}

TEST_F(Http, AHandlerThatEndsWhenItIsToldKeepsNoHostFromEnding) {
  Begin();
  auto waits = std::async(std::launch::async, [&] { return Get("/v1/test/waits"); });
  WaitForOneThatWaits();
  EndWith(0);
  EXPECT_EQ(waits.get().status, 503);
}

TEST_F(Http, AHandlerThatHangsIsNamedAndEndsTheHostAfterDrainTimeout) {
  Begin(", drain_timeout: 500ms, http: { timeout: 200ms }");
  WaitUntil([&] { return Get("/v1/test/hangs").status == 504; }, kTimeout, "504");
  WaitUntil(
      [&] { return Get("/readyz").body.find("SH-0127 GET /v1/test/hangs") != std::string::npos; },
      kTimeout, "the name of the route in /readyz");
  host_->process().Signal(SIGTERM);
  EXPECT_EQ(host_->process().WaitOrKill(kTimeout), 75) << Said();
  EXPECT_THAT(Said(), HasSubstr("SH-0128"));
  EXPECT_THAT(Said(), HasSubstr("GET /v1/test/hangs has not returned"));
}

TEST_F(Http, DescribesItsPathsForTools) {
  Begin();
  const Answer answer = Get("/openapi.json");
  simdjson::dom::parser parser;
  const simdjson::padded_string json(answer.body);
  simdjson::dom::element root;
  ASSERT_EQ(parser.parse(json).get(root), simdjson::SUCCESS) << answer.body;
  const auto text = [&](const std::string& pointer) {
    std::string_view found;
    return root.at_pointer(pointer).get(found) ? std::string() : std::string(found);
  };
  const auto has = [&](const std::string& pointer) {
    return root.at_pointer(pointer).error() == simdjson::SUCCESS;
  };
  EXPECT_EQ(text("/openapi"), "3.1.0");
  const std::string hello = "/paths/~1v1~1test~1hello~1{name}/get";
  EXPECT_EQ(text(hello + "/summary"), "Greets somebody.");
  EXPECT_EQ(text(hello + "/parameters/0/in"), "path");
  EXPECT_EQ(text(hello + "/parameters/1/in"), "query");
  EXPECT_EQ(text(hello + "/parameters/1/schema/type"), "integer");
  EXPECT_TRUE(has(hello + "/security/0/token"));
  EXPECT_TRUE(has("/paths/~1v1~1test~1open/get"));
  EXPECT_FALSE(has("/paths/~1v1~1test~1open/get/security"));
  EXPECT_TRUE(has("/paths/~1v1~1test~1echo/post/requestBody"));
  EXPECT_TRUE(has("/paths/~1api~1v1~1status/get/security"));
  EXPECT_TRUE(has("/components/schemas/Error"));
  EXPECT_EQ(JsonMember(Get("/api/v1/status").body, "host"), "tested");
  EndWith(0);
}

// A connection that never gets on.
class SlowConnection {
 public:
  explicit SlowConnection(int port) : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    if (connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
    }
  }
  SlowConnection(SlowConnection&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  SlowConnection& operator=(SlowConnection&&) = delete;
  ~SlowConnection() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  void Send(const std::string& text) const {  // it may have been closed
    static_cast<void>(send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  }

 private:
  int descriptor_;
};

// No time ends them: only the room that is made for others lets anybody else in.
TEST_F(Http, ProbesAreAnsweredBesideFiveHundredSlowConnectionsAndASaturatedRoute) {
  Begin(", http: { timeout: 1h }");
  std::vector<std::future<Answer>> saturating;
  std::atomic<int> refused{0};
  for (int i = 0; i < 60; ++i) {
    saturating.push_back(std::async(std::launch::async, [&] {
      Answer answer = Get("/v1/test/waits");
      if (answer.status == 503) ++refused;
      return answer;
    }));
  }
  WaitUntil([&] { return refused > 0; }, kTimeout, "a route that is full");
  std::vector<SlowConnection> slow;
  for (int i = 0; i < 512; ++i) {
    slow.emplace_back(port_);
    if (i % 2 == 0) slow.back().Send("GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ");
  }
  std::atomic<bool> stop{false};
  std::thread dribble([&] {
    while (!stop) {
      for (std::size_t i = 0; i < slow.size(); i += 2) slow[i].Send("x");
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
  });
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Get("/livez").status, 200);
    EXPECT_EQ(Get("/readyz").status, 200);
    EXPECT_EQ(Get("/metrics").status, 200);
  }
  EXPECT_EQ(Get("/v1/test/open").status, 503) << "the route is still full";
  stop = true;
  dribble.join();
  host_->process().Signal(SIGTERM);
  EXPECT_EQ(host_->process().WaitOrKill(kTimeout), 0) << Said();
  for (auto& each : saturating) each.get();
}

}  // namespace
}  // namespace summa::test
