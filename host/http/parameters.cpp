#include "host/http/parameters.hpp"

#include <algorithm>

#include "host/config/scalar.hpp"
#include "host/config/text.hpp"
#include "host/find.hpp"
#include "host/http/http_message.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kLongestShown = 100;

std::string Shown(const std::string& text) {
  return text.size() > kLongestShown ? "a long text" : "\"" + text + "\"";
}

[[noreturn]] void Refuse(const std::string& message) { throw HttpProblem(400, "SH-0372", message); }

using Given = std::map<std::string, std::string, std::less<>>;

void Take(Given& given, const RouteDeclaration& route, std::string_view part) {
  const std::size_t equals = std::min(part.find('='), part.size());
  const auto name = DecodeUrl(part.substr(0, equals), true);
  const auto value = DecodeUrl(part.substr(std::min(equals + 1, part.size())), true);
  if (!name || !value) Refuse("the query is not URL-encoded");
  std::vector<std::string> known;
  for (const RouteParameter& parameter : route.parameters) {
    if (!parameter.in_path) known.push_back(parameter.name);
  }
  if (!Contains(known, *name)) {
    const auto near = Suggest(*name, known);
    Refuse("unknown parameter " + Shown(*name) +
           (near ? "; did you mean \"" + *near + "\"?" : std::string()));
  }
  if (!given.emplace(*name, *value).second) Refuse("\"" + *name + "\" is given twice");
}

Given ReadQuery(const RouteDeclaration& route, std::string_view query) {
  Given given;
  for (const std::string_view part : Split(query, '&')) {
    if (!part.empty()) Take(given, route, part);
  }
  return given;
}

std::string Normalised(const RouteParameter& parameter, const std::string& text) {
  std::string value;
  const auto problem = ConvertScalar(parameter.schema, text, Shown(text), value);
  if (problem) Refuse("\"" + parameter.name + "\": " + problem->problem + ". " + problem->fix);
  return value;
}

}  // namespace

RouteValues ReadParameters(const RouteDeclaration& route,
                           const std::vector<std::string>& path_values, std::string_view query) {
  Given given = ReadQuery(route, query);
  const std::vector<std::string>& names = route.parsed.names();
  for (std::size_t i = 0; i < names.size() && i < path_values.size(); ++i) {
    given[names[i]] = path_values[i];
  }
  RouteValues values;
  for (const RouteParameter& parameter : route.parameters) {
    const auto found = given.find(parameter.name);
    if (found != given.end() && !(found->second.empty() && parameter.schema.nullable)) {
      values[parameter.name] = Normalised(parameter, found->second);
    } else if (parameter.schema.default_text) {
      values[parameter.name] = Normalised(parameter, *parameter.schema.default_text);
    } else if (parameter.schema.required) {
      Refuse("\"" + parameter.name + "\" is missing");
    }
  }
  return values;
}

}  // namespace summa::host
