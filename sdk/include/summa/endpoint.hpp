// Paths that the host serves over HTTP for a plugin. The contract: abi/endpoint.h.
#pragma once

#include <summa/abi/endpoint.h>
#include <summa/config.hpp>
#include <summa/error.hpp>

#include <charconv>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace summa {

// One request; valid while the function runs. [any]
class Request {
 public:
  explicit Request(const summa_request* request) : request_(request) {}
  // Sessions of this request: closed after it, cancelled when its time limit has passed.
  const summa_sql_v1* sql() const { return request_->sql; }
  std::string_view body() const { return FromAbi(request_->body); }
  std::optional<std::string> Parameter(std::string_view name) const {
    summa_str value{};
    if (request_->parameter(request_, ToAbi(name), &value) == 0) return std::nullopt;
    return std::string(FromAbi(value));
  }
  std::optional<std::int64_t> IntegerParameter(
      std::string_view name) const {  // also durations (us), sizes
    const auto text = Parameter(name);
    if (!text) return std::nullopt;
    std::int64_t value = 0;
    std::from_chars(text->data(), text->data() + text->size(), value);
    return value;
  }
  std::optional<double> NumberParameter(std::string_view name) const {
    const auto text = Parameter(name);
    return text ? detail::ToNumber(*text) : std::nullopt;
  }
  bool Flag(std::string_view name) const { return Parameter(name) == "true"; }
  // name in lower case.
  std::optional<std::string> Header(std::string_view name) const {
    summa_str value{};
    if (request_->header(request_, ToAbi(name), &value) == 0) return std::nullopt;
    return std::string(FromAbi(value));
  }
  bool ShouldStop() const { return request_->should_stop(request_) != 0; }

 private:
  const summa_request* request_;
};

struct Response {
  std::string body = "{}";
  int status = 200;
  std::string content_type = "application/json";
  std::string etag = {};  // including its quotes; empty: the host computes one
};

using RouteFunction = std::function<Response(const Request&)>;

}  // namespace summa
