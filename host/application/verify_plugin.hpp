// Whether a plugin file keeps the contract: first what can be seen without running it, then the
// checks of the conformance suite, each in a process of its own.
#pragma once

#include <summa/conformance.hpp>
#include <vector>

#include "host/application/verify_subject.hpp"

namespace summa::host {

struct Verification {
  PluginFile file;
  std::vector<conformance::Result> results;  // in the order of the checks, one at least for each
};

// Throws Failure when there is no such file, or when its configuration is not complete. [main]
Verification VerifyPlugin(const VerifySettings& settings);

}  // namespace summa::host
