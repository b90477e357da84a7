// Requests and answers of HTTP as the parts of messages. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/http/http_message.hpp"

namespace summa::host {

// Without what only the host has to know: who asks (authorization), and what the answer may be
// compressed with, which the host does.
std::vector<std::string> ToParts(const HttpRequest& request);
std::optional<HttpRequest> RequestOf(const std::vector<std::string>& parts);

std::vector<std::string> ToParts(const HttpResponse& response);
std::optional<HttpResponse> ResponseOf(const std::vector<std::string>& parts);

}  // namespace summa::host
