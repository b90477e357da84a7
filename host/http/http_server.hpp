// The host's small HTTP endpoint: GET and HEAD of fixed paths. Idle or half-sent connections cost
// other callers nothing, and a handler that hangs never keeps an instant route from answering.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace summa::host {

struct HttpResponse {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
};

struct HttpRoute {
  std::string path;  // "/status"
  // May throw; the caller then gets 500 without the text, which goes to the log.
  std::function<HttpResponse()> handler;
  // Instant handlers run where requests are read and must not wait for anything (/livez). The
  // others run on two threads of their own; when all are busy and the queue is full, the answer is
  // 503.
  bool instant = false;
};

class HttpServer {
 public:
  // listen: "127.0.0.1:9464", port 0 for any free one, "[::1]:9464" or "unix:/path".
  // Throws SH-0330 when it cannot listen there.
  HttpServer(const std::string& listen, std::vector<HttpRoute> routes);
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
