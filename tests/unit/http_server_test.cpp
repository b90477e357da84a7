#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "host/error.hpp"
#include "host/http/http_server.hpp"
#include "host/observe/log.hpp"
#include "host/observe/metrics.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Well below the idle timeout of 5 s. A busy machine makes each round slower, none quicker: one
// quick round is enough.
constexpr seconds kPrompt{3};
template <typename Round>
bool PromptOnce(Round&& round) {
  for (int i = 0; i < 5; ++i) {
    if (round() < kPrompt) return true;
  }
  return false;
}

class Socket {
 public:
  explicit Socket(int port) : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    Connect(reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  explicit Socket(const std::string& path) : descriptor_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    Connect(reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }

  void Send(const std::string& text) {
    EXPECT_EQ(send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  void TrySend(const std::string& text) const {  // to one that may have been closed
    static_cast<void>(send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  }
  std::string ReadAll() {
    std::string all;
    char buffer[4096];
    for (ssize_t n; (n = recv(descriptor_, buffer, sizeof buffer, 0)) > 0;) all.append(buffer, n);
    return all;
  }
  bool Answered() const {  // something can be read
    pollfd looked{descriptor_, POLLIN, 0};
    return poll(&looked, 1, 0) == 1;
  }
  std::string Request(const std::string& method, const std::string& path) {
    Send(method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return ReadAll();
  }

 private:
  void Connect(const sockaddr* address, socklen_t size) {
    const timeval limit{20, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(descriptor_, address, size) != 0) {
      throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
    }
  }
  int descriptor_;
};

HttpRoute Route(const std::string& path, std::function<HttpResponse()> handler,
                const std::string& pool = "others") {
  return HostRoute(
      path, "A route.", [handler = std::move(handler)](HttpCall&) { return handler(); }, pool);
}

std::vector<HttpRoute> Routes() {
  return {Route(
              "/livez",
              [] {
                return HttpResponse{200, "{\"live\":true}\n"};
              },
              ""),
          Route(
              "/readyz",
              [] {
                return HttpResponse{200, "{\"ready\":true}\n"};
              },
              "readyz"),
          Route("/status",
                [] {
                  return HttpResponse{200, "{}\n"};
                }),
          Route("/throws", []() -> HttpResponse { throw std::runtime_error("secret reason"); })};
}

// A series as /metrics shows it; 0: there is none.
double Metric(const std::string& series) {
  const std::string text = "\n" + MetricsText(), begin = "\n" + series + " ";
  const std::size_t at = text.find(begin);
  return at == std::string::npos ? 0 : std::stod(text.substr(at + begin.size()));
}

bool StartsWith(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

TEST(HttpServer, PortZeroTakesAFreePortAndSaysWhich) {
  HttpServer server("127.0.0.1:0", Routes());
  EXPECT_GT(server.port(), 0);
  EXPECT_EQ(server.address(), "127.0.0.1:" + std::to_string(server.port()));
  const std::string answer = Socket(server.port()).Request("GET", "/livez");
  EXPECT_TRUE(StartsWith(answer, "HTTP/1.1 200")) << answer;
  EXPECT_NE(answer.find("{\"live\":true}"), std::string::npos);
  EXPECT_NE(answer.find("application/json"), std::string::npos);
}

TEST(HttpServer, SlowRoutesAnswerToo) {
  HttpServer server("127.0.0.1:0", Routes());
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(StartsWith(Socket(server.port()).Request("GET", "/status"), "HTTP/1.1 200"));
  }
}

TEST(HttpServer, HeadHasNoBody) {
  HttpServer server("127.0.0.1:0", Routes());
  const std::string answer = Socket(server.port()).Request("HEAD", "/livez");
  EXPECT_TRUE(StartsWith(answer, "HTTP/1.1 200")) << answer;
  EXPECT_EQ(answer.find("{\"live\""), std::string::npos);
}

TEST(HttpServer, UnknownPathsAndMethodsAreRefusedInJson) {
  HttpServer server("127.0.0.1:0", Routes());
  const std::string missing = Socket(server.port()).Request("GET", "/nothing");
  EXPECT_TRUE(StartsWith(missing, "HTTP/1.1 404")) << missing;
  EXPECT_NE(missing.find("{\"error\":{\"code\":\"SH-0370\",\"message\":\"no such path\"}}"),
            std::string::npos)
      << missing;
  Socket poster(server.port());
  poster.Send("POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  const std::string refused = poster.ReadAll();
  EXPECT_TRUE(StartsWith(refused, "HTTP/1.1 405")) << refused;
  EXPECT_NE(refused.find("Allow: GET, HEAD"), std::string::npos);
}

TEST(HttpServer, AHandlerThatThrowsGives500WithoutItsReason) {
  HttpServer server("127.0.0.1:0", Routes());
  testing::internal::CaptureStderr();
  const std::string answer = Socket(server.port()).Request("GET", "/throws");
  FlushLog();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(StartsWith(answer, "HTTP/1.1 500")) << answer;
  EXPECT_EQ(answer.find("secret"), std::string::npos);
  EXPECT_NE(log.find("SH-0332"), std::string::npos);
  EXPECT_NE(log.find("secret reason"), std::string::npos);
}

TEST(HttpServer, AHundredHalfSentRequestsDoNotDelayTheProbe) {
  EXPECT_TRUE(PromptOnce([] {
    HttpServer server("127.0.0.1:0", Routes());
    std::vector<Socket> half_open;
    for (int i = 0; i < 100; ++i) {
      half_open.emplace_back(server.port());
      half_open.back().Send("GET /status HTT");
    }
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(StartsWith(Socket(server.port()).Request("GET", "/livez"), "HTTP/1.1 200"));
    return std::chrono::steady_clock::now() - begin;
  }));
}

TEST(HttpServer, TheProbeAnswersWhileEveryOtherHandlerHangs) {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  std::atomic<int> hanging{0};
  auto routes = Routes();
  routes.push_back(Route("/hangs", [&hanging, released] {
    ++hanging;
    released.wait();
    return HttpResponse{};
  }));
  HttpServer server("127.0.0.1:0", std::move(routes));
  std::vector<Socket> callers;
  for (int i = 0; i < 60; ++i) {  // more than threads and queue take
    callers.emplace_back(server.port());
    callers.back().Send("GET /hangs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }
  const auto answered_one = [](const Socket& caller) { return caller.Answered(); };
  ASSERT_TRUE(test::BecomesTrue([&] {
    return hanging >= 2 && std::any_of(callers.begin(), callers.end(), answered_one);
  })) << "threads and queue are not full";
  // One that waited for the others would wait until they are released.
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(StartsWith(Socket(server.port()).Request("GET", "/livez"), "HTTP/1.1 200"));
  }
  int answered = 0, refused = 0;
  release.set_value();
  for (Socket& caller : callers) {
    const std::string answer = caller.ReadAll();
    answered += StartsWith(answer, "HTTP/1.1 200") ? 1 : 0;
    refused += StartsWith(answer, "HTTP/1.1 503") ? 1 : 0;
  }
  EXPECT_EQ(answered + refused, 60);
  EXPECT_GE(answered, 2);
  EXPECT_GE(refused, 1);
}

TEST(HttpServer, StoppingLeavesAHangingHandlerBehindAndAnswersItsCaller) {
  auto release = std::make_shared<std::promise<void>>();
  auto entered = std::make_shared<std::promise<void>>();
  auto finished = std::make_shared<std::promise<void>>();
  std::vector<HttpRoute> routes = {Route("/hangs", [=] {
    entered->set_value();
    release->get_future().wait();
    finished->set_value();
    return HttpResponse{};
  })};
  auto server = std::make_unique<HttpServer>("127.0.0.1:0", std::move(routes));
  Socket caller(server->port());
  caller.Send("GET /hangs HTTP/1.1\r\nHost: x\r\n\r\n");
  entered->get_future().wait();
  const auto begin = std::chrono::steady_clock::now();
  server.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, test::kTimeout);
  EXPECT_TRUE(StartsWith(caller.ReadAll(), "HTTP/1.1 503"));
  release->set_value();
  finished->get_future().wait();
}

TEST(HttpServer, StopDoesNotWaitForIdleClients) {
  EXPECT_TRUE(PromptOnce([] {
    HttpServer server("127.0.0.1:0", Routes());
    Socket idle(server.port());
    idle.Send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    Socket(server.port()).Request("GET", "/livez");
    const auto begin = std::chrono::steady_clock::now();
    server.Stop();
    return std::chrono::steady_clock::now() - begin;
  }));
}

// A route of a plugin: with a method, parameters and a body.
HttpRoute PluginRoute(const std::string& method, const std::string& path,
                      std::function<HttpResponse(HttpCall&)> handler) {
  HttpRoute route = HostRoute(path, "A route.", std::move(handler), "plugin");
  route.declared.method = method;
  route.declared.body = method == "GET" ? "" : "Anything.";
  route.plugin = "plugin";
  return route;
}

HttpRoute Echo() {
  return PluginRoute("POST", "/v1/echo/{what}", [](HttpCall& call) {
    return HttpResponse{200, call.values().front() + "=" + call.request().body};
  });
}

std::string Post(HttpServer& server, const std::string& head, const std::string& body) {
  Socket socket(server.port());
  socket.Send("POST /v1/echo/a%20b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + head + "\r\n" +
              body);
  return socket.ReadAll();
}

TEST(HttpServer, ABodyAndParametersReachTheHandler) {
  HttpServer server("127.0.0.1:0", {Echo()});
  const std::string answer = Post(server, "Content-Length: 5\r\n", "hello");
  EXPECT_TRUE(StartsWith(answer, "HTTP/1.1 200")) << answer;
  EXPECT_NE(answer.find("\r\n\r\na b=hello"), std::string::npos) << answer;
}

TEST(HttpServer, RequestsAreCountedByTheDeclaredPathAndNotByWhatClientsSend) {
  auto routes = Routes();
  routes.push_back(PluginRoute("GET", "/v1/counted/{what}", [](HttpCall& call) {
    if (call.values().front() == "gone") throw HttpProblem(404, "XY-0404", "gone");
    return HttpResponse{200, "{}"};
  }));
  HttpServer server("127.0.0.1:0", std::move(routes));
  const auto requests = [](const std::string& method, const std::string& status) {
    return Metric("summa_http_requests_total{method=\"" + method +
                  "\",route=\"/v1/counted/{what}\",status=\"" + status + "\"}");
  };
  const std::string unknown =
      "summa_http_requests_total{method=\"GET\",route=\"other\",status=\"404\"}";
  const std::string invented =
      "summa_http_requests_total{method=\"other\",route=\"other\",status=\"405\"}";
  const double unknown_before = Metric(unknown), invented_before = Metric(invented);
  for (const char* path : {"/v1/counted/a", "/v1/counted/b", "/v1/counted/gone", "/v1/uncounted"}) {
    Socket(server.port()).Request("GET", path);
  }
  Socket(server.port()).Request("HEAD", "/v1/counted/a");
  Socket(server.port()).Request("BREW", "/livez");
  EXPECT_EQ(requests("GET", "200"), 2);
  EXPECT_EQ(requests("GET", "404"), 1);
  EXPECT_EQ(requests("HEAD", "200"), 1);
  EXPECT_EQ(Metric(unknown), unknown_before + 1);
  EXPECT_EQ(Metric(invented), invented_before + 1);
  EXPECT_EQ(Metric("summa_http_request_duration_seconds_count{route=\"/v1/counted/{what}\"}"), 4);
  EXPECT_EQ(MetricsText().find("uncounted"), std::string::npos);
  EXPECT_EQ(MetricsText().find("BREW"), std::string::npos);
}

TEST(HttpServer, OpenConnectionsAreCounted) {
  const std::string open = "summa_http_connections";
  ASSERT_TRUE(test::BecomesTrue([&] { return Metric(open) == 0; })) << "those of other servers";
  HttpServer server("127.0.0.1:0", Routes());
  {
    const Socket first(server.port()), second(server.port());
    EXPECT_TRUE(test::BecomesTrue([&] { return Metric(open) == 2; })) << Metric(open);
  }
  EXPECT_TRUE(test::BecomesTrue([&] { return Metric(open) == 0; })) << Metric(open);
}

TEST(HttpServer, ABodyWhoseLengthIsNotCertainIsRefused) {
  HttpServer server("127.0.0.1:0", {Echo()});
  const std::string twice = Post(server, "Content-Length: 5\r\nContent-Length: 5\r\n", "hello");
  EXPECT_TRUE(StartsWith(twice, "HTTP/1.1 400")) << twice;
  const std::string different = Post(server, "Content-Length: 0\r\nContent-Length: 44\r\n",
                                     "GET /v1/echo/smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(StartsWith(different, "HTTP/1.1 400")) << different;
  EXPECT_EQ(different.find("HTTP/1.1", 1), std::string::npos) << "a second answer: " << different;
  const std::string chunked =
      Post(server, "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n");
  EXPECT_TRUE(StartsWith(chunked, "HTTP/1.1 411")) << chunked;
  EXPECT_EQ(chunked.find("HTTP/1.1", 1), std::string::npos) << "a second answer: " << chunked;
}

TEST(HttpServer, WhatIsAboveALimitIsRefusedUnread) {
  HttpLimits limits;
  limits.head_bytes = 1024;
  limits.body_bytes = 10;
  HttpServer server("127.0.0.1:0", {Echo()}, limits);
  const std::string body = Post(server, "Content-Length: 11\r\n", "");
  EXPECT_TRUE(StartsWith(body, "HTTP/1.1 413")) << body;
  EXPECT_NE(body.find("SH-0373"), std::string::npos) << body;
  const std::string head =
      Post(server, "X-Long: " + std::string(1100, 'x') + "\r\nContent-Length: 0\r\n", "");
  EXPECT_TRUE(StartsWith(head, "HTTP/1.1 431")) << head;
  EXPECT_NE(head.find("SH-0373"), std::string::npos) << head;
  const std::string good = Post(server, "Content-Length: 10\r\n", "0123456789");
  EXPECT_TRUE(StartsWith(good, "HTTP/1.1 200")) << good;
}

TEST(HttpServer, ABodyThatAPathDoesNotTakeIsRefused) {
  HttpServer server("127.0.0.1:0", Routes());
  Socket socket(server.port());
  socket.Send("GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
  const std::string answer = socket.ReadAll();
  EXPECT_TRUE(StartsWith(answer, "HTTP/1.1 400")) << answer;
}

TEST(HttpServer, ARequestThatIsNotAnsweredInTimeGets504AndItsHandlerIsTold) {
  HttpLimits limits;
  limits.time = milliseconds(300);
  std::atomic<bool> told{false};
  HttpServer server("127.0.0.1:0",
                    {PluginRoute("GET", "/v1/hangs",
                                 [&told](HttpCall& call) {
                                   std::promise<void> interrupted;
                                   std::once_flag once;
                                   const HttpCall::Interrupt interrupt(call, [&] {
                                     std::call_once(once, [&] { interrupted.set_value(); });
                                   });
                                   interrupted.get_future().wait();
                                   told = call.answered();
                                   return HttpResponse{};
                                 })},
                    limits);
  // On a busy machine a request may not even arrive within that time.
  EXPECT_TRUE(test::BecomesTrue([&] {
    const std::string answer = Socket(server.port()).Request("GET", "/v1/hangs");
    return StartsWith(answer, "HTTP/1.1 504") && answer.find("SH-0375") != std::string::npos;
  }));
  EXPECT_TRUE(test::BecomesTrue([&] { return told.load(); }));
}

TEST(HttpServer, ARequestThatDoesNotArriveInTimeLosesItsConnection) {
  HttpLimits limits;
  limits.time = milliseconds(300);
  HttpServer server("127.0.0.1:0", {Echo()}, limits);
  EXPECT_EQ(Post(server, "Content-Length: 5\r\n", "hel"), "");
}

TEST(HttpServer, APoolThatIsFullKeepsNoOtherPoolOut) {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  auto routes = Routes();
  routes.push_back(PluginRoute("GET", "/v1/hangs", [released](HttpCall&) {
    released.wait();
    return HttpResponse{};
  }));
  HttpServer server("127.0.0.1:0", std::move(routes));
  std::vector<Socket> callers;
  const auto any_answered = [&] {
    return std::any_of(callers.begin(), callers.end(),
                       [](const Socket& caller) { return caller.Answered(); });
  };
  for (int i = 0; i < 60; ++i) {
    callers.emplace_back(server.port());
    callers.back().Send("GET /v1/hangs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }
  ASSERT_TRUE(test::BecomesTrue(any_answered)) << "the pool is not full";
  for (const char* path : {"/livez", "/readyz", "/status"}) {
    EXPECT_TRUE(StartsWith(Socket(server.port()).Request("GET", path), "HTTP/1.1 200")) << path;
  }
  release.set_value();
  for (Socket& caller : callers) caller.ReadAll();
}

// Both ends of each connection are in this process.
void AllowManyDescriptors() {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

// Without a limit of time for a head and with clients that send a little again and again, only room
// that is made lets anybody else in.
TEST(HttpServer, OfTooManyConnectionsTheOneThatIdlesLongestGivesWay) {
  AllowManyDescriptors();
  HttpLimits limits;
  limits.time = std::chrono::hours(1);
  HttpServer server("127.0.0.1:0", Routes(), limits);
  const std::string closed = "summa_http_connections_closed_total";
  const double closed_before = Metric(closed);
  std::vector<Socket> slow;
  for (int i = 0; i < 512; ++i) {
    slow.emplace_back(server.port());
    slow.back().Send("GET /status HTTP/1.1\r\nX-Slow: ");
  }
  std::atomic<bool> stop{false};
  std::thread dribble([&] {
    while (!stop) {
      for (const Socket& each : slow) each.TrySend("x");
      std::this_thread::sleep_for(milliseconds(500));
    }
  });
  for (const char* path : {"/livez", "/readyz", "/livez", "/readyz"}) {
    EXPECT_TRUE(StartsWith(Socket(server.port()).Request("GET", path), "HTTP/1.1 200")) << path;
  }
  stop = true;
  dribble.join();
  EXPECT_TRUE(slow.front().Answered()) << "the first one is closed";
  EXPECT_GT(Metric(closed), closed_before);
}

TEST(HttpServer, AnAnswerIsCompressedAndNotSentTwiceWhereThatPays) {
  const std::string text = "{\"text\":\"" + std::string(5000, 'x') + "\"}";
  HttpRoute route = PluginRoute("GET", "/v1/text", [text](HttpCall&) {
    return HttpResponse{200, text};
  });
  route.revalidates = true;
  HttpServer server("127.0.0.1:0", {std::move(route)});
  const auto ask = [&](const std::string& head) {
    Socket socket(server.port());
    socket.Send("GET /v1/text HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + head + "\r\n");
    return socket.ReadAll();
  };
  const std::string plain = ask("");
  EXPECT_NE(plain.find(text), std::string::npos);
  EXPECT_NE(plain.find("Cache-Control: no-cache"), std::string::npos) << plain;
  const std::size_t begin = plain.find("ETag: ") + 6;
  const std::string etag = plain.substr(begin, plain.find("\r\n", begin) - begin);
  const std::string compressed = ask("Accept-Encoding: br, gzip\r\n");
  EXPECT_NE(compressed.find("Content-Encoding: gzip"), std::string::npos);
  EXPECT_NE(compressed.find(etag), std::string::npos);
  EXPECT_LT(compressed.size(), 1000u);
  EXPECT_EQ(ask("Accept-Encoding: gzip;q=0\r\n").find("Content-Encoding"), std::string::npos);
  const std::string known = ask("If-None-Match: \"other\", " + etag + "\r\n");
  EXPECT_TRUE(StartsWith(known, "HTTP/1.1 304")) << known;
  EXPECT_EQ(known.find("xxx"), std::string::npos);
}

TEST(HttpServer, AUnixSocketWorksAndAStaleOneIsReplaced) {
  const std::string path = "/tmp/summa-http-" + std::to_string(getpid());
  {
    HttpServer server("unix:" + path, Routes());
    EXPECT_EQ(server.port(), 0);
    EXPECT_TRUE(StartsWith(Socket(path).Request("GET", "/livez"), "HTTP/1.1 200"));
    EXPECT_THROW(HttpServer("unix:" + path, Routes()), Failure);  // somebody lives there
    EXPECT_TRUE(StartsWith(Socket(path).Request("GET", "/livez"), "HTTP/1.1 200"));
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0);
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(dead);
  HttpServer server("unix:" + path, Routes());
  EXPECT_TRUE(StartsWith(Socket(path).Request("GET", "/livez"), "HTTP/1.1 200"));
}

TEST(HttpServer, AnAddressThatCannotBeUsedIsNamed) {
  HttpServer first("127.0.0.1:0", Routes());
  for (const std::string& listen : {first.address(), std::string("nonsense"),
                                    std::string("127.0.0.1:x"), std::string("unix:")}) {
    try {
      HttpServer second(listen, Routes());
      FAIL() << listen;
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.error().code, "SH-0330");
      EXPECT_NE(failure.error().message.find(listen), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace summa::host
