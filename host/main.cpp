// summa-host: the background work of a Summa ledger. Everything happens behind RunCommandLine.
#include <string>
#include <vector>

#include "host/application/crash_report.hpp"
#include "host/application/plugin_child.hpp"
#include "host/cli/cli.hpp"
#include "host/cli/standard_streams.hpp"
#include "host/observe/log.hpp"

int main(int argc, char** argv) {
  summa::host::PrepareStandardStreams();
  summa::host::CaptureStderr();
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
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
