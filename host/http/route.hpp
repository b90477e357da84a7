// What a route is, as the manifest of its plugin declares it.
#pragma once

#include <string>
#include <vector>

#include "host/config/schema.hpp"
#include "host/http/route_path.hpp"

namespace summa::host {

struct RouteParameter {
  std::string name;
  Schema schema;         // a scalar: type, default, required, bounds, help
  bool in_path = false;  // else in the query
};

struct RouteDeclaration {
  std::string method;  // "GET"; it answers HEAD as well
  std::string path;    // "/v1/accounts/{id}/balance"
  RoutePath parsed;    // the same
  std::string summary;
  std::string body;         // what its JSON body says, for people; empty: it takes none
  bool needs_token = true;  // when there is one, and always when other machines reach the listener
  std::vector<RouteParameter> parameters;  // those of the path first, in their order
};

// "GET /v1/accounts/{id}/balance"
inline std::string RouteName(const RouteDeclaration& route) {
  return route.method + " " + route.path;
}

}  // namespace summa::host
