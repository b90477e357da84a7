// summa-host: the background work of a Summa ledger. Everything happens behind RunCommandLine.
#include <string>
#include <vector>

#include "host/application/crash_report.hpp"
#include "host/application/plugin_child.hpp"
#include "host/application/verify_child.hpp"
#include "host/cli/cli.hpp"
#include "host/cli/standard_streams.hpp"
#include "host/observe/log.hpp"

int main(int argc, char** argv) {
  summa::host::PrepareStandardStreams();
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  // Before there is a thread of the host or a handler of a signal: neither is the plugin's.
  if (!arguments.empty() && arguments.front() == summa::host::kVerifyPlugin) {
    return summa::host::VerifyInChild(arguments);
  }
  summa::host::CaptureStderr();
  if (arguments == std::vector<std::string>{summa::host::kReportCrash}) {
    return summa::host::ReportCrash();
  }
  summa::host::WatchForCrashes();
  const int exit_code = summa::host::IsPluginChild(arguments)
                            ? summa::host::RunPluginChild(arguments)
                            : summa::host::RunCommandLine(arguments);
  summa::host::ExpectExit();
  return exit_code;
}
