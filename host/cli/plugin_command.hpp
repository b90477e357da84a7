// A verb that runs in a plugin, as the command line calls it.
#pragma once

#include "host/application/command.hpp"
#include "host/cli/verb.hpp"

namespace summa::host {

// `request` without what the invocation gives: options, wait, and where rows and progress go.
VerbResult RunCommand(const LoadedConfiguration& loaded, const Invocation& call,
                      CommandRequest request);

}  // namespace summa::host
