#include "host/application/plugin_child.hpp"

#include <unistd.h>

#include <exception>
#include <memory>
#include <optional>

#include "host/application/plugin_processes.hpp"
#include "host/application/run.hpp"
#include "host/observe/log.hpp"
#include "host/plugin/call_thread.hpp"
#include "host/process/process_endpoint.hpp"
#include "host/process/spawn.hpp"

namespace summa::host {
namespace {

Error Unexpected(const std::string& what) {
  return {"SH-0901", "unexpected: " + what,
          "Report it with the output of `summa-host version --verbose`.", ""};
}

// What it runs, until it has ended.
VerbResult Run(const ProcessSetUp& set_up, ProcessEndpoint& host, TerminationSignal& signal) {
  const Discovery discovery =
      DiscoverPlugins(PluginDirectories(set_up.directories), CurrentTrust());
  LoadedConfiguration loaded = ReadConfiguration(set_up.file, discovery, &set_up.text);
  // People who look at the sessions of the database see whose they are.
  loaded.settings.ledger.application_name += "/" + set_up.plugin;
  if (loaded.settings.read) loaded.settings.read->application_name += "/" + set_up.plugin;
  RunOptions options;
  options.only = set_up.only;
  options.role = ProcessRole{set_up.plugin, &host};
  return RunHost(loaded, discovery, options, signal);
}

VerbResult RunOrFail(const ProcessSetUp& set_up, ProcessEndpoint& host, TerminationSignal& signal) {
  VerbResult result;
  try {
    return Run(set_up, host, signal);
  } catch (const Failures& failures) {
    result.errors = failures.all();
  } catch (const Failure& failure) {
    result.errors = {failure.error()};
  } catch (const std::exception& error) {
    result.errors = {Unexpected(error.what())};
  }
  for (const Error& error : result.errors) LogError(LogLevel::kError, error);
  return result;
}

int Serve(const std::string& plugin) {
  // Both before any thread is started.
  NameLogProcess(plugin);
  TerminationSignal& signal = TerminationSignal::Listen(TerminationSignal::Hangup::kReloads);
  StopWaitingForReaders();
  // It outlives calls of the plugin that do not return.
  const std::unique_ptr<ProcessEndpoint, UnlessCallsAreLeft> host(
      new ProcessEndpoint(kLinkDescriptor));
  const std::optional<ProcessSetUp> set_up = SetUpOf(host->set_up());
  if (!set_up) throw Failure(Unexpected("the host did not say what to run"));
  LimitProcess(set_up->open_files, set_up->memory_bytes);
  host->Listen({[&signal] { signal.RequestStop(); }, [&signal] { signal.RequestReload(); }});
  const VerbResult result = RunOrFail(*set_up, *host, signal);
  std::optional<Error> error;
  if (!result.errors.empty()) error = result.errors.front();
  host->SayEnd(error);
  FlushLog();
  const int exit_code = result.exit_code != 0 || !error ? result.exit_code : ExitCode(*error);
  if (result.threads_left || CallThread::AnyLeft()) _exit(exit_code);
  return exit_code;
}

}  // namespace

bool IsPluginChild(const std::vector<std::string>& arguments) {
  return !arguments.empty() && arguments.front() == kPluginProcess;
}

int RunPluginChild(const std::vector<std::string>& arguments) noexcept try {
  try {
    if (arguments.size() != 2 || !PrepareProcess()) {
      throw Failure("SH-0900", std::string(kPluginProcess) + " is for summa-host itself",
                    "Set plugins.<id>.isolation to process, and use `summa-host run`.");
    }
    return Serve(arguments[1]);
  } catch (const Failure& failure) {
    LogError(LogLevel::kError, failure.error());
    FlushLog();
    return ExitCode(failure.error());
  } catch (const std::exception& error) {
    LogError(LogLevel::kError, Unexpected(error.what()));
    FlushLog();
    return SUMMA_E_INTERNAL;
  }
} catch (...) {
  return SUMMA_E_INTERNAL;  // not even the error could be said
}

}  // namespace summa::host
