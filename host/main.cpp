// summa-host: the background plane of a Summa ledger. Everything happens behind RunCommandLine.
#include <string>
#include <vector>

#include "host/cli/cli.hpp"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return summa::host::RunCommandLine(arguments);
}
