// A request over HTTP and its answer, as handlers see them.
#pragma once

#include <exception>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace summa::host {

struct HttpRequest {
  std::string method;  // "GET"; a HEAD comes as a GET
  std::string path;    // as sent: still encoded, without the query
  std::string query;   // as sent, without the '?'
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case
  std::string body;

  std::string_view Header(std::string_view name) const;  // empty: there is none
};

struct HttpResponse {
  int status = 200;
  std::string body = {};
  std::string content_type = "application/json";
  std::string etag = {};  // of the handler, as in the header; empty: it has none
  std::vector<std::pair<std::string, std::string>> headers = {};
};

// {"error":{"code","message"}}; the code stands in errors/*.yaml or in a plugin's manifest.
HttpResponse HttpError(int status, std::string_view code, std::string_view message);

// Thrown by handlers: the answer is this one. Nothing is logged.
class HttpProblem : public std::exception {
 public:
  HttpProblem(int status, std::string_view code, std::string_view message)
      : response(HttpError(status, code, message)) {}
  const char* what() const noexcept override { return response.body.c_str(); }

  HttpResponse response;
};

}  // namespace summa::host
