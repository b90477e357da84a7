#include "host/http/listen_socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "host/error.hpp"

namespace summa::host {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr int kWaitingConnections = 128;  // the kernel's queue before accept

[[noreturn]] void Refuse(const std::string& listen, const std::string& why) {
  throw Failure("SH-0330", "cannot listen on " + listen + ": " + why,
                "choose another host.listen (port 0 takes any free port), or stop the program that "
                "uses this one",
                "host.listen");
}

// A socket file whose owner has died; a living owner answers.
bool IsStale(const sockaddr_un& address) {
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const int result = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool refused = result != 0 && errno == ECONNREFUSED;
  close(probe);
  return refused;
}

}  // namespace

ListenSocket::ListenSocket(const std::string& listen) {
  if (listen.compare(0, kUnixPrefix.size(), kUnixPrefix) == 0) {
    ListenOnPath(listen);
  } else {
    ListenOnPort(listen);
  }
}

ListenSocket::~ListenSocket() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!path_.empty()) unlink(path_.c_str());
}

void ListenSocket::ListenOnPath(const std::string& listen) {
  const std::string path = listen.substr(kUnixPrefix.size());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    Refuse(listen,
           "a path of 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes is expected");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  descriptor_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor_ < 0) Refuse(listen, std::strerror(errno));
  if (IsStale(address)) unlink(path.c_str());
  if (bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(descriptor_, kWaitingConnections) != 0) {
    const int error = errno;
    close(descriptor_);
    Refuse(listen, std::strerror(error));
  }
  path_ = path;
  address_ = listen;
}

void ListenSocket::ListenOnPort(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    Refuse(listen, "expected ADDRESS:PORT, for example 127.0.0.1:9464");
  }
  std::string host = listen.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::string service = listen.substr(colon + 1);

  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int status = getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
  if (status != 0) Refuse(listen, gai_strerror(status));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);

  descriptor_ = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                       found->ai_protocol);
  if (descriptor_ < 0) Refuse(listen, std::strerror(errno));
  const int on = 1;  // a restart must not wait for old connections to leave TIME_WAIT
  setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (bind(descriptor_, found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(descriptor_, kWaitingConnections) != 0 ||
      getsockname(descriptor_, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    const int error = errno;
    close(descriptor_);
    Refuse(listen, std::strerror(error));
  }
  port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                                            : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
  address_ = listen.substr(0, colon) + ":" + std::to_string(port_);
}

}  // namespace summa::host
