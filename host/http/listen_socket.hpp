// A listening socket of our own, so that "any free port" and unix sockets work. Owns the descriptor
// and the file of a unix socket. One thread.
#pragma once

#include <string>

namespace summa::host {

class ListenSocket {
 public:
  // listen: "127.0.0.1:9464", "[::1]:0" (port 0: any free one) or "unix:/path". Throws SH-0330.
  explicit ListenSocket(const std::string& listen);
  ListenSocket(const ListenSocket&) = delete;
  ListenSocket& operator=(const ListenSocket&) = delete;
  ~ListenSocket();

  int descriptor() const { return descriptor_; }
  // What to connect to: "127.0.0.1:41233" or "unix:/path".
  const std::string& address() const { return address_; }
  int port() const { return port_; }  // 0 for a unix socket

 private:
  void ListenOnPath(const std::string& listen);
  void ListenOnPort(const std::string& listen);
  int descriptor_ = -1;
  int port_ = 0;
  std::string address_;
  std::string path_;
};

}  // namespace summa::host
