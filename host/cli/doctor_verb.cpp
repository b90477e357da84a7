#include <unistd.h>

#include <algorithm>
#include <summa/json.hpp>

#include "host/application/settings.hpp"
#include "host/application/termination_signal.hpp"
#include "host/cli/verbs.hpp"
#include "host/doctor/doctor.hpp"

namespace summa::host {
namespace {

std::string_view ToText(Severity severity) {
  if (severity == Severity::kOk) return "ok";
  return severity == Severity::kWarning ? "warn" : "error";
}

std::size_t Count(const std::vector<Finding>& findings, Severity severity) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [&](const Finding& each) { return each.severity == severity; }));
}

std::string Json(const std::vector<Finding>& findings) {
  JsonWriter json;
  json.BeginObject().Member("errors", Count(findings, Severity::kError));
  json.Member("warnings", Count(findings, Severity::kWarning)).Key("findings").BeginArray();
  for (const Finding& each : findings) {
    json.BeginObject().Member("check", each.check).Member("severity", ToText(each.severity));
    json.Member("found", each.found).TextOrNull("expected", each.expected);
    json.TextOrNull("fix", each.fix).EndObject();
  }
  return json.EndArray().EndObject().Take();
}

// What the server and others wrote must not drive a terminal.
std::string Printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  return text;
}

std::string Text(const std::vector<Finding>& findings, bool color) {
  std::size_t width = 0;
  for (const Finding& each : findings) width = std::max(width, each.check.size());
  const auto paint = [color](Severity severity) {
    std::string word(ToText(severity));
    word.resize(5, ' ');
    if (!color) return word;
    const char* code = severity == Severity::kOk      ? "32"
                       : severity == Severity::kError ? "31"
                                                      : "33";
    return "\x1b[" + std::string(code) + "m" + word + "\x1b[0m";
  };
  const std::string indent(5 + 2 + width + 2, ' ');
  std::string text;
  for (const Finding& each : findings) {
    std::string check = Printable(each.check);
    check.resize(std::max(width, check.size()), ' ');
    text.append(paint(each.severity)).append("  ").append(check).append("  ");
    text.append(Printable(each.found)).append("\n");
    if (each.severity == Severity::kOk) continue;
    if (!each.expected.empty()) {
      text.append(indent).append("expected: ").append(Printable(each.expected)).append("\n");
    }
    if (!each.fix.empty()) {
      text.append(indent).append("fix: ").append(Printable(each.fix)).append("\n");
    }
  }
  text.append(std::to_string(Count(findings, Severity::kError))).append(" errors, ");
  text.append(std::to_string(Count(findings, Severity::kWarning))).append(" warnings, ");
  return text.append(std::to_string(Count(findings, Severity::kOk))).append(" ok\n");
}

VerbResult Run(const Invocation& call) {
  TerminationSignal& signal = TerminationSignal::Listen();  // before any thread is started
  const Discovery& plugins = call.installed.plugins();
  const LoadedConfiguration loaded = call.Load();
  // What goes wrong here is a finding; a log line would report it twice.
  ConfigureLog(LogLevel::kOff, loaded.settings.log_format);
  DoctorOptions options;
  options.held_longer_than = Microseconds(call.options.Integer("held-longer-than"));
  const Diagnosis diagnosis =
      Diagnose(loaded, plugins, options, [&] { return signal.requested(); });
  VerbResult result{.json = Json(diagnosis.findings)};
  result.text = Text(diagnosis.findings, call.global.color && isatty(STDOUT_FILENO) == 1);
  const std::size_t wrong = diagnosis.findings.size() - Count(diagnosis.findings, Severity::kOk);
  if (wrong > 0) result.exit_code = SUMMA_E_FINDING;
  if (diagnosis.database_down) result.exit_code = SUMMA_E_UNAVAILABLE;
  return result;
}

}  // namespace

void AddDoctorVerbs(std::vector<Verb>& verbs) {
  Verb verb;
  verb.words = "doctor";
  verb.summary = "examine the database, the fleet and what the plugins depend on";
  verb.description =
      "Finds problems that would lose messages or stop or slow down the work: settings of the "
      "server, rights, sequences, held snapshots, leases, indexes, settings of the bus. Changes "
      "nothing; every transaction is read only. Each finding is ok, warn (works, but should be "
      "checked) or error (does not work, or loses something). The exit code is 1 for warnings and "
      "errors: `errors` and `warnings` in --output json tell which.";
  verb.options = {MakeOption("held-longer-than", Schema::Type::kDuration,
                             "report transactions that have been open for longer", "1m",
                             "DURATION")};
  verb.exit_codes = {{0, "nothing is wrong"},
                     {1, "a warning or an error was found"},
                     {69, "the database is down; everything else is reported"},
                     {78, "configuration"}};
  verb.example = "summa-host doctor --output json";
  verb.run = Run;
  verbs.push_back(std::move(verb));
}

}  // namespace summa::host
