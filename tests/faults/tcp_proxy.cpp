#include "tests/faults/tcp_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <utility>

#include "tests/faults/message_scan.hpp"

namespace summa::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 64 * 1024;
// Above this no more is read until some was written, as any network does. What is held has no limit
// but this one either: a sender then feels a full pipe.
constexpr std::size_t kQueueLimitBytes = 8 << 20;
constexpr int kBacklog = 128;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress Resolve(const ProxyAddress& address) {
  SocketAddress result;
  if (address.unix_path.empty()) {
    auto& in = reinterpret_cast<sockaddr_in&>(result.storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<std::uint16_t>(address.port));
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    result.size = sizeof in;
    return result;
  }
  auto& un = reinterpret_cast<sockaddr_un&>(result.storage);
  un.sun_family = AF_UNIX;
  if (address.unix_path.size() >= sizeof un.sun_path) {
    throw std::runtime_error("socket path too long: " + address.unix_path);
  }
  std::memcpy(un.sun_path, address.unix_path.c_str(), address.unix_path.size() + 1);
  result.size = sizeof un;
  return result;
}

int NewSocket(const ProxyAddress& address) {
  const int family = address.unix_path.empty() ? AF_INET : AF_UNIX;
  return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

// Each write of a sliced stream is a packet of its own. Refused by unix sockets, which need it not.
void SendAtOnce(int descriptor) {
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

class TcpProxy::Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  void CloseByReset() const {
    const linger at_once{1, 0};
    setsockopt(number_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }

 private:
  const int number_;
};

// The two sockets of one client, and what is on its way between them.
struct TcpProxy::Connection {
  struct Chunk {
    Clock::time_point due;
    std::string bytes;
  };
  struct Pipe {
    ProxyFault fault;
    std::optional<std::uint64_t> left_bytes, left_messages;  // until the cut
    MessageScan scan;
    std::deque<Chunk> queue;
    std::size_t queued_bytes = 0;
    std::uint64_t *counter = nullptr, *swallowed_counter = nullptr;
    bool swallowed = false;  // bytes are missing
    bool ended = false;      // the sender said that no more comes
    bool end_told = false;
  };

  Connection(int client_socket, int server_socket) : client(client_socket), server(server_socket) {}

  int Source(std::size_t pipe) const { return pipe == 0 ? client.number() : server.number(); }
  int Target(std::size_t pipe) const { return pipe == 0 ? server.number() : client.number(); }

  bool WantsRead(const Pipe& pipe) const {
    return !pipe.ended && pipe.queued_bytes < kQueueLimitBytes;
  }
  bool WantsWrite(const Pipe& pipe, Clock::time_point now) const {
    return !broken && pipe.fault.flow == ProxyFault::Flow::kPass && !pipe.queue.empty() &&
           pipe.queue.front().due <= now;
  }

  void Read(std::size_t number) {
    Pipe& pipe = pipes[number];
    std::string bytes(kReadBytes, '\0');
    const ssize_t size = recv(Source(number), bytes.data(), bytes.size(), 0);
    if (size < 0 && WouldBlock()) return;
    if (size <= 0) {
      pipe.ended = true;
      broken |= size < 0;
      return;
    }
    if (pipe.fault.flow == ProxyFault::Flow::kSwallow) {
      pipe.swallowed = true;
      *pipe.swallowed_counter += static_cast<std::uint64_t>(size);
      return;
    }
    bytes.resize(static_cast<std::size_t>(size));
    pipe.queued_bytes += bytes.size();
    pipe.queue.push_back({Clock::now() + pipe.fault.delay, std::move(bytes)});
  }

  static std::size_t ToEndOfMessage(MessageScan scan, const std::string& bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (scan.Next(bytes[i])) return i + 1;
    }
    return bytes.size();
  }

  // One write; true when more can follow at once.
  bool Write(std::size_t number) {
    Pipe& pipe = pipes[number];
    Chunk& chunk = pipe.queue.front();
    std::size_t size = chunk.bytes.size();
    if (pipe.fault.slice_bytes > 0) size = std::min(size, pipe.fault.slice_bytes);
    if (pipe.left_bytes) size = std::min<std::uint64_t>(size, *pipe.left_bytes);
    if (pipe.left_messages) size = std::min(size, ToEndOfMessage(pipe.scan, chunk.bytes));
    const ssize_t written = send(Target(number), chunk.bytes.data(), size, MSG_NOSIGNAL);
    if (written < 0) {
      if (!WouldBlock()) broken = true;
      return false;
    }
    const auto count = static_cast<std::size_t>(written);
    *pipe.counter += count;
    pipe.queued_bytes -= count;
    if (pipe.left_bytes) *pipe.left_bytes -= count;
    for (std::size_t i = 0; i < count; ++i) {
      const bool ended = pipe.scan.Next(chunk.bytes[i]);
      if (ended && pipe.left_messages) --*pipe.left_messages;
    }
    chunk.bytes.erase(0, count);
    if (chunk.bytes.empty()) pipe.queue.pop_front();
    return count == size;
  }

  void WriteAll(std::size_t number) {
    const Pipe& pipe = pipes[number];
    while (!CutDue() && WantsWrite(pipe, Clock::now())) {
      if (!Write(number)) return;
    }
  }

  // An end of stream is told as one, behind all that was sent before it.
  void TellEnd(std::size_t number) {
    Pipe& pipe = pipes[number];
    if (!pipe.ended || pipe.end_told || !pipe.queue.empty()) return;
    if (pipe.fault.flow != ProxyFault::Flow::kPass) return;
    pipe.end_told = true;
    shutdown(Target(number), SHUT_WR);
  }

  static bool IsDue(const Pipe& pipe) { return pipe.left_bytes == 0 || pipe.left_messages == 0; }
  bool CutDue() const { return std::any_of(pipes.begin(), pipes.end(), IsDue); }
  bool Holding() const {
    return std::any_of(pipes.begin(), pipes.end(),
                       [](const Pipe& pipe) { return pipe.fault.flow != ProxyFault::Flow::kPass; });
  }
  bool Over() const {
    if (CutDue() || cut) return true;
    if (Holding()) return false;
    return broken || (pipes[0].end_told && pipes[1].end_told);
  }
  void PrepareReset() const {
    const bool wanted = reset || std::any_of(pipes.begin(), pipes.end(), [](const Pipe& pipe) {
                          return IsDue(pipe) && pipe.fault.reset;
                        });
    if (!wanted) return;
    client.CloseByReset();
    server.CloseByReset();
  }

  Descriptor client, server;
  std::array<Pipe, 2> pipes;
  bool broken = false;  // a socket failed
  bool cut = false, reset = false;
};

TcpProxy::TcpProxy(ProxyAddress listen, ProxyAddress target)
    : listen_(std::move(listen)), target_(std::move(target)) {
  wake_up_ = std::make_unique<Descriptor>(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Listen();
  thread_ = std::thread([this] { Run(); });
}

TcpProxy::~TcpProxy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
  if (!listen_.unix_path.empty()) unlink(listen_.unix_path.c_str());
}

void TcpProxy::Listen() {
  auto socket = std::make_unique<Descriptor>(NewSocket(listen_));
  if (listen_.unix_path.empty()) {
    const int on = 1;
    setsockopt(socket->number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  } else {
    unlink(listen_.unix_path.c_str());
  }
  const SocketAddress address = Resolve(listen_);
  if (bind(socket->number(), address.get(), address.size) != 0 ||
      listen(socket->number(), kBacklog) != 0) {
    throw std::runtime_error(std::string("the proxy cannot listen: ") + std::strerror(errno));
  }
  if (listen_.unix_path.empty()) {
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    getsockname(socket->number(), reinterpret_cast<sockaddr*>(&bound), &size);
    listen_.port = ntohs(bound.sin_port);
  }
  listener_ = std::move(socket);
}

void TcpProxy::Apply(Connection& connection, Direction direction, const ProxyFault& fault) {
  Connection::Pipe& pipe = connection.pipes[static_cast<std::size_t>(direction)];
  if (pipe.swallowed && fault.flow != ProxyFault::Flow::kSwallow) connection.cut = true;
  pipe.fault = fault;
  pipe.left_bytes = fault.cut_after_bytes;
  pipe.left_messages = fault.cut_after_messages;
}

void TcpProxy::Set(Direction direction, const ProxyFault& fault) {
  {
    const std::lock_guard lock(mutex_);
    faults_[static_cast<std::size_t>(direction)] = fault;
    for (const auto& [number, connection] : connections_) Apply(*connection, direction, fault);
  }
  Wake();
}

void TcpProxy::SetFor(std::size_t connection, Direction direction, const ProxyFault& fault) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = connections_.find(connection);
    if (found != connections_.end()) Apply(*found->second, direction, fault);
  }
  Wake();
}

