#include "host/process/http_form.hpp"

#include <charconv>
#include <system_error>

namespace summa::host {
namespace {

constexpr std::size_t kPartsOfRequest = 4;   // before the headers
constexpr std::size_t kPartsOfResponse = 4;  // likewise

bool StaysInHost(std::string_view header) {
  return header == "authorization" || header == "accept-encoding";
}

}  // namespace

std::vector<std::string> ToParts(const HttpRequest& request) {
  std::vector<std::string> parts = {request.method, request.path, request.query, request.body};
  for (const auto& [name, value] : request.headers) {
    if (StaysInHost(name)) continue;
    parts.push_back(name);
    parts.push_back(value);
  }
  return parts;
}

std::optional<HttpRequest> RequestOf(const std::vector<std::string>& parts) {
  if (parts.size() < kPartsOfRequest || parts.size() % 2 != 0) return std::nullopt;
  HttpRequest request{parts[0], parts[1], parts[2], {}, parts[3]};
  for (std::size_t i = kPartsOfRequest; i < parts.size(); i += 2) {
    request.headers.emplace(parts[i], parts[i + 1]);
  }
  return request;
}

std::vector<std::string> ToParts(const HttpResponse& response) {
  std::vector<std::string> parts = {std::to_string(response.status), response.content_type,
                                    response.etag, response.body};
  for (const auto& [name, value] : response.headers) {
    if (name == "Vary") continue;  // of the compression, which the host does
    parts.push_back(name);
    parts.push_back(value);
  }
  return parts;
}

std::optional<HttpResponse> ResponseOf(const std::vector<std::string>& parts) {
  if (parts.size() < kPartsOfResponse || parts.size() % 2 != 0) return std::nullopt;
  HttpResponse response;
  const char* end = parts[0].data() + parts[0].size();
  const auto read = std::from_chars(parts[0].data(), end, response.status);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  if (response.status < 200 || response.status > 599) return std::nullopt;
  response.content_type = parts[1];
  response.etag = parts[2];
  response.body = parts[3];
  for (std::size_t i = kPartsOfResponse; i < parts.size(); i += 2) {
    response.headers.emplace_back(parts[i], parts[i + 1]);
  }
  return response;
}

}  // namespace summa::host
