// The parameters of a request, checked against the declaration of its route. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "host/http/route.hpp"

namespace summa::host {

// By name; normalised as in a configuration (durations in microseconds, true/false), with defaults.
using RouteValues = std::map<std::string, std::string, std::less<>>;

// path_values: of the parameters in the path. query: as sent. Throws HttpProblem (400) for one that
// is missing, unknown, given twice or not of its form.
RouteValues ReadParameters(const RouteDeclaration& route,
                           const std::vector<std::string>& path_values, std::string_view query);

}  // namespace summa::host