std::size_t TcpProxy::SetForLater(Direction direction, const ProxyFault& fault) {
  const std::lock_guard lock(mutex_);
  faults_[static_cast<std::size_t>(direction)] = fault;
  return counts_.size();
}

void TcpProxy::Clear() {
  Set(Direction::kToServer, {});
  Set(Direction::kToClient, {});
}

void TcpProxy::Refuse(bool refuse) {
  {
    const std::lock_guard lock(mutex_);
    if (refuse && listener_) {
      shutdown(listener_->number(), SHUT_RDWR);  // poll() still holds it: closing is not enough
      listener_.reset();
      if (!listen_.unix_path.empty()) unlink(listen_.unix_path.c_str());
    } else if (!refuse && !listener_) {
      Listen();
    }
  }
  Wake();
}

void TcpProxy::CutAll(bool reset) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, connection] : connections_) {
      connection->cut = true;
      connection->reset = reset;
    }
  }
  Wake();
}

ProxyCounts TcpProxy::Counts() const {
  const std::lock_guard lock(mutex_);
  ProxyCounts sum;
  for (const auto& counts : counts_) {
    sum.to_server_bytes += counts->to_server_bytes;
    sum.to_client_bytes += counts->to_client_bytes;
    sum.swallowed_bytes += counts->swallowed_bytes;
  }
  return sum;
}

