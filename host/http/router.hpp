// Which route a request is for.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "host/http/http_call.hpp"
#include "host/http/route.hpp"

namespace summa::host {

struct HttpRoute {
  RouteDeclaration declared;
  // May throw: HttpProblem is the answer, anything else becomes 500 without its text, which goes to
  // the log.
  std::function<HttpResponse(HttpCall&)> handler;
  // Routes of one pool share its threads, and no others. Empty: the handler is called where
  // requests are read, and must not wait for anything (/livez).
  std::string pool;
  std::string plugin = {};   // whose route it is; empty: of the host
  bool revalidates = false;  // the same answer comes again: it gets an ETag
};

// A route of the host itself: GET, without parameters.
HttpRoute HostRoute(const std::string& path, const std::string& summary,
                    std::function<HttpResponse(HttpCall&)> handler, const std::string& pool);

class Router {
 public:
  explicit Router(std::vector<HttpRoute> routes);

  struct Found {
    const HttpRoute* route = nullptr;
    std::vector<std::string> values;  // of the parameters in the path
  };
  // `path` as sent, without the query. Throws HttpProblem: 404 for a path, 405 for a method that
  // nobody serves.
  Found Find(const std::string& method, std::string_view path) const;

 private:
  std::vector<HttpRoute> routes_;  // of two that match, the one to ask first stands first
};

}  // namespace summa::host
