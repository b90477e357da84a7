// The promises that hold after every fault, in one place.
//
//   I1-I4  what was acknowledged is there, and the books are right
//   I5     every committed outbox row was delivered, at least once, with its own content under its
//          own id, in the order of its key, and is marked as the contract says
//   I7     nothing was committed under a fence that had passed on; fences only rise
//   I12    nothing is left behind, and work goes on by itself until nothing waits
#pragma once

#include <string>
#include <vector>

#include "tests/faults/observation.hpp"

namespace summa::test {

// One line per violation; empty: all is well. To be asked when the outbox has drained.
std::vector<std::string> Violations(const Observation& seen);

// The same as one text for a failing test, at most a page of it.
std::string Report(const std::vector<std::string>& violations);

}  // namespace summa::test