ProxyCounts TcpProxy::CountsOf(std::size_t connection) const {
  const std::lock_guard lock(mutex_);
  return *counts_.at(connection);
}

std::size_t TcpProxy::Accepted() const {
  const std::lock_guard lock(mutex_);
  return counts_.size();
}

std::size_t TcpProxy::Open() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

void TcpProxy::Wake() const {
  const std::uint64_t one = 1;
  static_cast<void>(write(wake_up_->number(), &one, sizeof one) == sizeof one);
}

void TcpProxy::Accept() {
  for (;;) {
    const int client = accept4(listener_->number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) return;
    const int server = NewSocket(target_);
    SendAtOnce(client);
    SendAtOnce(server);
    auto connection = std::make_unique<Connection>(client, server);
    counts_.push_back(std::make_unique<ProxyCounts>());
    const SocketAddress address = Resolve(target_);
    // Local sockets connect at once or not at all; a client of a dead server is let go.
    if (connect(server, address.get(), address.size) != 0 && errno != EINPROGRESS) continue;
    connection->pipes[0].counter = &counts_.back()->to_server_bytes;
    connection->pipes[1].counter = &counts_.back()->to_client_bytes;
    for (auto& pipe : connection->pipes) pipe.swallowed_counter = &counts_.back()->swallowed_bytes;
    Apply(*connection, Direction::kToServer, faults_[0]);
    Apply(*connection, Direction::kToClient, faults_[1]);
    connections_[counts_.size() - 1] = std::move(connection);
  }
}

void TcpProxy::Run() {
  for (;;) {
    std::vector<pollfd> watched;
    int timeout_ms = -1;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        connections_.clear();
        return;
      }
      watched.push_back({wake_up_->number(), POLLIN, 0});
      if (listener_) watched.push_back({listener_->number(), POLLIN, 0});
      for (const auto& [number, connection] : connections_) {
        timeout_ms = Watch(*connection, watched, timeout_ms);
      }
    }
    if (poll(watched.data(), watched.size(), timeout_ms) < 0 && errno != EINTR) return;
    std::uint64_t woken = 0;
    static_cast<void>(read(wake_up_->number(), &woken, sizeof woken));
    const std::lock_guard lock(mutex_);
    if (listener_) Accept();
    std::erase_if(connections_, [](const auto& entry) { return Step(*entry.second); });
  }
}

// Adds what a connection waits for; returns the sooner of the timeout and its next delayed write.
int TcpProxy::Watch(const Connection& connection, std::vector<pollfd>& watched, int timeout_ms) {
  const Clock::time_point now = Clock::now();
  std::array<short, 2> events{};  // of the client, of the server
  for (std::size_t i = 0; i < 2; ++i) {
    const Connection::Pipe& pipe = connection.pipes[i];
    if (connection.WantsRead(pipe)) events[i] |= POLLIN;
    if (connection.WantsWrite(pipe, now)) {
      events[1 - i] |= POLLOUT;
    } else if (pipe.fault.flow == ProxyFault::Flow::kPass && !pipe.queue.empty()) {
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(pipe.queue.front().due - now);
      const int milliseconds = static_cast<int>(wait.count());
      timeout_ms = timeout_ms < 0 ? milliseconds : std::min(timeout_ms, milliseconds);
    }
  }
  // A socket that nothing is wanted of would report its hang-up again and again.
  if (events[0] != 0) watched.push_back({connection.client.number(), events[0], 0});
  if (events[1] != 0) watched.push_back({connection.server.number(), events[1], 0});
  return timeout_ms;
}

// Moves what can be moved; true when the connection is over.
bool TcpProxy::Step(Connection& connection) {
  // A request and its answer could go through in one step: what is cut moves nothing more.
  for (std::size_t i = 0; i < 2 && !connection.cut; ++i) {
    if (!connection.CutDue() && connection.WantsRead(connection.pipes[i])) connection.Read(i);
    connection.WriteAll(i);
    connection.TellEnd(i);
  }
  if (!connection.Over()) return false;
  connection.PrepareReset();
  return true;
}

}  // namespace summa::test
