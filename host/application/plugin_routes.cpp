#include "host/application/plugin_routes.hpp"

#include "host/http/parameters.hpp"

namespace summa::host {
namespace {

HttpResponse Handle(const std::string& plugin, const RouteDeclaration& declared,
                    const PluginSet* plugins, SqlService& sql, Microseconds longest,
                    HttpCall& call) {
  const RouteValues values = ReadParameters(declared, call.values(), call.request().query);
  PluginEndpoint* endpoint = plugins == nullptr ? nullptr : plugins->Endpoint(plugin);
  if (endpoint == nullptr) {
    throw HttpProblem(503, "SH-0378", "plugin \"" + plugin + "\" has not started yet");
  }
  const PluginEndpoint::Running running(*endpoint, RouteName(declared));
  const std::unique_ptr<SqlScope> scope = sql.ForRequest(plugin);
  const HttpCall::Interrupt interrupt(call, [&scope] { scope->CancelRunning(); });
  return endpoint->Handle(declared, values, call, scope->table(), longest);
}

}  // namespace

std::vector<HttpRoute> PluginRoutes(const Plan& plan,
                                    const std::function<const PluginSet*()>& plugins,
                                    SqlService& sql, Microseconds longest) {
  std::vector<HttpRoute> routes;
  for (const PlannedPlugin& planned : plan.order) {
    for (const RouteDeclaration& declared : planned.file->manifest->routes) {
      HttpRoute route;
      route.declared = declared;
      route.plugin = planned.id;
      route.pool = "plugin " + planned.id;  // no path of the host contains a space
      route.revalidates = true;
      route.handler = [id = planned.id, declared, plugins, &sql, longest](HttpCall& call) {
        return Handle(id, declared, plugins(), sql, longest, call);
      };
      routes.push_back(std::move(route));
    }
  }
  return routes;
}

}  // namespace summa::host
