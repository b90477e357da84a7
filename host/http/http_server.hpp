// The host's HTTP server. Idle, half-sent and slow connections cost other callers nothing, and a
// handler that hangs takes threads of its own pool only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/http/access.hpp"
#include "host/http/http_limits.hpp"
#include "host/http/router.hpp"

namespace summa::host {

class HttpServer {
 public:
  // listen: "127.0.0.1:9464", port 0 for any free one, "[::1]:9464" or "unix:/path".
  // access: for routes that need a token; outlives this. nullptr: whoever asks is answered.
  // Throws SH-0330 when it cannot listen there.
  HttpServer(const std::string& listen, std::vector<HttpRoute> routes,
             const HttpLimits& limits = {}, const HttpAccess* access = nullptr);
  ~HttpServer();  // Stop()

  // The address with the real port, as a client needs it.
  const std::string& address() const;
  int port() const;  // 0 for a unix socket

  // Takes no new connections, lets requests under way finish (at most about a second), stops.
  // A handler that hangs is abandoned: what it refers to must outlive it.
  void Stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace summa::host
