#include "tests/bench/http_load.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <utility>

#include "tests/bench/report.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::bench {
namespace {

constexpr timeval kTimeout{60, 0};  // of one call; an answer that takes longer does not come
// Asked of a full route beside what it holds; each must be refused.
constexpr int kTooMany = 24;
constexpr std::chrono::milliseconds kAskingPause{10};

[[noreturn]] void Fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

void SetPatience(int descriptor) {
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout);
  setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof kTimeout);
}

void SendAll(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string ReadUntilBlankLine(int descriptor) {
  std::string text;
  char buffer[4096];
  while (text.find("\r\n\r\n") == std::string::npos) {
    const ssize_t size = recv(descriptor, buffer, sizeof buffer, 0);
    if (size <= 0) break;
    text.append(buffer, static_cast<std::size_t>(size));
  }
  return text;
}

std::string RequestText(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
}

// "GET /path HTTP/1.1..." -> "/path"
std::string PathOf(const std::string& request) {
  const std::size_t begin = std::min(request.find(' '), request.size() - 1) + 1;
  return request.substr(begin, request.find(' ', begin) - begin);
}

std::vector<Socket> Hold(int port, const std::string& path, int places) {
  std::vector<Socket> held;
  for (int i = 0; i < places + kTooMany; ++i) {
    held.emplace_back(port);
    held.back().Send(RequestText(path));
  }
  const auto answered = [&] {
    return std::count_if(held.begin(), held.end(),
                         [](const Socket& each) { return each.Answered(); });
  };
  test::WaitUntil([&] { return answered() >= kTooMany; }, test::kTimeout, "a route that is full");
  if (answered() > kTooMany) throw std::runtime_error("the route has fewer places than expected");
  return held;
}

}  // namespace

Socket::Socket(int port) : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (descriptor_ < 0) Fail("socket");
  SetPatience(descriptor_);
  const sockaddr_in address = Loopback(port);
  if (connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return;
  }
  const int error = errno;
  close(descriptor_);
  errno = error;
  Fail("connect");
}

Socket::Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Socket::~Socket() {
  if (descriptor_ >= 0) close(descriptor_);
}

void Socket::Send(std::string_view text) const { SendAll(descriptor_, text); }

std::string Socket::ReadAll() const {
  std::string all;
  char buffer[16384];
  for (ssize_t size; (size = recv(descriptor_, buffer, sizeof buffer, 0)) > 0;) {
    all.append(buffer, static_cast<std::size_t>(size));
  }
  return all;
}

void Socket::ReadHead() const { ReadUntilBlankLine(descriptor_); }

std::string Socket::ReadAnswer() const {
  std::string text = ReadUntilBlankLine(descriptor_);
  const std::size_t body = text.find("\r\n\r\n") + 4;
  const std::size_t length = text.find("Content-Length: ");
  if (length > body) throw std::runtime_error("an answer has no length: " + text.substr(0, 500));
  const std::size_t size = body + std::stoul(text.substr(length + 16));
  char buffer[16384];
  while (text.size() < size) {
    const ssize_t got = recv(descriptor_, buffer, sizeof buffer, 0);
    if (got <= 0) throw std::runtime_error("an answer broke off");
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

bool Socket::Answered() const {
  pollfd looked{descriptor_, POLLIN, 0};
  return poll(&looked, 1, 0) == 1;
}

bool Socket::Closed() const {
  char buffer[4096];
  ssize_t size = 0;
  do {
    size = recv(descriptor_, buffer, sizeof buffer, MSG_DONTWAIT);
  } while (size > 0);
  return size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

Reply Ask(int port, const std::string& path, int expected) {
  const Stopwatch watch;
  Reply reply;
  {
    const Socket socket(port);
    socket.Send(RequestText(path));
    reply.text = socket.ReadAll();
    reply.milliseconds = watch.Seconds() * 1000;
  }
  if (!reply.text.starts_with("HTTP/1.1 " + std::to_string(expected) + " ")) {
    throw std::runtime_error("GET " + path + " was not answered with " + std::to_string(expected) +
                             " but with: " + reply.text.substr(0, 500));
  }
  return reply;
}

std::string KeptConnection::Ask(const std::string& path, int expected) {
  socket_.Send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
  std::string text = socket_.ReadAnswer();
  if (text.starts_with("HTTP/1.1 " + std::to_string(expected) + " ")) return text;
  throw std::runtime_error("GET " + path + " was not answered with " + std::to_string(expected) +
                           " but with: " + text.substr(0, 500));
}

BareResponder::BareResponder(std::map<std::string, std::string> answers)
    : answers_(std::move(answers)), descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (descriptor_ < 0 || bind(descriptor_, any, size) != 0 || listen(descriptor_, 128) != 0 ||
      getsockname(descriptor_, any, &size) != 0) {
    Fail("listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

BareResponder::~BareResponder() {
  shutdown(descriptor_, SHUT_RDWR);  // accept returns
  thread_.join();
  close(descriptor_);
}

void BareResponder::Serve() const {
  for (int client; (client = accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
    SetPatience(client);
    const auto found = answers_.find(PathOf(ReadUntilBlankLine(client)));
    if (found != answers_.end()) SendAll(client, found->second);
    close(client);
  }
}

Repeated::Repeated(std::chrono::milliseconds pause, std::function<void()> turn)
    : pause_(pause), turn_(std::move(turn)), thread_([this] { Run(); }) {}

Repeated::~Repeated() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Repeated::Check() {
  const MutexLock lock(mutex_);
  if (!error_.empty()) throw std::runtime_error(error_);
}

void Repeated::Run() {
  MutexLock lock(mutex_);
  while (!stopping_ && error_.empty()) {
    lock.unlock();
    std::string error;
    try {
      turn_();
    } catch (const std::exception& exception) {
      error = exception.what();
    }
    lock.lock();
    error_ = error;
    changed_.wait_for(lock, pause_, [this]() SUMMA_REQUIRES(mutex_) { return stopping_; });
  }
}

Crowd::Crowd(Kind kind, int port, int connections, std::chrono::milliseconds pause)
    : kind_(kind),
      port_(port),
      sockets_([&] {
        std::vector<Socket> sockets;
        for (int i = 0; i < connections; ++i) sockets.push_back(Open());
        return sockets;
      }()),
      keeper_(pause, [this] { Keep(); }) {}

Socket Crowd::Open() const {
  Socket socket(port_);
  if (kind_ == Kind::kIdle) {
    socket.Send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    socket.ReadHead();
  } else {
    socket.Send("GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ");
  }
  return socket;
}

void Crowd::Keep() {
  for (Socket& socket : sockets_) {
    if (socket.Closed()) {
      socket = Open();
      ++opened_again_;
    } else if (kind_ == Kind::kSlow) {
      socket.Send("x");
    }
  }
}

FullRoute::FullRoute(int port, const std::string& path, int places)
    : held_(Hold(port, path, places)), asking_(kAskingPause, [this, port, path] {
        Ask(port, path, 503);
        ++refused_;
      }) {}

}  // namespace summa::bench
