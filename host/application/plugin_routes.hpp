// The routes of plugins, as the HTTP server serves them.
#pragma once

#include <functional>
#include <vector>

#include "host/abi/sql_service.hpp"
#include "host/application/plugin_set.hpp"
#include "host/clock.hpp"
#include "host/http/router.hpp"

namespace summa::host {

// Those that the manifests of the plan declare. plugins: the set once it is there, else nullptr;
// until then the answer is 503. It and `sql` outlive every call that does not return. longest: as
// long as a request may take.
std::vector<HttpRoute> PluginRoutes(const Plan& plan,
                                    const std::function<const PluginSet*()>& plugins,
                                    SqlService& sql, Microseconds longest);

}  // namespace summa::host
