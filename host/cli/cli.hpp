// The command line: from the words to the exit code.
#pragma once

#include <string>
#include <vector>

namespace summa::host {

// `arguments` without the program's name. Throws nothing: every failure ends as an error line (or
// object) and an exit code of contracts (0, 1, 64 .. 78).
int RunCommandLine(const std::vector<std::string>& arguments) noexcept;

}  // namespace summa::host
