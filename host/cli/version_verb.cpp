#include <summa/abi/plugin.h>

#include <summa/json.hpp>

#include "host/cli/verbs.hpp"
#include "host/config/text.hpp"

namespace summa::host {
namespace {

// Name and version in turn, made by the build: no header of these libraries is needed here.
constexpr std::string_view kLibraries = SUMMA_LIBRARIES;  // "libpq 15.3,hiredis 0.14.1,..."

void WriteLibraries(JsonWriter& json) {
  json.Key("libraries").BeginArray();
  for (const std::string_view one : Split(kLibraries, ',')) {
    const std::size_t space = one.find(' ');
    json.BeginObject().Member("name", one.substr(0, space));
    json.TextOrNull("version", space == std::string_view::npos ? "" : one.substr(space + 1));
    json.EndObject();
  }
  json.EndArray();
}

VerbResult Version(const Invocation& call) {
  JsonWriter json;
  const std::string abi = std::to_string(SUMMA_ABI_MAJOR) + "." + std::to_string(SUMMA_ABI_MINOR);
  json.BeginObject().Member("version", SUMMA_VERSION).Member("abi", abi);
  VerbResult result;
  if (!call.options.Boolean("verbose")) {
    result.text = "summa-host " SUMMA_VERSION " (plugin ABI " + abi + ")";
  } else {
#ifdef __clang__
    json.Member("compiler", "clang " __clang_version__);
#else
    json.Member("compiler", "gcc " __VERSION__);
#endif
    WriteLibraries(json);
    json.Key("plugins").BeginArray();
    for (const PluginFile& file : call.installed.plugins().files) {
      json.BeginObject().Member("id", file.Id());
      json.TextOrNull("version", file.manifest ? file.manifest->version : "");
      json.Member("path", file.path).EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  result.json = json.Take();
  return result;
}

}  // namespace

void AddVersionVerbs(std::vector<Verb>& verbs) {
  Verb verb;
  verb.words = "version";
  verb.summary = "show the version";
  verb.options = {MakeFlag("verbose", "also show the compiler, the libraries and the plugins")};
  verb.exit_codes = {{0, "printed"}};
  verb.example = "summa-host version --verbose";
  verb.run = Version;
  verbs.push_back(std::move(verb));
}

}  // namespace summa::host
