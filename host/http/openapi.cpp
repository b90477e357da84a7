#include "host/http/openapi.hpp"

#include <algorithm>
#include <map>
#include <summa/json.hpp>

namespace summa::host {
namespace {

using RoutesByPath = std::map<std::string, std::vector<const HttpRoute*>>;

void Bounds(JsonWriter& json, const Schema& schema, const char* low, const char* high) {
  if (schema.min_text) json.Key(low).Raw(*schema.min_text);
  if (schema.max_text) json.Key(high).Raw(*schema.max_text);
}

void Text(JsonWriter& json, const std::string& pattern) {
  json.Member("type", "string");
  if (!pattern.empty()) json.Member("pattern", "^(?:" + pattern + ")$");
}

void TypeOf(JsonWriter& json, const Schema& schema) {
  switch (schema.type) {
    case Schema::Type::kInteger:
      json.Member("type", "integer");
      return Bounds(json, schema, "minimum", "maximum");
    case Schema::Type::kNumber:
      json.Member("type", "number");
      return Bounds(json, schema, "minimum", "maximum");
    case Schema::Type::kBoolean:
      json.Member("type", "boolean");
      return;
    case Schema::Type::kDuration:
      return Text(json, "[0-9]+(\\.[0-9]+)?[ \\t]*(ms|s|m|h|d)");
    case Schema::Type::kSize:
      return Text(json, "[0-9]+[ \\t]*([kKMGT]?B|[KMGT]iB)");
    case Schema::Type::kEnum:
      json.Key("enum").BeginArray();
      for (const std::string& value : schema.values) json.Value(value);
      json.EndArray();
      return;
    default:
      Text(json, schema.pattern);
      Bounds(json, schema, "minLength", "maxLength");
  }
}

void Default(JsonWriter& json, const Schema& schema) {
  if (!schema.default_text) return;
  const bool bare = schema.type == Schema::Type::kInteger || schema.type == Schema::Type::kNumber ||
                    schema.type == Schema::Type::kBoolean;
  json.Key("default");
  if (bare) {
    json.Raw(*schema.default_text);
  } else {
    json.Value(*schema.default_text);
  }
}

void Parameter(JsonWriter& json, const RouteParameter& parameter) {
  json.BeginObject().Member("name", parameter.name);
  json.Member("in", parameter.in_path ? "path" : "query");
  json.Member("required", parameter.in_path || parameter.schema.required);
  if (!parameter.schema.help.empty()) json.Member("description", parameter.schema.help);
  json.Key("schema").BeginObject();
  TypeOf(json, parameter.schema);
  Default(json, parameter.schema);
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
    json.Key("content").BeginObject().Key("application/json").BeginObject().EndObject();
    json.EndObject().EndObject();
  }
  if (declared.needs_token) {
    json.Key("security").BeginArray().BeginObject().Key("token").BeginArray().EndArray();
    json.EndObject().EndArray();
  }
  json.Key("responses").BeginObject();
  Response(json, "200", "The request succeeded.", "");
  if (!route.plugin.empty()) {
    Response(json, "default", "The request failed.", "#/components/schemas/Error");
  }
  json.EndObject().EndObject();
}

void Components(JsonWriter& json) {
  const auto text = [&](const char* name) {
    json.Key(name).BeginObject().Member("type", "string").EndObject();
  };
  json.Key("components").BeginObject();
  json.Key("securitySchemes").BeginObject().Key("token").BeginObject();
  json.Member("type", "http").Member("scheme", "bearer").EndObject().EndObject();
  json.Key("schemas").BeginObject().Key("Error").BeginObject().Member("type", "object");
  json.Key("required").BeginArray().Value("error").EndArray();
  json.Key("properties").BeginObject().Key("error").BeginObject().Member("type", "object");
  json.Key("required").BeginArray().Value("code").Value("message").EndArray();
  json.Key("properties").BeginObject();
  text("code");
  text("message");
  json.EndObject().EndObject().EndObject().EndObject().EndObject().EndObject();
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
  Components(json);
  return json.EndObject().Take();
}

}  // namespace summa::host
