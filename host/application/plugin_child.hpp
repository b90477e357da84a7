// The process of one plugin, from its side (decision 0055): started by a host, and by nobody else.
#pragma once

#include <string>
#include <vector>

namespace summa::host {

// Whether these words of a command line are for RunPluginChild().
bool IsPluginChild(const std::vector<std::string>& arguments);

// Runs the plugin until its host says that it is enough, or has gone. The exit code; throws
// nothing. [main]
int RunPluginChild(const std::vector<std::string>& arguments) noexcept;

}  // namespace summa::host
