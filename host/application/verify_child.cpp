#include "host/application/verify_child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "host/abi/foreign_text.hpp"
#include "host/abi/host_table.hpp"
#include "host/config/text.hpp"
#include "host/observe/log.hpp"
#include "host/plugin/config_view.hpp"
#include "host/plugin/instance.hpp"
#include "host/plugin/loader.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

using conformance::Outcome;

constexpr char kSeparator = '\x1f';
constexpr char kKinds[] = {'c', 'r', 'l', 's', 'e'};
constexpr std::size_t kMaxText = 2000;

void WriteAll(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(kVerifyRecords, text.data(), text.size());
    if (count <= 0) return;  // nobody reads any more
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

void WriteRecord(VerifyRecord::Kind kind, std::vector<std::string> texts) {
  static Mutex& mutex = *new Mutex;  // a call that is left behind may still report
  const MutexLock lock(mutex);
  WriteAll(ToLine({kind, std::move(texts)}));
}

// Says what was lent where the plugin has touched it, and lets the process end by the signal.
void OnFault(int number, siginfo_t* info, void*) {
  const char* what = conformance::LentAt(info->si_addr);
  if (what != nullptr) {
    const char head[] = {kKinds[static_cast<int>(VerifyRecord::Kind::kLent)], kSeparator};
    WriteAll({head, sizeof head});
    WriteAll(what);
    WriteAll("\n");
  }
  std::signal(number, SIG_DFL);
}

void NameFaults() {
  struct sigaction action {};
  action.sa_sigaction = &OnFault;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
}

class Reporter final : public conformance::Observer {
 public:
  void Begins(std::string_view call) override {
    WriteRecord(VerifyRecord::Kind::kCall, {std::string(call)});
  }
  void Finds(const conformance::Result& result) override {
    WriteRecord(VerifyRecord::Kind::kResult,
                {result.check, std::string(ToText(result.outcome)), result.found, result.expected});
  }
};

// What a plugin needs from elsewhere is no defect of it.
Outcome OutcomeOf(const Error& error) {
  const bool of_host = error.code.starts_with("SH-01") && error.code != "SH-0126";
  return of_host || ExitCode(error) == SUMMA_E_INTERNAL ? Outcome::kFailed : Outcome::kUnable;
}

// As a host does it, up to configure().
void Load(const PluginFile& file, const Value& config, const VerifySettings& settings,
          Reporter& reporter) {
  const std::string check(kLoadCheck);
  HostTableSettings table_settings;
  table_settings.version = SUMMA_VERSION;
  table_settings.instance = "summa-host/verify/1/1";
  table_settings.resolver = [](std::string_view, std::string_view, std::string_view) {
    return std::vector<FoundService>();
  };
  const HostTable table(file.Id(), table_settings, file.manifest->metrics,
                        file.manifest->operations);
  const ConfigView view(config);
  CallLimits limits;
  limits.start = settings.deadline;
  limits.end = [deadline = settings.deadline] { return deadline; };
  try {
    PluginInstance plugin(file, limits);
    reporter.Begins("the loading of its file");
    plugin.Load();
    reporter.Begins("create()");
    plugin.Create(table.table());
    reporter.Begins("configure()");
    plugin.Configure(view.abi());
    reporter.Begins("destroy()");
    plugin.Destroy();
    if (const std::optional<Error> error = plugin.error()) throw Failure(*error);
    reporter.Finds({check, Outcome::kPassed, "", ""});
  } catch (const Failure& failure) {
    const Error& error = failure.error();
    reporter.Finds({check, OutcomeOf(error), error.code + " " + error.message, error.hint});
  }
}

int Verify(std::string_view check, const VerifySettings& settings) {
  const PluginFile file = InspectPlugin(settings.file, CurrentTrust());
  if (!file.refusals.empty()) throw Failure(file.refusals.front());
  const Value config = ConfigurationOf(*file.manifest, settings);
  Reporter reporter;
  NameFaults();
  if (check == kLoadCheck) {
    Load(file, config, settings, reporter);
    WriteRecord(VerifyRecord::Kind::kEnd, {});
    _exit(SUMMA_OK);  // a call may be left behind
  }
  const ConfigView view(config);
  conformance::Subject subject;
  subject.declared = DeclaredBy(*file.manifest);
  subject.config = view.abi();
  subject.before = conformance::LookAround();
  subject.deadline = settings.deadline;
  reporter.Begins("the loading of its file");
  subject.entry = &LoadPlugin(file);
  const bool returned = conformance::RunCheck(check, subject, reporter);
  WriteRecord(returned ? VerifyRecord::Kind::kEnd : VerifyRecord::Kind::kStuck, {});
  _exit(SUMMA_OK);
}

}  // namespace

std::string ToLine(const VerifyRecord& record) {
  std::string line(1, kKinds[static_cast<int>(record.kind)]);
  for (const std::string& text : record.texts) line += kSeparator + CleanLine(text, kMaxText);
  return line + "\n";
}

VerifyRecord ReadRecord(std::string_view line) {
  VerifyRecord record;
  const std::vector<std::string_view> parts = Split(line, kSeparator);
  if (parts.empty() || parts.front().size() != 1) return record;
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    if (kKinds[i] == parts.front()[0]) record.kind = static_cast<VerifyRecord::Kind>(i);
  }
  for (std::size_t i = 1; i < parts.size(); ++i) record.texts.emplace_back(parts[i]);
  return record;
}

std::vector<std::string> VerifyArguments(std::string_view check, const VerifySettings& settings) {
  std::vector<std::string> arguments = {kVerifyPlugin, std::string(check), settings.file,
                                        settings.config, std::to_string(settings.deadline.count())};
  arguments.insert(arguments.end(), settings.plugin_dirs.begin(), settings.plugin_dirs.end());
  return arguments;
}

int VerifyInChild(const std::vector<std::string>& arguments) {
  constexpr std::size_t kFixed = 5;
  if (arguments.size() < kFixed || fcntl(kVerifyRecords, F_SETFD, FD_CLOEXEC) != 0) {
    return SUMMA_E_USAGE;
  }
  // Nobody ends it, or reads what it finds, when the verb was ended by Ctrl-C.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ConfigureLog(LogLevel::kOff, LogFormat::kText);
  VerifySettings settings;
  settings.file = arguments[2];
  settings.config = arguments[3];
  settings.deadline = Microseconds(std::atoll(arguments[4].c_str()));
  settings.plugin_dirs.assign(arguments.begin() + kFixed, arguments.end());
  const std::string& check = arguments[1];
  try {
    return Verify(check, settings);
  } catch (const Failure& failure) {
    WriteRecord(VerifyRecord::Kind::kResult,
                {check, std::string(ToText(Outcome::kFailed)),
                 failure.error().code + " " + failure.error().message, failure.error().hint});
  } catch (const std::exception& error) {
    WriteRecord(VerifyRecord::Kind::kResult,
                {check, std::string(ToText(Outcome::kFailed)), error.what(), ""});
  }
  WriteRecord(VerifyRecord::Kind::kEnd, {});
  return SUMMA_OK;
}

}  // namespace summa::host
