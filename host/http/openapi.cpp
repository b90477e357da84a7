#include "host/http/openapi.hpp"

#include <algorithm>
#include <map>
#include <summa/json.hpp>

namespace summa::host {
namespace {

constexpr std::string_view kComponents =
    R"({"securitySchemes":{"token":{"type":"http","scheme":"bearer"}},"schemas":{"Error":)"
    R"({"type":"object","required":["error"],"properties":{"error":)"
    R"({"type":"object","required":["code","message"],"properties":)"
    R"({"code":{"type":"string"},"message":{"type":"string"}}}}}}})";

using RoutesByPath = std::map<std::string, std::vector<const HttpRoute*>>;

void Parameter(JsonWriter& json, const RouteParameter& parameter) {
  json.BeginObject().Member("name", parameter.name);
  json.Member("in", parameter.in_path ? "path" : "query");
  json.Member("required", parameter.in_path || parameter.schema.required);
  if (!parameter.schema.help.empty()) json.Member("description", parameter.schema.help);
  json.Key("schema").BeginObject();
  WriteScalarSchema(json, parameter.schema);
  json.EndObject().EndObject();
}

// An answer with the schema of its body; empty: of any form.
void Response(JsonWriter& json, const char* status, const char* description,
              std::string_view schema) {
  json.Key(status).BeginObject().Member("description", description);
  if (!schema.empty()) {
    json.Key("content").BeginObject().Key("application/json").BeginObject();
    json.Key("schema").BeginObject().Member("$ref", schema).EndObject();
    json.EndObject().EndObject();
  }
  json.EndObject();
}

void Operation(JsonWriter& json, const HttpRoute& route) {
  const RouteDeclaration& declared = route.declared;
  std::string key = declared.method;
  std::transform(key.begin(), key.end(), key.begin(),
                 [](char c) { return static_cast<char>(c + ('a' - 'A')); });
  json.Key(key).BeginObject().Member("summary", declared.summary);
  json.Key("tags").BeginArray().Value(route.plugin.empty() ? "summa-host" : route.plugin);
  json.EndArray();
  if (!declared.parameters.empty()) {
    json.Key("parameters").BeginArray();
    for (const RouteParameter& parameter : declared.parameters) Parameter(json, parameter);
    json.EndArray();
  }
  if (!declared.body.empty()) {
    json.Key("requestBody").BeginObject().Member("description", declared.body);
    json.Key("content").Raw(R"({"application/json":{}})").EndObject();
  }
  if (declared.needs_token) json.Key("security").Raw(R"([{"token":[]}])");
  json.Key("responses").BeginObject();
  Response(json, "200", "The request succeeded.", "");
  if (!route.plugin.empty()) {
    Response(json, "default", "The request failed.", "#/components/schemas/Error");
  }
  json.EndObject().EndObject();
}

}  // namespace

std::string OpenApiJson(const std::string& version, const std::vector<HttpRoute>& routes) {
  RoutesByPath by_path;
  for (const HttpRoute& route : routes) by_path[route.declared.path].push_back(&route);
  JsonWriter json;
  json.BeginObject().Member("openapi", "3.1.0");
  json.Key("info").BeginObject().Member("title", "summa-host").Member("version", version);
  json.EndObject();
  json.Key("paths").BeginObject();
  for (const auto& [path, of_path] : by_path) {
    json.Key(path).BeginObject();
    for (const HttpRoute* route : of_path) Operation(json, *route);
    json.EndObject();
  }
  json.EndObject();
  return json.Key("components").Raw(kComponents).EndObject().Take();
}

}  // namespace summa::host
