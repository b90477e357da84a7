// The description of all routes, in the form that tools read (OpenAPI 3.1).
#pragma once

#include <string>
#include <vector>

#include "host/http/router.hpp"

namespace summa::host {

// One JSON object. version: of the host.
std::string OpenApiJson(const std::string& version, const std::vector<HttpRoute>& routes);

}  // namespace summa::host
