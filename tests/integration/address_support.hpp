// Addresses that are no good.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace summa::host {

// Takes connections, or lets them wait, and never says a word. Or, shut, refuses them.
class SilentAddress {
 public:
  explicit SilentAddress(const std::string& address = "127.0.0.1", int port = 0, bool shut = false)
      : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(static_cast<std::uint16_t>(port));
    inet_pton(AF_INET, address.c_str(), &name.sin_addr);
    socklen_t size = sizeof name;
    const int yes = 1;
    setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(descriptor_, reinterpret_cast<sockaddr*>(&name), size) != 0 ||
        (!shut && listen(descriptor_, 100) != 0) ||
        getsockname(descriptor_, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
      throw std::runtime_error("no silent address at " + address);
    }
    port_ = ntohs(name.sin_port);
  }
  ~SilentAddress() {
    for (const int client : clients_) close(client);
    close(descriptor_);
  }
  SilentAddress(const SilentAddress&) = delete;
  SilentAddress& operator=(const SilentAddress&) = delete;
  std::string port() const { return std::to_string(port_); }
  // Connections since it was asked before.
  int NewConnections() {
    int count = 0;
    for (;; ++count) {
      const int client = accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return count;
      clients_.push_back(client);
    }
  }

 private:
  int descriptor_;
  int port_ = 0;
  std::vector<int> clients_;
};

}  // namespace summa::host
