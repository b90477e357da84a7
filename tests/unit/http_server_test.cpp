#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <future>

#include "host/error.hpp"
#include "host/http/http_server.hpp"
#include "host/observe/log.hpp"
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

std::vector<HttpRoute> Routes() {
  return {{"/livez",
           [] {
             return HttpResponse{200, "{\"live\":true}\n"};
           },
           true},
          {"/status",
           [] {
             return HttpResponse{200, "{}\n"};
           }},
          {"/throws", []() -> HttpResponse { throw std::runtime_error("secret reason"); }}};
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
  EXPECT_NE(missing.find("{\"error\":\"no such path\"}"), std::string::npos);
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
  routes.push_back({"/hangs", [&hanging, released] {
                      ++hanging;
                      released.wait();
                      return HttpResponse{};
                    }});
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
  std::vector<HttpRoute> routes = {{"/hangs", [=] {
                                      entered->set_value();
                                      release->get_future().wait();
                                      finished->set_value();
                                      return HttpResponse{};
                                    }}};
  auto server = std::make_unique<HttpServer>("127.0.0.1:0", std::move(routes));
  Socket caller(server->port());
  caller.Send("GET /hangs HTTP/1.1\r\nHost: x\r\n\r\n");
  entered->get_future().wait();
  const auto begin = std::chrono::steady_clock::now();
  server.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, test::kPatience);
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
