// Completion of the command line for shells, from the table of verbs: the host's own only, like the
// man page. Completing must not open files of plugins.
#pragma once

#include <string>
#include <vector>

#include "host/cli/verb.hpp"

namespace summa::host {

std::string BashCompletion(const std::vector<Verb>& verbs);
std::string ZshCompletion(const std::vector<Verb>& verbs);

}  // namespace summa::host
