#include <algorithm>
#include <cctype>
#include <summa/json.hpp>

#include "host/cli/verbs.hpp"

namespace summa::host {
namespace {

struct KnownCode {
  CodeDescription description;
  std::string plugin;
};

// "sh-0201", "SH0201" and "0201" are meant as "SH-0201".
std::string Normalised(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (text.size() == 4) text = "SH-" + text;
  if (text.size() == 6 && text.starts_with("SH")) text.insert(2, "-");
  return text;
}

std::vector<KnownCode> KnownCodes(const Discovery& discovery) {
  std::vector<KnownCode> codes;
  for (const CodeDescription& each : HostCodes()) codes.push_back({each, {}});
  for (const Manifest& manifest : Manifests(discovery)) {
    for (const CodeDescription& each : manifest.errors) codes.push_back({each, manifest.id});
  }
  std::stable_sort(codes.begin(), codes.end(), [](const KnownCode& a, const KnownCode& b) {
    return a.description.code < b.description.code;
  });
  return codes;
}

std::string Text(const KnownCode& known) {
  const CodeDescription& each = known.description;
  std::string text = each.code + ": " + each.title + "\n\n" + each.explanation + "\n\n";
  text += "Fix: " + each.fix + "\nExit code: " + std::to_string(each.exit_code) + "\n";
  if (!known.plugin.empty()) text += "Of plugin: " + known.plugin + "\n";
  return text;
}

std::string Json(const KnownCode& known) {
  const CodeDescription& each = known.description;
  JsonWriter json;
  json.BeginObject().Member("id", each.code).Member("title", each.title);
  json.Member("exitCode", each.exit_code).TextOrNull("plugin", known.plugin);
  json.Member("explanation", each.explanation).Member("fix", each.fix).EndObject();
  return json.Take();
}

constexpr std::string_view kAll = "all";

VerbResult ListCodes(const std::vector<KnownCode>& codes) {
  JsonWriter json;
  json.BeginObject().Key("codes").BeginArray();
  for (const KnownCode& each : codes) {
    json.BeginObject().Member("id", each.description.code);
    json.Member("exitCode", each.description.exit_code).TextOrNull("plugin", each.plugin);
    json.Member("title", each.description.title).EndObject();
  }
  json.EndArray().EndObject();
  return {.json = json.Take()};
}

VerbResult ExplainAll(const std::vector<KnownCode>& codes) {
  VerbResult result;
  JsonWriter json;
  json.BeginObject().Key("codes").BeginArray();
  for (const KnownCode& each : codes) {
    json.Raw(Json(each));
    result.text += (result.text.empty() ? "" : "\n") + Text(each);
  }
  json.EndArray().EndObject();
  result.json = json.Take();
  return result;
}

VerbResult Explain(const Invocation& call) {
  const std::vector<KnownCode> codes = KnownCodes(call.installed.plugins());
  const Value* given = call.options.Find("code");
  if (given == nullptr || given->null) return ListCodes(codes);
  if (given->text == kAll) return ExplainAll(codes);
  const std::string code = Normalised(given->text);
  for (const KnownCode& each : codes) {
    if (each.description.code == code) return {.json = Json(each), .text = Text(each)};
  }
  throw Failure("SH-0902", "unknown code \"" + given->text + "\"",
                "`summa-host explain` without a code lists all known codes.");
}

}  // namespace

void AddExplainVerbs(std::vector<Verb>& verbs) {
  Verb verb;
  verb.words = "explain";
  verb.summary = "explain what an error code means and what to do";
  verb.description =
      "Explains the codes of the host and of every installed plugin. Without a code it lists them.";
  VerbOption code = MakeArgument("code", "the code, for example SH-0201; all: every code", "CODE");
  code.declaration.schema.required = false;
  verb.options = {code};
  verb.exit_codes = {{0, "explained"}, {66, "the code is unknown"}};
  verb.example = "summa-host explain SH-0201";
  verb.run = Explain;
  verbs.push_back(std::move(verb));
}

}  // namespace summa::host
