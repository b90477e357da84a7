#include "host/http/router.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "host/config/text.hpp"

namespace summa::host {
namespace {

[[noreturn]] void RefuseMethod(const std::set<std::string>& methods) {
  const std::string allowed = Join({methods.begin(), methods.end()});
  HttpProblem problem(405, "SH-0371", "this path accepts only " + allowed);
  problem.response.headers.emplace_back("Allow", allowed);
  throw problem;
}

}  // namespace

HttpRoute HostRoute(const std::string& path, const std::string& summary,
                    std::function<HttpResponse(HttpCall&)> handler, const std::string& pool) {
  HttpRoute route;
  route.declared.method = "GET";
  route.declared.path = path;
  const std::optional<RoutePath> parsed = RoutePath::Parse(path);
  if (!parsed) throw std::logic_error(path + " is not a valid path of a route");
  route.declared.parsed = *parsed;
  route.declared.summary = summary;
  route.declared.needs_token = false;
  route.handler = std::move(handler);
  route.pool = pool;
  return route;
}

Router::Router(std::vector<HttpRoute> routes) : routes_(std::move(routes)) {
  std::stable_sort(routes_.begin(), routes_.end(), [](const HttpRoute& a, const HttpRoute& b) {
    return a.declared.parsed.IsAskedBefore(b.declared.parsed);
  });
}

Router::Found Router::Find(const std::string& method, std::string_view path) const {
  std::set<std::string> allowed;
  for (const HttpRoute& route : routes_) {
    std::optional<std::vector<std::string>> values = route.declared.parsed.Match(path);
    if (!values) continue;
    const std::string& served = route.declared.method;
    if (served == method || (served == "GET" && method == "HEAD")) {
      return {&route, *std::move(values)};
    }
    allowed.insert(served);
    if (served == "GET") allowed.insert("HEAD");
  }
  if (!allowed.empty()) RefuseMethod(allowed);
  throw HttpProblem(404, "SH-0370", "no such path");
}

}  // namespace summa::host
