// plugins verify: whether a plugin keeps the contract.
#include <algorithm>
#include <summa/json.hpp>

#include "host/application/verify_plugin.hpp"
#include "host/cli/verbs.hpp"

namespace summa::host {
namespace {

using conformance::Outcome;
using conformance::Result;

std::size_t Count(const std::vector<Result>& results, Outcome outcome) {
  return static_cast<std::size_t>(
      std::count_if(results.begin(), results.end(),
                    [outcome](const Result& result) { return result.outcome == outcome; }));
}

std::string Verdict(const std::vector<Result>& results) {
  if (Count(results, Outcome::kFailed) > 0) return "failed";
  return Count(results, Outcome::kUnable) > 0 ? "incomplete" : "passed";
}

std::string JsonOf(const Verification& verification, const std::string& verdict) {
  JsonWriter json;
  json.BeginObject().Member("id", verification.file.Id());
  json.TextOrNull("version", verification.file.manifest ? verification.file.manifest->version : "");
  json.Member("path", verification.file.path).Member("verdict", verdict);
  json.Key("checks").BeginArray();
  for (const Result& result : verification.results) {
    json.BeginObject().Member("check", result.check);
    json.Member("outcome", ToText(result.outcome)).TextOrNull("found", result.found);
    json.TextOrNull("expected", result.expected).EndObject();
  }
  return json.EndArray().EndObject().Take();
}

std::string Padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size() + 2), ' ');
  return text;
}

// "lease        failed   the worker ...", and below it what was expected.
std::string TextOf(const Verification& verification, const std::string& verdict) {
  constexpr std::size_t kCheckWidth = 13, kOutcomeWidth = 9;
  const PluginFile& file = verification.file;
  const std::string version = file.manifest ? " " + file.manifest->version : "";
  std::string text = "plugin " + file.Id() + version + ", " + file.path + "\n";
  for (const Result& result : verification.results) {
    const bool quiet = result.outcome == Outcome::kPassed;
    text += "  " + Padded(result.check, kCheckWidth);
    text += quiet ? "passed" : Padded(std::string(ToText(result.outcome)), kOutcomeWidth);
    text += result.found + "\n";
    if (result.expected.empty()) continue;
    text +=
        std::string(2 + kCheckWidth + kOutcomeWidth, ' ') + "expected: " + result.expected + "\n";
  }
  return text + "verdict: " + verdict + "\n";
}

VerbResult Verify(const Invocation& call) {
  VerifySettings settings;
  settings.file = call.options.String("file");
  settings.config = call.global.config;
  settings.plugin_dirs = call.global.plugin_dirs;
  settings.deadline = Microseconds(call.options.Integer("deadline"));
  const Verification verification = VerifyPlugin(settings);
  const std::string verdict = Verdict(verification.results);
  VerbResult result{.json = JsonOf(verification, verdict)};
  result.text = TextOf(verification, verdict);
  const std::string plugin = "plugin \"" + verification.file.Id() + "\"";
  const std::size_t findings = Count(verification.results, Outcome::kFailed);
  if (verdict == "failed") {
    result.errors.push_back({"SH-0171",
                             plugin + " does not keep the contract: " + std::to_string(findings) +
                                 (findings == 1 ? " finding" : " findings"),
                             "Correct what was found; docs/write-a-plugin.md describes the checks",
                             settings.file});
  } else if (verdict == "incomplete") {
    result.errors.push_back({"SH-0172",
                             plugin + " could not be verified completely: what it needs is missing",
                             "Make it available, or name a configuration with -c", settings.file});
  }
  return result;
}

}  // namespace

void AddVerifyPluginVerb(std::vector<Verb>& verbs) {
  Verb verb;
  verb.words = "plugins verify";
  verb.summary = "call a plugin in every way a host may, and say what is wrong";
  verb.description =
      "Checks whether a plugin keeps the contract of the ABI: its file, its exported symbols, the "
      "services that it requires, its manifest against its code, its life in every order that a "
      "host may use, what it does when it is told to stop and when its lease is lost, what it "
      "leaves behind, and structs of later and earlier hosts. Each check runs in a process of its "
      "own, with a database that answers without rows and a bus in memory. The code of the plugin "
      "runs: what it opens by itself is opened. With -c, the plugin gets its part of that "
      "configuration, otherwise the defaults of its manifest.";
  verb.options = {
      MakeArgument("file", "the plugin, a .so file", "FILE"),
      MakeOption("deadline", Schema::Type::kDuration,
                 "how long one call, or what it does when told to stop, may take", "30s")};
  verb.exit_codes = {{0, "nothing was found"},
                     {1, "the plugin does not keep the contract"},
                     {66, "no such file"},
                     {69, "nothing was found, but what the plugin needs is missing"},
                     {78, "the configuration of the plugin is not complete"}};
  verb.example = "summa-host plugins verify build/invoice-export.so";
  verb.run = Verify;
  verbs.push_back(std::move(verb));
}

}  // namespace summa::host
