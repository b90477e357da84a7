#include "host/http/http_message.hpp"

#include "summa/json.hpp"

namespace summa::host {

std::string_view HttpRequest::Header(std::string_view name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view{} : std::string_view(found->second);
}

HttpResponse HttpError(int status, std::string_view code, std::string_view message) {
  JsonWriter json;
  json.BeginObject().Key("error").BeginObject();
  json.Member("code", code).Member("message", message);
  json.EndObject().EndObject();
  return {status, json.Take() + "\n"};
}

}  // namespace summa::host
